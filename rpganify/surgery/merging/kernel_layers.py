"""Built-in layers as kernels, and kernels as built-in layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rpganify.routing.blueprint import LayerConfig
from rpganify.surgery.merging.axes import Axis, layout_of
from rpganify.surgery.merging.kernels import Kernel, NoOneLayerError


def kernel_of_layer(
    name: str, layer: LayerConfig, tensors: Mapping[str, Tensor], sizes: tuple[tuple[int, int], ...]
) -> Kernel:
    """A layer as a kernel.

    Args:
        name: for messages.
        layer: Linear, a convolution, a transposed one, or a batch norm with running statistics.
        tensors: its own, by their names in it, float64, `(num_products or 1, ...)`.
        sizes: places of input and result along each axis of the map; none for Linear.
    """
    config, bias = layer.config, tensors.get("bias")
    if layer.kind == "Linear":
        return Kernel(name, tensors["weight"], bias)
    if layer.kind.startswith("BatchNorm"):
        scale, shift = norm_of(layer, tensors)
        weight = torch.diag_embed(scale)[(..., *(None for _ in sizes))]
        return Kernel(name, weight, shift, tuple(Axis(1, 1, 0, 1, 1, *size) for size in sizes), scale.shape[1])
    numbers = [_numbers(config[key], len(sizes)) for key in ("kernel_size", "stride", "dilation")]
    padding = _padding_before(config["padding"], numbers[0], numbers[2])
    settings = list(zip(*numbers, padding, sizes, strict=True))
    if layer.kind.startswith("ConvTranspose"):
        # Taps of a transposed convolution go the other way, and its weight has the inputs first.
        weight = _spread(tensors["weight"], config["groups"], is_transposed=True).flip(*range(3, 3 + len(sizes)))
        axes = tuple(Axis(stride, 1, pad - gap * (k - 1), gap, k, *size) for k, stride, gap, pad, size in settings)
        return Kernel(name, weight, bias, axes, config["groups"])
    axes = tuple(Axis(1, stride, -pad, gap, k, *size) for k, stride, gap, pad, size in settings)
    is_padded = any(not 0 <= place < axis.num_in for axis in axes for place in axis.reads())
    weight = _spread(tensors["weight"], config["groups"], is_transposed=False)
    return Kernel(name, weight, bias, axes, config["groups"], config["padding_mode"] if is_padded else "zeros")


def kernel_of_upsampling(
    name: str, num_channels: int, sizes: tuple[tuple[int, int], ...], device: torch.device
) -> Kernel:
    """Nearest upsampling by whole numbers as a kernel: every value goes to as many places as it is repeated.

    Args:
        name: for messages.
        num_channels: of the map.
        sizes: places of input and result along each axis.
        device: that the weight is on.
    """
    factors = [num_out // num_in for num_in, num_out in sizes]
    axes = tuple(Axis(f, 1, 1 - f, 1, f, *size) for f, size in zip(factors, sizes, strict=True))
    identity = torch.eye(num_channels, dtype=torch.float64, device=device)
    weight = identity[(None, ..., *(None for _ in sizes))].expand(1, -1, -1, *factors)
    return Kernel(name, weight, None, axes, num_channels)


def norm_of(layer: LayerConfig, tensors: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """What a batch norm in eval mode multiplies each channel by, and then adds; `(num_products or 1, channels)` both."""
    scale = (tensors["running_var"] + layer.config["eps"]).rsqrt()
    if "weight" in tensors:
        scale = tensors["weight"] * scale
    shift = -scale * tensors["running_mean"]
    return scale, shift + tensors["bias"] if "bias" in tensors else shift


def layer_of(kernel: Kernel) -> tuple[LayerConfig, Tensor, Tensor | None]:
    """A built-in layer that does what a kernel does: its config, its weight with the products first, and its bias.

    Raises:
        NoOneLayerError: there is none.
    """
    weight, bias = kernel.weight, kernel.bias
    num_out, num_in = weight.shape[1:3]
    if not kernel.axes:
        features = {"in_features": num_in, "out_features": num_out, "bias": bias is not None}
        return LayerConfig("Linear", features), weight, bias
    is_transposed = any(axis.up > 1 for axis in kernel.axes)
    found = [layout_of(axis, is_transposed=is_transposed) for axis in kernel.axes]
    layouts = [layout for layout in found if layout is not None]
    if len(layouts) < len(found):
        raise NoOneLayerError(f"{kernel.name} enlarge the map and leave places out, which no one layer does")
    if is_transposed and kernel.padding_mode != "zeros":
        raise NoOneLayerError(
            f"{kernel.name} pad the map by {kernel.padding_mode} and enlarge it, which no one layer does"
        )
    added = [side for layout in reversed(layouts) for side in (layout.num_before, layout.num_after)]
    weight = torch.nn.functional.pad(weight, added)
    config: dict[str, Any] = {"in_channels": num_in, "out_channels": num_out}
    for key in ("kernel_size", "stride", "padding", "dilation"):
        config[key] = [getattr(layout, key) for layout in layouts]
    if is_transposed:
        config["output_padding"] = [layout.output_padding for layout in layouts]
        weight = weight.flip(*range(3, weight.dim()))
    weight = _narrowed(weight, kernel.groups, is_transposed=is_transposed)
    config |= {"groups": kernel.groups, "padding_mode": kernel.padding_mode, "bias": bias is not None}
    return LayerConfig(f"Conv{'Transpose' if is_transposed else ''}{len(layouts)}d", config), weight, bias


def _spread(weight: Tensor, groups: int, *, is_transposed: bool) -> Tensor:
    """A layer's weight as `(P, out, in, *taps)`, zeros between groups.

    Args:
        weight: of a convolution `(P, out, in / groups, *taps)`, of a transposed one `(P, in, out / groups, *taps)`.
    """
    parts = weight.unflatten(1, (groups, -1))  # (P, groups, out / groups, in / groups, *taps)
    parts = parts.transpose(2, 3) if is_transposed else parts
    square = torch.diag_embed(parts.movedim(1, -1)).movedim((-2, -1), (1, 3))
    spread: Tensor = square.flatten(3, 4).flatten(1, 2)
    return spread


def _narrowed(weight: Tensor, groups: int, *, is_transposed: bool) -> Tensor:
    """The way back of `_spread`."""
    square = weight.unflatten(2, (groups, -1)).unflatten(1, (groups, -1))
    parts = square.diagonal(dim1=1, dim2=3).movedim(-1, 1)
    narrowed: Tensor = (parts.transpose(2, 3) if is_transposed else parts).flatten(1, 2).contiguous()
    return narrowed


def _padding_before(padding: Any, sizes: Sequence[int], gaps: Sequence[int]) -> tuple[int, ...]:
    """Places that a convolution pads with before the first, along each axis."""
    if padding == "valid":
        return (0,) * len(sizes)
    if padding == "same":
        return tuple(gap * (size - 1) // 2 for size, gap in zip(sizes, gaps, strict=True))
    return _numbers(padding, len(sizes))


def _numbers(value: Any, count: int) -> tuple[int, ...]:
    return tuple(int(one) for one in value) if isinstance(value, (list, tuple)) else (int(value),) * count
