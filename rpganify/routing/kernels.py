"""The ways in which a layer's samples meet their blocks, and the choice among them.

Each is a function of the same contract, `(layer, route, x, tensors) -> result`, for a batch that is in the order of the
route; all give the same up to rounding. `choose_kernel` depends on the layer, the size of a sample and the device alone,
so that a training does the same arithmetic whenever it is repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from rpganify.errors import ConversionError
from rpganify.routing.blueprint import LayerConfig
from rpganify.routing.grouped import Groups, grouped_matmul
from rpganify.routing.layout import FEW_CHANNELS, rows_chosen
from rpganify.routing.patches import Geometry, pair, patches, summed
from rpganify.routing.routes import Route, is_channels_last

Kernel = Callable[[LayerConfig, Route, Tensor, Mapping[str, Tensor]], Tensor]

# Transposed convolutions of at most so many places are matrix products with little to fold.
_FEW_PLACES = 64

_pinned: ContextVar[str] = ContextVar("pinned_kernel", default="auto")


@contextmanager
def pinned_kernel(name: str) -> Iterator[None]:
    """Inside, layers run by one kernel wherever it applies to them; `auto` chooses by cost.

    Raises:
        ConversionError: there is no such kernel.
    """
    if name not in KERNEL_NAMES:
        raise ConversionError(f"There is no kernel {name!r}. The kernels are: {', '.join(KERNEL_NAMES)}.")
    token = _pinned.set(name)
    try:
        yield
    finally:
        _pinned.reset(token)


def choose_kernel(layer: LayerConfig, sample_shape: tuple[int, ...], device: str) -> str:
    """The name of the kernel that a layer runs by.

    Args:
        layer: kind and constructor values.
        sample_shape: of its input, without the batch axis.
        device: type of the device, `cpu` or `cuda`.
    """
    pinned = _pinned.get()
    if pinned != "auto":
        return pinned if pinned in KERNELS and _applies(pinned, layer, sample_shape) else "by-block"
    if _applies("gather", layer, sample_shape):
        return "gather"
    if layer.kind == "Linear":
        return "matmul"
    if _applies("project", layer, sample_shape) and layer.config["out_channels"] <= FEW_CHANNELS:
        return "project"
    is_small = math.prod(sample_shape[1:]) <= _FEW_PLACES
    if layer.kind == "ConvTranspose2d" and is_small and _applies("matmul", layer, sample_shape):
        return "matmul"
    if device == "cuda" and _applies("grouped", layer, sample_shape):
        # One launch per layer where a call per block would be one per block; the way of StyleGAN2's modulated
        # convolutions. Not measured: `rpganify bench --device cuda --kernel matmul` compares it with patches.
        return "grouped"
    return "by-block"


def is_pinned_to_layers() -> bool:
    """Whether a kernel is pinned that takes the whole batch through one layer after the other."""
    return _pinned.get() not in ("auto", "by-block")


def matmul(layer: LayerConfig, route: Route, x: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
    """One matrix product per block present, or one for all of them; convolutions by their patches."""
    weight, bias = tensors["weight"], tensors.get("bias")
    if layer.kind == "Linear":
        rows = math.prod(x.shape[1:-1])
        flat = grouped_matmul(x.reshape(-1, x.shape[-1]), weight.transpose(1, 2), Groups.of(route, rows))
        result = flat.view(*x.shape[:-1], weight.shape[1])
        return result if bias is None else result + _of_samples(bias, route, result.dim(), -1).to(result.dtype)
    geometry = Geometry.of(layer, tuple(x.shape[2:]))
    groups = Groups.of(route, math.prod(geometry.places))
    matrices = weight.movedim(2, -1).flatten(2)  # (m, A, k·k·B); a view where the weights lie channels last
    if layer.kind == "Conv2d":
        taken = patches(x, geometry).flatten(3).flatten(0, 2)  # (N·places, k·k·C)
        flat = grouped_matmul(taken, matrices.transpose(1, 2), groups)
        result = flat.view(len(x), *geometry.places, -1).movedim(-1, 1)
    else:
        flat = grouped_matmul(x.movedim(1, -1).flatten(0, 2), matrices, groups)
        result = summed(flat.view(len(x), *geometry.places, *geometry.kernel, -1), geometry)
    return result if bias is None else result + _of_samples(bias, route, 4, 1).to(result.dtype)


def project(layer: LayerConfig, route: Route, x: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
    """A convolution to few channels: first to what every place gives to its neighbours, then the sum of that.

    A product of small matrices per sample and one pass over the result, where a convolution would read the large input
    once per tap.
    """
    weight, bias = tensors["weight"], tensors.get("bias")
    geometry = Geometry.of(layer, tuple(x.shape[2:]))
    if layer.kind == "Conv2d":
        # Convolution as a transposed one: the taps turned round.
        weight = weight.flip(3, 4).transpose(1, 2)
        reaches = (d * (k - 1) for d, k in zip(geometry.dilation, geometry.kernel, strict=True))
        height, width = (reach - p for reach, p in zip(reaches, geometry.padding, strict=True))
        geometry = replace(geometry, places=geometry.pixels, pixels=geometry.places, padding=(height, width))
    chosen = row_per_sample(weight.flatten(3).flatten(2), route).to(x.dtype)  # (N, C, O·k·k)
    if is_channels_last(x):
        # In this order the gradient of x lies as x does.
        parts = torch.bmm(x.movedim(1, -1).flatten(1, 2), chosen).transpose(1, 2)  # (N, O·k·k, H·W)
    else:
        parts = torch.bmm(chosen.transpose(1, 2), x.flatten(2))
    result = _folded(parts, geometry)
    return result if bias is None else result + _of_samples(bias, route, 4, 1).to(result.dtype)


def grouped(layer: LayerConfig, route: Route, x: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
    """One grouped convolution with a group per sample, each with its block's weights."""
    weight, bias = (None if (stack := tensors.get(n)) is None else row_per_sample(stack, route) for n in _NAMES)
    assert weight is not None
    config = layer.config
    function: Callable[..., Tensor] = F.conv2d if layer.kind == "Conv2d" else F.conv_transpose2d
    options = {name: pair(config[name]) for name in ("stride", "padding", "dilation")}
    if layer.kind == "ConvTranspose2d":
        options["output_padding"] = pair(config["output_padding"])
    flat_bias = None if bias is None else bias.flatten()
    groups = len(x) * config["groups"]
    result = function(x.reshape(1, -1, *x.shape[2:]), weight.flatten(0, 1), flat_bias, groups=groups, **options)
    return result.view(len(x), -1, *result.shape[2:])


