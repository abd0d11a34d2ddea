"""The general case: any operation on a bucket's parameters, run once per block that is present.

A parameter that no built-in layer owns enters the graph as *block values*, a list with one tensor per block present.
An operation on block values alone gives block values again; one that meets the batch runs per block on that block's
samples and gives an ordinary batch. So a modulated convolution, an equalised layer, a learned constant or a spectral
norm needs nothing of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.routing.routes import SAMPLES_FIRST, BatchAxis, Route, join, rows_of, split
from rpganify.routing.stacked import (
    StackedValues,
    as_layer,
    for_all,
    for_all_form,
    is_elementwise,
    is_stacking,
    per_sample,
    present,
    runs_as_layer,
    stacked_rows,
)
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
        self._for_all = None if result is not None or self._sliced else for_all_form(function, args)
        self._is_layer = self._is_layer_by_block_values()
        self._is_elementwise = (
            is_elementwise(function)
            and not kwargs
            and len(args) == 2
            and all(isinstance(arg, Operand) and not arg.is_written for arg in args)
            and list(self._sliced.values()) == [result] == [SAMPLES_FIRST]
        )
        self._prepare()

    def _is_layer_by_block_values(self) -> bool:
        x, weight = (*self.args, None, None)[:2]
        return (
            runs_as_layer(self.function)
            and isinstance(x, Operand)
            and isinstance(weight, Operand)
            and (x.batch, x.is_written, weight.is_block) == (SAMPLES_FIRST, False, True)
            and self.result == SAMPLES_FIRST
        )

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
        """Block values (one entry per block present), or a tensor that carries the batch."""
        if len(route.present) > 1 and any(isinstance(operands[i], StackedValues) for i in self._blocks):
            result = self._stacked(route, operands)
            if result is not None:
                return result
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

    def _stacked(self, route: Route, operands: Sequence[Any]) -> Any:
        """The result by one call for all blocks; None where it cannot be had so."""
        if not all(isinstance(operands[i], StackedValues) for i in self._blocks):
            return None
        if self._for_all is not None:
            return self._for_all_blocks(self._for_all, operands)
        if self._is_elementwise:
            (batch,), (block,) = self._sliced, self._blocks
            values = per_sample(operands[block], route, operands[batch])
            chosen = [values if i == block else operand for i, operand in enumerate(operands)]
            return None if values is None else self._run(chosen, route.num_samples)
        if self._is_layer:
            (x, weight, *rest), named = self._filled(operands, 0)
            return as_layer(self.function, route, x, weight, rest, named)
        return None

    def _for_all_blocks(self, function: Callable[..., Any] | str, operands: Sequence[Any]) -> StackedValues:
        out = self.kwargs.get("out")

        def run(chosen: Sequence[Any]) -> Any:
            args, kwargs = self._filled(chosen, 0)
            return _called(function, args, {name: value for name, value in kwargs.items() if name != "out"})

        written = operands[out.index].stack if isinstance(out, Operand) else None
        return for_all(run, operands, self._blocks, written)

    def _run(self, operands: Sequence[Any], num_samples: int) -> Any:
        return _called(self.function, *self._filled(operands, num_samples))

    def _filled(self, operands: Sequence[Any], num_samples: int) -> tuple[list[Any], dict[str, Any]]:
        """The arguments for these operands and so many samples."""
        args = [fill(operands, num_samples) for fill in self._fillers]
        return args, {name: fill(operands, num_samples) for name, fill in self._named_fillers.items()}

    def extra_repr(self) -> str:
        name = self.function if isinstance(self.function, str) else self.function.__name__
        return f"{name}, result={'block values' if self.result is None else self.result}"


def _called(function: Callable[..., Any] | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    if isinstance(function, str):
        return getattr(args[0], function)(*args[1:], **kwargs)
    return function(*args, **kwargs)


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


def block_values(stack: Tensor, route: Route) -> Sequence[Tensor]:
    """A parameter or buffer with a block axis, to which nothing is written, as block values."""
    if len(route.present) > 1 and is_stacking(stack.device.type):
        return stacked_rows(stack, route)
    return rows_of(stack, route)


def block_views(stack: Tensor, route: Route) -> Sequence[Tensor]:
    """A parameter with a block axis as block values; what is written to them is written to it."""
    return rows_of(stack, route)


def working_copies(stack: Tensor, route: Route) -> Sequence[Tensor]:
    """A buffer that the forward pass changes, as block values of their own memory.

    Not views: a write to one block would count, for autograd, as a change of all blocks' saved values.
    """
    if len(route.present) > 1 and is_stacking(stack.device.type):
        return StackedValues(stack.index_select(0, present(stack, route)))
    return [stack[block].clone() for block in route.present]


def write_back(stack: Tensor, values: Sequence[Tensor], route: Route) -> None:
    """Keeps what the forward pass left in `working_copies`."""
    with torch.no_grad():
        if isinstance(values, StackedValues):
            stack.index_copy_(0, present(stack, route), values.stack)
            return
        for block, value in zip(route.present, values, strict=True):
            stack[block].copy_(value)


def first_value(values: Sequence[Any]) -> Any:
    """The value of the first block present; for properties that all blocks share."""
    return values[0]
