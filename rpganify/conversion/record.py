"""What one recorded forward pass did: calls, values, outputs."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.overrides import resolve_name


@dataclass(frozen=True, slots=True)
class Ref:
    """A tensor of the record, by number."""

    value: int


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the user's code."""

    file: str
    line: int

    @property
    def text(self) -> str:
        """The line itself, stripped; empty if the file cannot be read."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        shown = f": `{self.text}`" if self.text else ""
        return f"{Path(self.file).name}:{self.line}{shown}"


@dataclass(slots=True)
class Call:
    """One recorded operation.

    Args:
        function: the torch function; None for a layer.
        layer: dotted name of the called layer; None for a function.
        args, kwargs: operands, tensors as `Ref`.
        outputs: what came back, tensors as `Ref`.
        written: numbers of the tensors that it changed in place.
        is_grad: whether autograd was meant to see it.
        scope: dotted name of the innermost running module.
        place: the line of the user's code.
        drawn: what a random draw gave, before anything changed it.
    """

    function: Callable[..., Any] | None
    layer: str | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: Any
    written: tuple[int, ...]
    is_grad: bool
    scope: str
    place: Place | None
    drawn: Tensor | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        if self.function is None:
            return f"layer {self.layer!r}"
        return str(resolve_name(self.function) or getattr(self.function, "__name__", repr(self.function)))


@dataclass(slots=True)
class Value:
    """A tensor of the record.

    Args:
        tensor: the object itself, kept alive so that its identity stays unique.
        kind: "input", "state" (parameter, buffer or tensor attribute), "made" by a call, or "constant".
        name: of an input or a state tensor.
        content: a copy of a constant's content at its first use.
        is_tainted: whether its content depends on an input's content or on a random draw.
    """

    tensor: Tensor
    kind: str
    name: str = ""
    content: Tensor | None = None
    is_tainted: bool = False


@dataclass(slots=True)
class Recording:
    """All that one forward pass did."""

    calls: list[Call] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    outputs: Any = None
    rebound: dict[str, int] = field(default_factory=dict)
    content_reads: list[tuple[Place | None, str]] = field(default_factory=list)
    state_reads: list[tuple[Place | None, str]] = field(default_factory=list)
    custom_functions: list[str] = field(default_factory=list)
    changed_numbers: list[tuple[str, Any, Any]] = field(default_factory=list)


def state_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters, buffers and plain tensor attributes of all submodules, by dotted name.

    A tensor that has several names appears under the first.
    """
    named: dict[str, Tensor] = {}
    seen: set[int] = set()
    for prefix, child in module.named_modules():
        dot = f"{prefix}." if prefix else ""
        groups: tuple[Mapping[str, Any], ...] = (child._parameters, child._buffers, vars(child))
        for group in groups:
            for name, tensor in group.items():
                if isinstance(tensor, Tensor) and id(tensor) not in seen:
                    seen.add(id(tensor))
                    named[f"{dot}{name}"] = tensor
    return named
