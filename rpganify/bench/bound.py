"""The least that a routed pass can take: the plain generator's time, or that of reading the blocks' weights.

A routed generator does the plain one's arithmetic. Besides, it reads the weights of every distinct block of the batch,
twice for a pass with gradients, and writes as many numbers of gradient. So the bound of a layer is the larger of its
plain time and of those bytes over the memory's bandwidth; what is no layer of a bucket takes its plain time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rpganify.bench.timing import run_in_turn
from rpganify.conversion.known import build_layer
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator
from rpganify.routing.kernels import choose_kernel

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
        kernel: how its blocks are run.
        sample_shape: of its input.
        block_bytes: its parameters, of one block.
        num_present: distinct blocks in a batch, on average.
        forward_s, both_s: the plain layer's pass, and a pass with gradients.
        bound_forward_s, bound_both_s: the larger of that and of reading and writing the blocks.
    """

    name: str
    kind: str
    bucket: str
    kernel: str
    sample_shape: tuple[int, ...]
    block_bytes: int
    num_present: float
    forward_s: float
    both_s: float
    bound_forward_s: float
    bound_both_s: float


def measure_bandwidth(num_bytes: int, device: torch.device, num_rounds: int = 7) -> Bandwidth:
    """How fast this machine sums up, and fills, so many bytes."""
    size = min(max(num_bytes, _LEAST_BYTES), _MOST_BYTES)
    memory = torch.zeros(size // 4, device=device)
    timings = run_in_turn(
        {"read": memory.sum, "write": lambda: memory.fill_(1.0)}, num_rounds=num_rounds, device=device
    )
    return Bandwidth(size / timings["read"].median_s, size / timings["write"].median_s)


def measure_layers(
    plain: StandardGenerator,
    routed: RandomPathGenerator,
    paths: Sequence[Tensor],
    bandwidth: Bandwidth,
    device: torch.device,
    num_rounds: int = 7,
) -> list[LayerCost]:
    """The cost and the bound of every built-in layer that has blocks.

    Args:
        plain, routed: one generator in both forms.
        paths: batches of paths, as they are measured elsewhere.
        bandwidth: of the memory where the blocks lie.
    """
    batch_size = len(paths[0])
    costs = []
    for node in routed.blueprint.train_graph.nodes:
        name = str(node.target)
        bucket = routed.plan.bucket_of(name)
        if node.op != "call_module" or bucket is None:
            continue
        config = routed.blueprint.layer_configs[name]
        shape = node.all_input_nodes[0].meta["shape"]
        sizes = tuple(factor * batch_size + rest for factor, rest in shape)
        layer = build_layer(config).to_empty(device=device)
        for tensor in (*layer.parameters(), *layer.buffers()):
            nn.init.normal_(tensor, std=0.02) if tensor.is_floating_point() else nn.init.zeros_(tensor)
        forward_s, both_s = _time_layer(layer, sizes, node.all_input_nodes[0].meta["dtype"], device, num_rounds)
        block_bytes = sum(p.numel() * p.element_size() for p in layer.parameters())
        present = sum(len(batch[:, bucket].unique()) for batch in paths) / len(paths)
        reading, writing = present * block_bytes / bandwidth.read, present * block_bytes / bandwidth.write
        costs.append(
            LayerCost(
                name,
                config.kind,
                routed.plan.buckets[bucket].name,
                choose_kernel(config, sizes[1:], device.type),
                sizes[1:],
                block_bytes,
                present,
                forward_s,
                both_s,
                max(forward_s, reading),
                max(both_s, 2 * reading + writing),
            )
        )
    return costs


def _time_layer(
    layer: nn.Module, sizes: tuple[int, ...], dtype: torch.dtype, device: torch.device, num_rounds: int
) -> tuple[float, float]:
    """Seconds of a pass, and of a pass with gradients, of a plain layer."""
    x = torch.randn(sizes, dtype=dtype, device=device) if dtype.is_floating_point else torch.zeros(sizes, dtype=dtype)
    x = x.to(device).requires_grad_(dtype.is_floating_point)

    def forward() -> None:
        with torch.no_grad():
            layer(x)

    def both() -> None:
        for tensor in (x, *layer.parameters()):
            tensor.grad = None
        result = layer(x)
        result.backward(torch.ones_like(result))

    timings = run_in_turn({"forward": forward, "both": both}, num_rounds=num_rounds, device=device)
    return timings["forward"].median_s, timings["both"].median_s
