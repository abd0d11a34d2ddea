"""Every layer by itself and by each of its kernels, on the samples and blocks that it meets in a pass.

The bound knows arithmetic and memory only. What the calls of the libraries take at so few samples per block, the fastest
of the kernels tells: the least that a routed layer takes without kernels of another kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rpganify.bench.timing import run_in_turn
from rpganify.routing.generator import RandomPathGenerator
from rpganify.routing.kernels import KERNELS, choose_kernel, pinned_kernel
from rpganify.routing.layers import RoutedLayer
from rpganify.routing.routes import Route

_BY_BLOCK = "by-block"


@dataclass(frozen=True, slots=True)
class KernelCost:
    """Seconds of a layer's pass, and of a pass with gradients, by one kernel."""

    kernel: str
    forward_s: float
    both_s: float


@dataclass(frozen=True, slots=True)
class _Call:
    """A layer's call in a pass."""

    layer: RoutedLayer
    route: Route
    inputs: tuple[Tensor, ...]
    named: Mapping[str, Any]

    def kernels(self) -> list[str]:
        """Those that can run it."""
        found = [_BY_BLOCK]
        for name in KERNELS:
            with pinned_kernel(name):
                chosen = choose_kernel(self.layer.layer, tuple(self.inputs[0].shape[1:]), self.inputs[0].device.type)
            if chosen == name:
                found.append(name)
        return found

    def forward(self) -> Tensor:
        """The result; nothing is kept of it."""
        result = self.layer(replace(self.route, rows={}), *self.inputs, **self.named)
        assert isinstance(result, Tensor)
        return result

    def both(self) -> None:
        """The same with gradients, which are dropped."""
        result = self.forward()
        result.backward(torch.ones_like(result))
        for tensor in (*self.inputs, *self.layer.parameters()):
            tensor.grad = None


def measure_kernels(
    routed: RandomPathGenerator,
    paths: Tensor,
    conditions: Mapping[str, Tensor],
    device: torch.device,
    num_rounds: int = 5,
) -> dict[str, tuple[KernelCost, ...]]:
    """The kernels of every built-in layer with more than one block in the batch, by the layer's name, the fastest first.

    Running statistics are afterwards as they were.

    Args:
        routed: on the device.
        paths: int64 `(N, num_buckets)`.
        conditions: the generator's further inputs.
        num_rounds: rounds that count.
    """
    before = [buffer.clone() for buffer in routed.buffers()]
    costs = {}
    for name, call in _calls(routed, paths, conditions).items():
        things: dict[str, Callable[[], object]] = {}
        for kernel in call.kernels():
            things[kernel] = _pinned(kernel, torch.no_grad()(call.forward))
            things[kernel + "+"] = _pinned(kernel, call.both)
        timings = run_in_turn(things, num_rounds=num_rounds, device=device)
        found = [
            KernelCost(kernel, timings[kernel].median_s, timings[kernel + "+"].median_s) for kernel in call.kernels()
        ]
        costs[name] = tuple(sorted(found, key=lambda cost: cost.both_s))
    with torch.no_grad():
        for buffer, value in zip(routed.buffers(), before, strict=True):
            buffer.copy_(value)
    return costs


def _calls(routed: RandomPathGenerator, paths: Tensor, conditions: Mapping[str, Tensor]) -> dict[str, _Call]:
    """The last call of every routed layer in a pass, its samples all together."""
    calls: dict[str, _Call] = {}
    names = {id(module): name for name, module in routed.named_modules() if isinstance(module, RoutedLayer)}

    def note(module: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        route, *tensors = inputs
        if len(route.counts) > 1:
            copies = tuple(one.detach().clone().requires_grad_(one.dtype.is_floating_point) for one in tensors)
            calls[names[id(module)]] = _Call(module, route, copies, named)

    hooks = [
        module.register_forward_pre_hook(note, with_kwargs=True)
        for module in routed.modules()
        if isinstance(module, RoutedLayer)
    ]
    try:
        with pinned_kernel("layer-by-layer"), torch.no_grad():
            routed.images(paths, None, **conditions)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _pinned(kernel: str, thing: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        with pinned_kernel(kernel):
            thing()

    return run