def gather(layer: LayerConfig, route: Route, x: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
    """One call for all samples, then each sample's own factors: for layers whose parameters are few."""
    weight, bias = tensors.get("weight"), tensors.get("bias")
    config = layer.config
    if layer.kind == "Embedding":
        assert weight is not None
        shifted = x + _blocks(route, x.device).view(-1, *(1,) * (x.dim() - 1)) * config["num_embeddings"]
        return F.embedding(shifted, weight.flatten(0, 1))
    if layer.kind == "PReLU":
        assert weight is not None
        slope = _of_samples(weight, route, x.dim(), 1) if x.dim() > 1 else row_per_sample(weight, route)[:, 0]
        return torch.where(x > 0, x, slope * x)
    if layer.kind == "LayerNorm":
        shape = tuple(config["normalized_shape"])
        result = F.layer_norm(x, shape, None, None, config["eps"])
        inner = (1,) * (x.dim() - 1 - len(shape))
        parts = [None if one is None else row_per_sample(one, route).view(-1, *inner, *shape) for one in (weight, bias)]
    else:
        if layer.kind == "GroupNorm":
            result = F.group_norm(x, config["num_groups"], None, None, config["eps"])
        else:
            result = F.instance_norm(x, eps=config["eps"])
        parts = [None if one is None else _of_samples(one, route, x.dim(), 1) for one in (weight, bias)]
    factor, offset = parts
    result = result if factor is None else result * factor
    return result if offset is None else result + offset


KERNELS: Mapping[str, Kernel] = {"matmul": matmul, "project": project, "grouped": grouped, "gather": gather}
KERNEL_NAMES = ("auto", "by-block", "layer-by-layer", *KERNELS)
_NAMES = ("weight", "bias")


def _applies(kernel: str, layer: LayerConfig, sample_shape: tuple[int, ...]) -> bool:
    """Whether a kernel can run a layer at all."""
    config = layer.config
    if kernel == "gather":
        if layer.kind.startswith("InstanceNorm"):
            return not config["track_running_stats"] and len(sample_shape) == int(layer.kind[-2]) + 1
        return layer.kind in ("LayerNorm", "GroupNorm", "PReLU") or (
            layer.kind == "Embedding" and config["padding_idx"] is None
        )
    if layer.kind == "Linear":
        return kernel == "matmul"
    if layer.kind not in ("Conv2d", "ConvTranspose2d") or len(sample_shape) != 3:
        return False
    is_plain = config["padding_mode"] == "zeros" and not isinstance(config["padding"], str)
    if kernel == "grouped":
        return is_plain and (layer.kind == "Conv2d" or config["groups"] == 1)
    if kernel == "project" and layer.kind == "Conv2d":
        reach = [d * (k - 1) for d, k in zip(pair(config["dilation"]), pair(config["kernel_size"]), strict=True)]
        is_inside = is_plain and all(p <= r for p, r in zip(pair(config["padding"]), reach, strict=True))
        return is_inside and config["groups"] == 1 and pair(config["stride"]) == (1, 1)
    return is_plain and config["groups"] == 1


def _folded(parts: Tensor, geometry: Geometry) -> Tensor:
    """What every place gives to its neighbours, `(N, O·k·k, places)`, summed up: `(N, O, H, W)`."""
    if geometry.is_one_place:
        return parts.reshape(len(parts), -1, *geometry.kernel)
    return F.fold(parts, geometry.pixels, geometry.kernel, geometry.dilation, geometry.padding, geometry.stride)


def row_per_sample(stack: Tensor, route: Route) -> Tensor:
    """Each sample's own row of a stack: `(m, ...)` -> `(N, ...)`."""
    return rows_chosen(stack, _blocks(route, stack.device))


def _blocks(route: Route, device: torch.device) -> Tensor:
    """Each sample's block, int64 `(N,)`; where all have equally many samples, made on the device."""
    if route.is_even:
        return torch.arange(route.num_blocks, device=device).repeat_interleave(route.counts[0])
    blocks = [block for block, count in zip(route.present, route.counts, strict=True) for _ in range(count)]
    return torch.tensor(blocks).to(device, non_blocking=True)


def _of_samples(stack: Tensor, route: Route, rank: int, axis: int) -> Tensor:
    """Each sample's own vector, `(m, C)`, along one axis of a batch of that rank."""
    shape = [1] * rank
    rows = row_per_sample(stack, route)
    shape[0], shape[axis] = len(rows), rows.shape[1]
    return rows.view(shape)
