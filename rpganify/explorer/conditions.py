"""A generator's further inputs, such as a label, as fields of the page."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from rpganify.errors import ExplorerError

# What can still be typed into one line; a map of noise cannot.
MAX_TYPED = 64
# Embeddings of more labels than this are not counted out.
MAX_COUNTED = 2**16

# What torch raises where a label is outside an embedding or a one-hot code.
_REFUSALS = (IndexError, RuntimeError, ValueError)


class Condition(Protocol):
    """One further input of a generator: name, shape without the batch axis, and type."""

    @property
    def name(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> torch.dtype: ...


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A further input that the page asks for.

    Args:
        name: as the generator's forward calls it.
        initial: its value at first, without the batch axis; gives shape and type.
        num_values: whole numbers from 0 that the generator accepts; None where all are, or where it is no whole number.
    """

    name: str
    initial: Tensor
    num_values: int | None = None

    @property
    def kind(self) -> str:
        """`integer` or `number` for one, `list` for some, `fixed` for more than a line holds."""
        if self.initial.dim() == 0:
            return "number" if self.initial.is_floating_point() else "integer"
        return "list" if self.initial.numel() <= MAX_TYPED else "fixed"

    def to_json(self) -> dict[str, Any]:
        """What the page needs to know."""
        is_fixed = self.kind == "fixed"
        return {
            "name": self.name,
            "kind": self.kind,
            "shape": list(self.initial.shape),
            "value": None if is_fixed else self.initial.tolist(),
            "numValues": self.num_values,
        }

    def parse(self, text: str) -> Tensor:
        """The value that a text writes: a number, or numbers in brackets.

        Raises:
            ExplorerError: it is none, has another shape, or is a number that the generator does not accept.
        """
        example = json.dumps(self.initial.tolist()) if self.kind != "fixed" else "[…]"
        try:
            value = json.loads(text)
            tensor = torch.tensor(value, dtype=self.initial.dtype)
        except (ValueError, TypeError, RuntimeError, OverflowError, RecursionError):
            raise ExplorerError(
                f"{self.name}={text!r} is neither a number nor a list of numbers; {example} would be one."
            ) from None
        if tensor.shape != self.initial.shape:
            raise ExplorerError(
                f"{self.name} has shape {tuple(self.initial.shape)}, and {text!r} has {tuple(tensor.shape)}; "
                f"{example} would fit."
            )
        if self.initial.is_floating_point():
            if not torch.isfinite(tensor).all():
                raise ExplorerError(f"{self.name}={text!r} is not finite; {example} would be.")
        elif not torch.equal(torch.tensor(value, dtype=torch.float64), tensor.double()):
            raise ExplorerError(f"{self.name} takes whole numbers, and {text!r} is none; {example} would be.")
        if self.num_values is not None and not 0 <= int(tensor) < self.num_values:
            raise ExplorerError(f"{self.name} is 0 to {self.num_values - 1} in this generator; there is no {text}.")
        return tensor


def read_fields(fields: Sequence[Field], texts: Sequence[str]) -> dict[str, Tensor]:
    """A value for every field: what a request gives, else the initial one.

    Args:
        fields: of the model.
        texts: `name=value` each.
    Raises:
        ExplorerError: a text that names no field, names one twice, or does not fit.
    """
    known = {field.name: field for field in fields}
    given: dict[str, Tensor] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in known:
            raise ExplorerError(f"This generator has no further input {name!r}; it has {', '.join(known) or 'none'}.")
        if name in given:
            raise ExplorerError(f"{name} is given twice.")
        given[name] = known[name].parse(value)
    return {field.name: given.get(field.name, field.initial) for field in fields}


def make_fields(
    conditions: Sequence[Condition], initial: Mapping[str, Tensor], images: Callable[[dict[str, Tensor]], object]
) -> tuple[Field, ...]:
    """The fields of a generator's further inputs; for single whole numbers it is tried out which are accepted.

    Args:
        conditions: of the generator.
        initial: a value for each.
        images: makes an image with these values; raises where one is not accepted. On the CPU, since a GPU
            that met a label outside its embedding answers nothing any more.
    """
    fields = []
    for condition in conditions:
        field = Field(condition.name, initial[condition.name])
        if field.kind == "integer":

            def accepts(value: int, name: str = condition.name) -> bool:
                try:
                    images({**initial, name: torch.full_like(initial[name], value)})
                except _REFUSALS:
                    return False
                return True

            is_flag = condition.dtype == torch.bool
            field = Field(condition.name, field.initial, 2 if is_flag else count_accepted(accepts))
        fields.append(field)
    return tuple(fields)


def count_accepted(accepts: Callable[[int], bool], limit: int = MAX_COUNTED) -> int | None:
    """How many whole numbers from 0 are accepted, if those up to some number are and larger ones are not.

    Args:
        accepts: asked about 2 log2(limit) times at most.
        limit: None is given back where this many are accepted.
    """
    low, high = 0, 1  # all below `low` are accepted
    while accepts(high - 1):
        low = high
        if low >= limit:
            return None
        high *= 2
    while high - low > 1:
        middle = math.floor((low + high) / 2)
        low, high = (middle, high) if accepts(middle - 1) else (low, middle)
    return low or None
