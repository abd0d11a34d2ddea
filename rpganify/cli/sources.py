"""A SOURCE and its options, turned into a generator that has been traced."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import typer
from torch import Tensor, nn

from rpganify.cli.parsing import parse_literals, parse_pairs
from rpganify.cli.weights import load_weights
from rpganify.conversion.converting import Inspection, inspect_generator
from rpganify.conversion.planning import DEFAULT_BLOCKS
from rpganify.plan import NormMode, Plan
from rpganify.source import Source, load_class

_SHAPE = re.compile(r"(?P<shape>scalar|\d+(x\d+)*)(?P<kind>:int)?")
_BATCH = 2


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What commands ask about a source; everything but the source may be left out.

    Args:
        source: as typed.
        arguments: `--arg` texts.
        argv: `--argv` text, the script's own command line.
        is_initialised: whether the script's own initialisation is repeated.
        latent: `--latent` text.
        inputs: `--input` texts, `name=SHAPE`.
        constants: `--const` texts, `name=value`.
        image: `--image` text, where in the output the images are.
        image_shape: `--image-shape` text, `1x28x28`.
        weights: `--weights` file.
        seed: of the generator's own initialisation.
        freezes_noise: whether `--freeze-noise` was given.
    """

    source: str
    arguments: Sequence[str] | None = None
    argv: str | None = None
    is_initialised: bool = True
    latent: str | None = None
    inputs: Sequence[str] | None = None
    constants: Sequence[str] | None = None
    image: str | None = None
    image_shape: str | None = None
    weights: Path | None = None
    seed: int = 0
    freezes_noise: bool = False

    def load(self) -> Source:
        """The source, found but not yet built."""
        arguments = parse_pairs(self.arguments, "--arg", "latent_dim=128")
        argv = shlex.split(self.argv or "")
        return load_class(self.source, arguments, argv, is_initialised=self.is_initialised)

    def build(self, source: Source) -> nn.Module:
        """A new generator, with the trained weights if there are any."""
        generator = source.build(self.seed)
        if self.weights is not None:
            load_weights(generator, self.weights)
        return generator

    def inspect(self, generator: nn.Module) -> Inspection:
        """The traced generator."""
        examples, shape = self.example_inputs(), self.parsed_image_shape()
        return inspect_generator(generator, self.latent, examples, self.image, shape, self.freezes_noise)

    def example_inputs(self) -> dict[str, Any] | None:
        """Examples of the further inputs of forward; None if none were named."""
        inputs = parse_pairs(self.inputs, "--input", "label=scalar:int")
        examples: dict[str, Any] = {name: _example(name, text) for name, text in inputs.items()}
        return {**examples, **parse_literals(self.constants, "--const", "alpha=1.0")} or None

    def parsed_image_shape(self) -> tuple[int, ...] | None:
        """`--image-shape` as numbers."""
        if self.image_shape is None:
            return None
        match = re.fullmatch(r"\d+(x\d+)+", self.image_shape)
        if match is None:
            raise typer.BadParameter(f"{self.image_shape!r} is no shape such as 1x28x28.", param_hint="--image-shape")
        return tuple(int(size) for size in self.image_shape.split("x"))


def choose_plan(
    inspection: Inspection,
    source: Source,
    *,
    buckets: int | Sequence[str] | None = None,
    blocks: int | Sequence[int] | None = None,
    norm: NormMode = "shared",
    init: str = "fresh",
    num_Z: int = 1,
) -> Plan:
    """The plan for what the user asked; without a wish, an architecture's own buckets or the natural stages.

    Raises:
        PlanError: buckets or blocks that do not fit.
    """
    if buckets is None and source.architecture is not None:
        buckets = source.architecture.buckets
    return inspection.plan(buckets, DEFAULT_BLOCKS if blocks is None else blocks, norm, init, num_Z)


def provenance_of(source: Source, weights: Path | None) -> dict[str, Any]:
    """What a converted model tells of its source: plain data, no absolute path."""
    told = {
        "source": Path(source.text).name if source.kind == "file" else source.text,
        "class": source.qualname,
        "arguments": {name: repr(value) for name, value in source.arguments.items()},
        "architecture": source.architecture.name if source.architecture else None,
        "sha256": source.sha256,
        "construction": source.construction,
        "initialiser": source.initialiser,
        "weights": weights.name if weights else None,
    }
    return {name: value for name, value in told.items() if value}


def describe_source(source: Source) -> list[str]:
    """What of the author's script is repeated for every block, in words."""
    lines = []
    if source.construction:
        lines.append(f"built as in the script: {source.construction}")
    if source.initialiser:
        lines.append(f"initialised as in the script: {source.initialiser}")
    return lines


def _example(name: str, text: str) -> Tensor:
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise typer.BadParameter(
            f"{name}={text} is no input: write its shape without the batch axis, 128, 4x4 or scalar, and :int behind "
            "it for whole numbers such as class labels.",
            param_hint="--input",
        )
    sizes = [] if match["shape"] == "scalar" else [int(size) for size in match["shape"].split("x")]
    if match["kind"]:
        return torch.zeros(_BATCH, *sizes, dtype=torch.int64)
    return torch.randn(_BATCH, *sizes, generator=torch.Generator().manual_seed(0))
