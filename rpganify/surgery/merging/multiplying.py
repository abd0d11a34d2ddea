"""A chain of linear steps -> one layer, its weights and biases for each choice of blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.errors import ConversionError
from rpganify.routing.blueprint import LayerConfig
from rpganify.surgery.merging.chain import Chain, Step
from rpganify.surgery.merging.kernel_layers import kernel_of_layer, kernel_of_upsampling, layer_of, norm_of
from rpganify.surgery.merging.kernels import Kernel, NoOneLayerError, kernel_product, scaled
from rpganify.surgery.merging.matrices import matrices_of, matrix_size, through
from rpganify.surgery.merging.tensors import ChosenTensors

# A matrix over a whole map may have so many times the values of the layers in its place. Of a dense layer of 128 values
# and the convolution behind it it has about twice; of two convolutions of 64 channels over 16×16 places, 3600 times.
MAX_TIMES = 8


@dataclass(frozen=True, slots=True)
class Product:
    """One layer in the place of a chain.

    Args:
        layer: its kind and constructor values.
        weight, bias: with the products first; no bias if none of the layers adds anything.
        shape_out: of one sample of its result.
        is_flat: whether it takes and gives all values of a sample as one vector.
        kept: places in the chain of steps that stay, behind the layer: upsampling.
    """

    layer: LayerConfig
    weight: Tensor
    bias: Tensor | None
    shape_out: tuple[int, ...]
    is_flat: bool = False
    kept: tuple[int, ...] = ()

    @property
    def num_values(self) -> int:
        """Numbers in one product."""
        return self.weight[0].numel() + (0 if self.bias is None else self.bias[0].numel())


def multiplied(chain: Chain, chosen: ChosenTensors, dtype: torch.dtype) -> Product:
    """The layer that stands for a chain, for each choice of blocks; computed in float64.

    A layer of the same kind where kernels multiply exactly, borders included; else, where it is not too large, a matrix
    over all values of a sample.

    Args:
        chain: of the model that `chosen` is of.
        chosen: blocks, and the tensors of the chain's layers.
        dtype: that the model has.
    Raises:
        ConversionError: no such layer is exact, and a matrix would be too large.
    """
    try:
        return _kernel_of_chain(chain, chosen)
    except NoOneLayerError as error:
        reason = str(error)
    names = f"{chain.layers[0]} to {chain.layers[-1]}"
    if not all(step.has_samples for step in chain.steps):
        raise ConversionError(
            f"{names} are no one layer: {reason}. They are no matrix over each sample either, as the samples are not the "
            "first axis there. Merge buckets on one side of it."
        )
    rows, columns = matrix_size(chain)
    before = sum(chosen.num_values(layer) for layer in chain.layers)
    if rows * columns > MAX_TIMES * before:
        raise ConversionError(
            f"{names} are no one layer of their kind: {reason}. As a matrix over all values of a sample they would have "
            f"{rows:,} × {columns:,}, {rows * columns / before:,.0f} times the {before:,} that they have, and {MAX_TIMES} "
            "times is the limit. Kernels multiply exactly where the later layer pads nothing, or where those before it are 1×1 "
            "and add nothing: merge such buckets only, or train a generator that is so."
        )
    weight, bias = matrices_of(chain, chosen, dtype)
    config = LayerConfig("Linear", {"in_features": columns, "out_features": rows, "bias": True})
    return Product(config, weight, bias, (rows,), is_flat=True)


def _kernel_of_chain(chain: Chain, chosen: ChosenTensors) -> Product:
    """As one layer of the same kind.

    Raises:
        NoOneLayerError: that is not exact.
    """
    steps = [step for step in chain.steps if not step.does_nothing]
    kept = _upsampling_to_keep(steps)
    made: Kernel | None = None
    shape: tuple[int, ...] = steps[0].shape_in
    for index, step in enumerate(steps):
        if index in kept:
            continue
        # What is moved before an upsampling sees the smaller map.
        sizes = _sizes(step, shape[1:] if kept and index > min(kept) else None)
        if (
            made is not None
            and step.layer is not None
            and "BatchNorm" in step.layer.kind
            and len(sizes) == len(made.axes)
        ):
            made = scaled(made, step.name, *norm_of(step.layer, chosen.of_layer(step.name)))
            continue
        kernel = _kernel_of(step, sizes, chosen)
        made = kernel if made is None else kernel_product(made, kernel)
        shape = (made.weight.shape[1], *(axis.num_out for axis in made.axes)) if made.axes else step.shape_out
    assert made is not None
    layer, weight, bias = layer_of(made)
    count = chosen.num_products
    weight = weight.expand(count, *weight.shape[1:]).contiguous()
    bias = None if bias is None else bias.expand(count, -1).contiguous()
    return Product(layer, weight, bias, shape, kept=tuple(chain.steps.index(steps[index]) for index in kept))


def _upsampling_to_keep(steps: Sequence[Step]) -> list[int]:
    """The upsampling steps that nothing but pointwise layers follow; those may as well come before, on smaller maps."""
    kept: list[int] = []
    for index in reversed(range(len(steps))):
        if _is_upsampling(steps[index]):
            kept.insert(0, index)
        elif not _is_pointwise(steps[index]):
            break
    return kept


def _is_upsampling(step: Step) -> bool:
    """Whether it repeats every value a whole number of times along each axis."""
    if step.layer is not None or step.name not in ("interpolate", "upsample"):
        return False
    probe = torch.arange(math.prod(step.shape_in[1:]), dtype=torch.float64).view(1, 1, *step.shape_in[1:])
    repeated = probe
    for axis, (num_in, num_out) in enumerate(zip(step.shape_in[1:], step.shape_out[1:], strict=True), 2):
        if num_out % num_in:
            return False
        repeated = repeated.repeat_interleave(num_out // num_in, dim=axis)
    # A scale that is no whole number may repeat some values more often than others.
    return torch.equal(through(step, probe, {}), repeated)


def _is_pointwise(step: Step) -> bool:
    if step.layer is None or not step.has_samples:
        return False
    if "BatchNorm" in step.layer.kind:
        return True
    settings = [step.layer.config.get(key, ()) for key in ("kernel_size", "stride", "padding")]
    flat = [[one] if isinstance(one, (int, str)) else list(one) for one in settings]
    is_plain = step.layer.kind.startswith("Conv") and "Transpose" not in step.layer.kind
    return is_plain and set(flat[0]) == set(flat[1]) == {1} and set(flat[2]) <= {0, "valid", "same"}


def _sizes(step: Step, spatial: tuple[int, ...] | None) -> tuple[tuple[int, int], ...]:
    """Places along each axis of the map, before and behind a step; `spatial` in place of both."""
    if step.layer is not None and step.layer.kind == "Linear":
        return ()
    if spatial is not None:
        return tuple((size, size) for size in spatial)
    return tuple(zip(step.shape_in[1:], step.shape_out[1:], strict=False))


def _kernel_of(step: Step, sizes: tuple[tuple[int, int], ...], chosen: ChosenTensors) -> Kernel:
    """One step as a kernel.

    Raises:
        NoOneLayerError: it is none.
    """
    if step.layer is not None:
        if step.layer.kind != "Linear" and not step.has_samples:
            raise NoOneLayerError(f"{step.name} does not have the samples first")
        return kernel_of_layer(step.name, step.layer, chosen.of_layer(step.name), sizes)
    if _is_upsampling(step):
        return kernel_of_upsampling(step.name, step.shape_in[0], sizes, chosen.device)
    if step.name in ("interpolate", "upsample"):
        raise NoOneLayerError(f"{step.name} makes values between the map's places")
    raise NoOneLayerError(f"{step.name} gives the values another shape")
