"""Several operations in a row on the samples of one bucket, block by block or all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rpganify.routing.blueprint import LayerConfig
from rpganify.routing.kernels import choose_kernel, is_pinned_to_layers
from rpganify.routing.program import Program
from rpganify.routing.region import RoutedCall
from rpganify.routing.routes import Route, part_of

# What a segment is handed: a layer or another value as it is, the batch, or block values.
Kind = Literal["as it is", "batch", "block values"]


# A segment whose largest tensor has fewer numbers per sample is run layer by layer: what the calls cost per block is more
# than what the cache saves. Measured on 2 cores with residual blocks of 64 channels.
_WORTH_CUTTING = 2048


@dataclass(frozen=True, slots=True)
class SegmentContent:
    """What decides how a segment runs.

    Args:
        layers: the routed layers in it, each with the shape of a sample of its input.
        largest: numbers per sample in the largest tensor that passes through it.
        num_operations: operations in it.
    """

    layers: tuple[tuple[LayerConfig, tuple[int, ...]], ...]
    largest: int
    num_operations: int


class RoutedSegment(nn.Module):
    """Part of a converted generator's program that uses the blocks of one bucket.

    Args:
        program: over this module, `(route, *inputs)` to the segment's results, one tensor or a tuple.
        kinds: what each input is.
        calls: the `RoutedCall` modules that the program calls, by name.
        content: what decides how it runs.
    """

    def __init__(self, program: Program, kinds: Sequence[Kind], calls: nn.Module, content: SegmentContent) -> None:
        super().__init__()
        self._program, self.kinds, self.content = program, tuple(kinds), content
        self._modules.update(calls._modules)
        functions = [call.function for call in calls.modules() if isinstance(call, RoutedCall)]
        self._has_convolution = torch.conv2d in functions or any(layer.kind == "Conv2d" for layer, _ in content.layers)

    def forward(self, route: Route, *inputs: Any) -> Any:
        """The results, in the order of the inputs.

        Args:
            route: of a batch that is in order.
            inputs: layers, batches `(N, ...)` and block values, as `kinds` says.
        """
        if len(route.counts) == 1 or not self.is_cut(_device_of(inputs)):
            return self._program(self, route, *inputs)
        parts = [
            value.split(route.counts) if kind == "batch" else value
            for kind, value in zip(self.kinds, inputs, strict=True)
        ]
        results = []
        for position in range(len(route.counts)):
            chosen = [
                (self._laid_out(part[position]) if route.lays_out else part[position])
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

    def is_cut(self, device: str) -> bool:
        """Whether it runs block by block on that type of device: where it is long enough, and each of its layers would."""
        if is_pinned_to_layers() or device != "cpu" or self.content.largest < _WORTH_CUTTING:
            return False
        return all(choose_kernel(layer, shape, device) == "by-block" for layer, shape in self.content.layers)

    def _laid_out(self, x: Tensor) -> Tensor:
        """Convolutions and what stands between them read channels last in one piece; the batch then stays so."""
        return x.contiguous(memory_format=torch.channels_last) if self._has_convolution and x.dim() == 4 else x

    def extra_repr(self) -> str:
        return f"{self.content.num_operations} operations"


def _device_of(inputs: Sequence[Any]) -> str:
    return next(value.device.type for value in inputs if isinstance(value, Tensor))


def call_layer(layer: nn.Module, route: Route, *inputs: Tensor) -> Tensor:
    """A routed layer's result for a batch that is in order."""
    result = layer(route, *inputs)
    assert isinstance(result, Tensor)
    return result
