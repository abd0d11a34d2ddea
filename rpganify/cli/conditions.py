"""Values for a generator's further inputs, such as a class label, as typed on the command line."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Protocol

import torch
import typer
from torch import Tensor

from rpganify.cli.parsing import parse_pairs
from rpganify.errors import closest


class Condition(Protocol):
    """One further input of a generator: name, shape without the batch axis, and type."""

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> torch.dtype: ...


def read_conditions(values: Sequence[str] | None, wanted: Sequence[Condition]) -> dict[str, Tensor]:
    """One tensor per further input, without the batch axis.

    Args:
        values: `name=number` or `name=[list of numbers]`, each once.
        wanted: what the generator's forward needs beside its codes; usually nothing.
    Raises:
        typer.BadParameter: an input without a value, a value for no input, or one that does not fit.
    """
    given = parse_pairs(values, "--condition", "label=3")
    known = [condition.name for condition in wanted]
    for name in given:
        if name not in known:
            needs = ", ".join(known) or "none"
            raise typer.BadParameter(
                f"This generator has no further input {name!r}; it needs {needs}.{closest(name, known)}",
                param_hint="--condition",
            )
    for condition in wanted:
        if condition.name not in given:
            example = 0 if not condition.shape else "[…]"
            raise typer.BadParameter(
                f"This generator also needs {condition.name}, {condition.dtype} of shape {condition.shape}: "
                f"--condition {condition.name}={example}.",
                param_hint="--condition",
            )
    return {condition.name: _read(given[condition.name], condition) for condition in wanted}


def _read(text: str, condition: Condition) -> Tensor:
    try:
        value = torch.tensor(ast.literal_eval(text), dtype=condition.dtype)
    except (ValueError, SyntaxError, TypeError, RuntimeError):
        raise typer.BadParameter(
            f"{condition.name}={text} is neither a number nor a list of numbers.", param_hint="--condition"
        ) from None
    if tuple(value.shape) != tuple(condition.shape):
        raise typer.BadParameter(
            f"{condition.name}={text} has shape {tuple(value.shape)}; shape {tuple(condition.shape)} is needed.",
            param_hint="--condition",
        )
    return value
