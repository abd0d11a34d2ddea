"""Several operations in a row on the samples of one bucket, block by block or all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rpganify.routing.program import Program
from rpganify.routing.routes import Route, part_of

# What a segment is handed: a layer or another value as it is, the batch, or block values.
Kind = Literal["as it is", "batch", "block values"]


@dataclass(frozen=True, slots=True)
class SegmentSize:
    """What decides whether to run a segment block by block.

    Args:
        largest: numbers per sample in the largest tensor that passes through it.
        num_operations: operations in it.
        has_convolution: whether it convolves pictures.
    """

    largest: int
    num_operations: int
    has_convolution: bool


class RoutedSegment(nn.Module):
    """Part of a converted generator's program that uses the blocks of one bucket.

    Args:
        program: over this module, `(route, *inputs)` to the segment's results, one tensor or a tuple.
        kinds: what each input is.
        calls: the `RoutedCall` modules that the program calls, by name.
        size: what decides how it runs.
    """

    def __init__(self, program: Program, kinds: Sequence[Kind], calls: nn.Module, size: SegmentSize) -> None:
        super().__init__()
        self._program, self.kinds, self.size = program, tuple(kinds), size
        self._modules.update(calls._modules)

    def forward(self, route: Route, *inputs: Any) -> Any:
        """The results, in the order of the inputs.

        Args:
            route: of a batch that is in order.
            inputs: layers, batches `(N, ...)` and block values, as `kinds` says.
        """
        if len(route.counts) == 1 or not self._pays(route):
            return self._program(self, route, *inputs)
        parts = [
            value.split(route.counts) if kind == "batch" else value
            for kind, value in zip(self.kinds, inputs, strict=True)
        ]
        results = []
        for position in range(len(route.counts)):
            chosen = [
                self._laid_out(part[position])
                if kind == "batch"
                else part[position : position + 1]
                if kind == "block values"
                else part
                for kind, part in zip(self.kinds, parts, strict=True)
            ]
            results.append(self._program(self, part_of(route, position), *chosen))
        if isinstance(results[0], tuple):
            return tuple(torch.cat(parts) for parts in zip(*results, strict=True))
        return torch.cat(results)

    def _pays(self, route: Route) -> bool:
        return True

    def _laid_out(self, x: Tensor) -> Tensor:
        if self.size.has_convolution and x.dim() == 4 and x.device.type == "cpu":
            return x.contiguous(memory_format=torch.channels_last)
        return x

    def extra_repr(self) -> str:
        return f"{self.size.num_operations} operations"


def call_layer(layer: nn.Module, route: Route, x: Tensor) -> Tensor:
    """A routed layer's result for a batch that is in order."""
    result = layer(route, x)
    assert isinstance(result, Tensor)
    return result
