"""The least that a routed pass can take: the plain generator's time, or that of reading the blocks' weights.

A routed generator does the plain one's arithmetic. Besides, it reads the weights of every distinct block of the batch,
twice for a pass with gradients, and writes as many numbers of gradient. So the bound of a layer is the larger of its
plain time and of those bytes over the memory's bandwidth; what is no layer of a bucket takes its plain time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from rpganify.bench.alternatives import KernelCost
from rpganify.bench.kernels import kernel_of, layers_in_cut_segments
from rpganify.bench.timing import run_in_turn
from rpganify.conversion.known import build_layer
from rpganify.routing.blueprint import LayerConfig
from rpganify.routing.generator import RandomPathGenerator

# Bandwidth is measured on as much memory as the blocks take, within these limits.
_LEAST_BYTES, _MOST_BYTES = 2**24, 2**29


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Bytes per second."""

    read: float
    write: float


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One built-in layer of a bucket.

    Args:
        name, kind: as in the plan's table.
        bucket: its bucket's name.
        kernel: how its blocks are run, see `kernels.kernel_of`.
        is_in_segment: whether they are run with what stands around the layer, one block after the other.
        sample_shape: of its (first) input.
        block_bytes: its parameters, of one block.
        num_present: distinct blocks in a batch, on average.
        forward_s, both_s: the plain layer's pass, and a pass with gradients.
        bound_forward_s, bound_both_s: the larger of that and of reading and writing the blocks.
        kernels: what the routed layer takes by itself, by each kernel that can run it, the fastest first; empty if
            that was not measured.
    """

    name: str
    kind: str
    bucket: str
    kernel: str
    is_in_segment: bool
    sample_shape: tuple[int, ...]
    block_bytes: int
    num_present: float
    forward_s: float
    both_s: float
    bound_forward_s: float
    bound_both_s: float
    kernels: tuple[KernelCost, ...] = ()

    def routed_s(self, is_both: bool) -> float | None:
        """Seconds of the routed layer by the kernel that it runs by; None if that was not measured."""
        found = [cost for cost in self.kernels if cost.kernel == self.kernel]
        return (found[0].both_s if is_both else found[0].forward_s) if found else None

    def best_s(self, is_both: bool) -> float | None:
        """Seconds of the routed layer by the fastest kernel; None if that was not measured."""
        return min((cost.both_s if is_both else cost.forward_s for cost in self.kernels), default=None)


def measure_bandwidth(num_bytes: int, device: torch.device, num_rounds: int = 7) -> Bandwidth:
    """How fast this machine sums up, and fills, so many bytes."""
    size = min(max(num_bytes, _LEAST_BYTES), _MOST_BYTES)
    memory = torch.zeros(size // 4, device=device)
    timings = run_in_turn(
        {"read": memory.sum, "write": lambda: memory.fill_(1.0)}, num_rounds=num_rounds, device=device
    )
    return Bandwidth(size / timings["read"].median_s, size / timings["write"].median_s)


def measure_layers(
    routed: RandomPathGenerator,
    paths: Sequence[Tensor],
    bandwidth: Bandwidth,
    device: torch.device,
    num_rounds: int = 7,
    kernels: Mapping[str, tuple[KernelCost, ...]] | None = None,
) -> list[LayerCost]:
    """The cost and the bound of every built-in layer that has blocks.

    Args:
        routed: on the device.
        paths: batches of paths, as they are measured elsewhere.
        bandwidth: of the memory where the blocks lie.
        kernels: the result of `measure_kernels`, if there is one.
    """
    batch_size = len(paths[0])
    in_segments = layers_in_cut_segments(routed, device.type)
    costs = []
    for node in routed.blueprint.train_graph.nodes:
        name = str(node.target)
        bucket = routed.plan.bucket_of(name)
        if node.op != "call_module" or bucket is None:
            continue
        config = routed.blueprint.layer_configs[name]
        layer, num_blocks = _layer(config, device), routed.plan.num_blocks[bucket]
        inputs = [_example(operand, batch_size, device) for operand in node.all_input_nodes]
        forward_s, both_s = _time_layer(layer, inputs, device, num_rounds)
        block_bytes = sum(p.numel() * p.element_size() for p in layer.parameters())
        present = sum(len(batch[:, bucket].unique()) for batch in paths) / len(paths)
        reading, writing = present * block_bytes / bandwidth.read, present * block_bytes / bandwidth.write
        costs.append(
            LayerCost(
                name=name,
                kind=config.kind,
                bucket=routed.plan.buckets[bucket].name,
                kernel=kernel_of(node, config, num_blocks, device.type),
                is_in_segment=num_blocks > 1 and name in in_segments,
                sample_shape=tuple(inputs[0].shape[1:]),
                block_bytes=block_bytes,
                num_present=present,
                forward_s=forward_s,
                both_s=both_s,
                bound_forward_s=max(forward_s, reading),
                bound_both_s=max(both_s, 2 * reading + writing),
                kernels=(kernels or {}).get(name, ()),
            )
        )
    return costs


def _example(operand: fx.Node, batch_size: int, device: torch.device) -> Tensor:
    """A batch such as the node gives: normal noise, or zeros for whole numbers such as labels."""
    sizes = [factor * batch_size + rest for factor, rest in operand.meta["shape"]]
    dtype = operand.meta["dtype"]
    if not dtype.is_floating_point:
        return torch.zeros(sizes, dtype=dtype, device=device)
    return torch.randn(sizes, dtype=dtype, device=device).requires_grad_()


def _layer(config: LayerConfig, device: torch.device) -> nn.Module:
    """A plain layer with values that are no extremes: what it computes does not matter."""
    layer = build_layer(config).to_empty(device=device)
    for tensor in (*layer.parameters(), *layer.buffers()):
        nn.init.normal_(tensor, std=0.02) if tensor.is_floating_point() else nn.init.zeros_(tensor)
    return layer


def _time_layer(
    layer: nn.Module, inputs: Sequence[Tensor], device: torch.device, num_rounds: int
) -> tuple[float, float]:
    """Seconds of a pass, and of a pass with gradients, of a plain layer."""

    def forward() -> None:
        with torch.no_grad():
            layer(*inputs)

    def both() -> None:
        for tensor in (*inputs, *layer.parameters()):
            tensor.grad = None
        result = layer(*inputs)
        result.backward(torch.ones_like(result))

    timings = run_in_turn({"forward": forward, "both": both}, num_rounds=num_rounds, device=device)
    return timings["forward"].median_s, timings["both"].median_s
