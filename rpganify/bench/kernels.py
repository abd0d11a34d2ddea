"""By which kernel the layers of a generator run, and how far its images are from those of another kernel."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, fx

from rpganify.conversion.samplewise import has_samples_first
from rpganify.routing.blueprint import LayerConfig
from rpganify.routing.generator import RandomPathGenerator
from rpganify.routing.kernels import choose_kernel, pinned_kernel
from rpganify.routing.segment import RoutedSegment

# Float32 images by any two kernels differ by no more than this part of their largest value.
TOLERANCE = 2e-4
SINGLE_BLOCK = "single block"


def kernel_of(node: fx.Node, layer: LayerConfig, num_blocks: int, device: str) -> str:
    """The name of the kernel that a layer's blocks run by; `single block` is the plain layer's own call.

    Args:
        node: the layer's call in the plain generator's graph.
        layer: kind and constructor values.
        num_blocks: of its bucket.
        device: type of the device.
    """
    if num_blocks == 1:
        return SINGLE_BLOCK
    if not all(has_samples_first(one) for one in (node, *node.all_input_nodes)):
        return "by-block"
    sample_shape = tuple(size for _, size in node.all_input_nodes[0].meta["shape"][1:])
    return choose_kernel(layer, sample_shape, device)


def layers_in_cut_segments(routed: RandomPathGenerator, device: str) -> set[str]:
    """Names of the layers that run block by block together with what stands around them."""
    segments = [one for one in routed.modules() if isinstance(one, RoutedSegment) and one.is_cut(device)]
    # A segment holds the blueprint's own descriptions of its layers; two layers may have equal ones.
    inside = {id(layer) for segment in segments for layer, _ in segment.content.layers}
    return {name for name, layer in routed.blueprint.layer_configs.items() if id(layer) in inside}


def kernel_difference(routed: RandomPathGenerator, paths: Tensor, conditions: Mapping[str, Tensor], seed: int) -> float:
    """How far images by the kernels that are in use are from the same with one call per block, relative to the largest.

    Running statistics are afterwards as they were.

    Args:
        paths: int64 `(N, num_buckets)`.
        conditions: the generator's further inputs.
        seed: of noise that it draws inside forward.
    """
    buffers = list(routed.buffers())
    before = [buffer.clone() for buffer in buffers]

    def images() -> Tensor:
        device = routed.Z.device
        with torch.no_grad():
            made = routed.images(paths, torch.Generator(device).manual_seed(seed), **conditions)
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)
        return made

    chosen = images()
    with pinned_kernel("by-block"):
        expected = images()
    largest = float(expected.abs().max())
    return float((chosen - expected).abs().max()) / largest if largest else 0.0
