"""What the commands share that make a new model of one: opening it, and telling what became of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.cli.console import say
from rpganify.cli.models import open_on_disk
from rpganify.cli.parsing import parse_pairs
from rpganify.errors import PlanError
from rpganify.modelfile import save_model
from rpganify.routing.generator import RandomPathGenerator
from rpganify.source import load_class

# Paths whose images are compared where all cannot be.
NUM_COMPARED = 64


def open_converted(model: Path, *, trusts_source: bool = False, is_raw: bool = False) -> RandomPathGenerator:
    """The converted model in a folder; says which one it is.

    Raises:
        ModelFileError: there is none.
        PlanError: it is a standard generator.
    """
    found = open_on_disk(model, trusts_source=trusts_source, is_raw=is_raw)
    for line in found.told:
        say(line)
    if not isinstance(found.model, RandomPathGenerator):
        raise PlanError(
            f"{model} is a standard generator: it has no buckets and blocks. `rpganify convert` makes a model that has."
        )
    return found.model


def write_model(model: RandomPathGenerator, output: Path, *, is_forced: bool) -> None:
    """Writes what an operation made, and says so."""
    save_model(model, output, overwrite=is_forced)
    say(f"wrote {output}")


def find_factory(
    model: RandomPathGenerator, source: str | None, arguments: list[str] | None
) -> Callable[[int], nn.Module] | None:
    """What builds the original generator anew: a source that is named, or the architecture that the model tells of.

    Returns:
        Seed -> a new generator; None where nothing says how it is built.
    Raises:
        SourceError: the source that is named cannot be found or built.
    """
    told = model.blueprint.provenance
    if source is not None:
        return load_class(source, parse_pairs(arguments, "--arg", "latent_dim=128")).build
    if not told.get("architecture"):
        return None
    known: Any = told.get("arguments", {})
    texts = {str(name): str(text) for name, text in known.items()} if isinstance(known, dict) else {}
    return load_class(str(told["architecture"]), texts).build


@torch.no_grad()
def largest_difference(one: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor], paths: Tensor) -> float:
    """The largest difference of any pixel of two models' images of the same paths."""
    return float((one(paths).double() - other(paths).double()).abs().max())
