"""The general case: any operation on a bucket's parameters, run once per block that is present.

A parameter that no built-in layer owns enters the graph as *block values*, a list with one tensor per block present.
An operation on block values alone gives block values again; one that meets the batch runs per block on that block's
samples and gives an ordinary batch. So a modulated convolution, an equalised layer, a learned constant or a spectral
norm needs nothing of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.routing.routes import BatchAxis, Route, join, rows_of, split
from rpganify.structure import map_leaves


@dataclass(frozen=True, slots=True)
class Operand:
    """A place in an operation's arguments.

    Args:
        index: position among the operands that the graph passes.
        batch: where it carries the batch; None if it does not.
        is_block: block values.
        is_written: the operation changes it in place.
    """

    index: int
    batch: BatchAxis | None = None
    is_block: bool = False
    is_written: bool = False


@dataclass(frozen=True, slots=True)
class BatchSize:
    """An integer argument that derives from the batch size: `factor * N + rest`."""

    factor: int
    rest: int


class RoutedCall(nn.Module):
    """One operation, run per block present.

    Args:
        function: the operation; a string names a tensor method.
        args, kwargs: its arguments, with `Operand` and `BatchSize` in the places that change.
        result: where the result carries the batch, for each part of a tuple; None where it is block values again.
    """

    def __init__(
        self,
        function: Callable[..., Any] | str,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        result: BatchAxis | tuple[BatchAxis | None, ...] | None,
    ) -> None:
        super().__init__()
        self.function, self.args, self.kwargs, self.result = function, tuple(args), dict(kwargs), result
        places: list[Operand] = []
        map_leaves((self.args, self.kwargs), lambda leaf: places.append(leaf) if isinstance(leaf, Operand) else leaf)
        self._written = [place for place in places if place.is_written and place.batch is not None]
        self._sliced = {place.index: place.batch for place in places if place.batch is not None}
        self._blocks = {place.index for place in places if place.is_block}
        self._prepare()

    def _prepare(self) -> None:
        # Most arguments are operands or constants as they stand; the others are walked through for every block.
        self._fillers = tuple(_filler(value) for value in self.args)
        self._named_fillers = {name: _filler(value) for name, value in self.kwargs.items()}

    def __getstate__(self) -> dict[str, Any]:
        """What pickle takes: everything but the functions, which the arguments give back."""
        return {name: value for name, value in vars(self).items() if name not in ("_fillers", "_named_fillers")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._prepare()

    def forward(self, route: Route, *operands: Any) -> Any:
        """Block values (a list, one entry per block present), or a tensor that carries the batch."""
        parts = {i: split(operands[i], axis, route) for i, axis in self._sliced.items()}
        if route.order is not None:
            for place in self._written:
                # Autograd lets nobody write to the views that a split gives.
                parts[place.index] = [part.clone() for part in parts[place.index]]
        results: list[Any] = []
        changed: dict[int, list[Tensor]] = {place.index: [] for place in self._written}
        for position, count in enumerate(route.counts):
            chosen = [
                operands[i][position] if i in self._blocks else parts[i][position] if i in parts else operand
                for i, operand in enumerate(operands)
            ]
            results.append(self._run(chosen, count))
            for index in changed:
                changed[index].append(chosen[index])
        for place in self._written if route.order is not None else ():
            assert place.batch is not None
            operands[place.index].copy_(join(changed[place.index], place.batch, route))
        if self.result is None:
            return results
        if isinstance(self.result, BatchAxis):
            return join(results, self.result, route)
        parts_of_result = zip(self.result, zip(*results, strict=True), strict=True)
        return tuple(part[0] if axis is None else join(part, axis, route) for axis, part in parts_of_result)

    def _run(self, operands: Sequence[Any], num_samples: int) -> Any:
        args = [fill(operands, num_samples) for fill in self._fillers]
        kwargs = {name: fill(operands, num_samples) for name, fill in self._named_fillers.items()}
        if isinstance(self.function, str):
            return getattr(args[0], self.function)(*args[1:], **kwargs)
        return self.function(*args, **kwargs)

    def extra_repr(self) -> str:
        name = self.function if isinstance(self.function, str) else self.function.__name__
        return f"{name}, result={'block values' if self.result is None else self.result}"


def _filler(value: Any) -> Callable[[Sequence[Any], int], Any]:
    """What gives an argument for the operands and the number of samples of one block."""
    if isinstance(value, Operand):
        index = value.index
        return lambda operands, num_samples: operands[index]
    found: list[Any] = []
    constant = map_leaves(value, lambda leaf: found.append(leaf) if isinstance(leaf, (Operand, BatchSize)) else leaf)
    if not found:
        return lambda operands, num_samples: constant

    def filled(operands: Sequence[Any], num_samples: int) -> Any:
        def fill(leaf: Any) -> Any:
            if isinstance(leaf, Operand):
                return operands[leaf.index]
            if isinstance(leaf, BatchSize):
                return leaf.factor * num_samples + leaf.rest
            return leaf

        return map_leaves(value, fill)

    return filled


def block_values(stack: Tensor, route: Route) -> list[Tensor]:
    """A parameter or buffer with a block axis as block values."""
    return rows_of(stack, route)


def working_copies(stack: Tensor, route: Route) -> list[Tensor]:
    """A buffer that the forward pass changes, as block values of their own memory.

    Not views: a write to one block would count, for autograd, as a change of all blocks' saved values.
    """
    return [stack[block].clone() for block in route.present]


def write_back(stack: Tensor, values: Sequence[Tensor], route: Route) -> None:
    """Keeps what the forward pass left in `working_copies`."""
    with torch.no_grad():
        for block, value in zip(route.present, values, strict=True):
            stack[block].copy_(value)


def first_value(values: Sequence[Any]) -> Any:
    """The value of the first block present; for properties that all blocks share."""
    return values[0]
