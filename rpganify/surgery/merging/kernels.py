"""Weights and biases of linear layers and convolutions that follow each other, multiplied where that is exact."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rpganify.errors import ConversionError
from rpganify.surgery.merging.axes import Axis, is_cut, product_of, stays_inside


class NoOneLayerError(ConversionError):
    """Layers are not one layer of their kind; the message says why, as part of a sentence. It does not leave merging."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A linear layer, a convolution, a transposed one, a batch norm or an upsampling, or several of them as one.

    Args:
        name: of the layers, for messages.
        weight: float64 `(num_products or 1, out, in, *taps)`, taps by rising offset; zeros between groups.
        bias: float64 `(num_products or 1, out)`; None if there is none, which is not the same as zeros for what follows.
        axes: one per axis of the map; none of a layer of single vectors.
        groups: of the channels, as of a convolution.
        padding_mode: what stands beyond the border; "zeros" also where nothing is read there.
    """

    name: str
    weight: Tensor
    bias: Tensor | None
    axes: tuple[Axis, ...] = ()
    groups: int = 1
    padding_mode: str = "zeros"


def kernel_product(first: Kernel, second: Kernel) -> Kernel:
    """What `second`, a single layer, makes of the results of `first`, as one.

    Raises:
        NoOneLayerError: no one layer does that, at the border or anywhere.
    """
    if len(first.axes) != len(second.axes) or first.weight.shape[1] != second.weight.shape[2]:
        raise NoOneLayerError(f"{second.name} does not take the results of {first.name} as they are")
    pairs = list(zip(first.axes, second.axes, strict=True))
    products = [found for one, two in pairs if (found := product_of(one, two)) is not None]
    if len(products) < len(pairs):
        raise NoOneLayerError(
            f"{second.name} enlarges a map again of which {first.name} left places out by a stride, which no one kernel does"
        )
    is_inside = all(stays_inside(one, two) for one, two in pairs)
    if second.padding_mode != "zeros" and not all(axis.is_pointwise for axis in first.axes):
        raise NoOneLayerError(
            f"{second.name} pads the map behind {first.name} by {second.padding_mode}, with values that no kernel makes"
        )
    if first.padding_mode != "zeros" and not is_inside:
        raise NoOneLayerError(
            f"{second.name} pads the map behind {first.name} with zeros, and one kernel would go on there with what is padded "
            f"before ({first.padding_mode})"
        )
    if any(is_cut(one, two) for one, two in pairs):
        raise NoOneLayerError(
            f"{second.name} finds zeros beyond the border of the map behind {first.name}, where one kernel would go on with "
            "what is not zero"
        )
    modes = (first.padding_mode, second.padding_mode)
    return Kernel(
        f"{first.name} and {second.name}",
        _weight_product(first, second, [(one.first_step, one.second_step) for one in products]),
        _bias_behind(first, second, is_inside or second.padding_mode != "zeros"),
        tuple(product.axis for product in products),
        math.gcd(first.groups, second.groups),
        next((mode for mode in modes if mode != "zeros"), "zeros"),
    )


def scaled(kernel: Kernel, name: str, scale: Tensor, shift: Tensor) -> Kernel:
    """What a norm makes of a kernel's results: each channel times a number, and another added; `(P, out)` both."""
    weight = kernel.weight * scale.unflatten(1, (-1, *(1 for _ in kernel.weight.shape[2:])))
    bias = shift if kernel.bias is None else kernel.bias * scale + shift
    return replace(kernel, name=f"{kernel.name} and {name}", weight=weight, bias=bias)


def _bias_behind(first: Kernel, second: Kernel, is_padded_alike: bool) -> Tensor | None:
    """The bias of both, if that of the first comes out the same at every place.

    Raises:
        NoOneLayerError: it does not.
    """
    if first.bias is None:
        return second.bias
    sums = _sums_by_phase(second)  # (P, out, in, phases)
    if first.bias.any() and not (is_padded_alike and bool((sums == sums[..., :1]).all())):
        raise NoOneLayerError(
            f"a bias or a norm's shift of {first.name} is the same at all places, and behind {second.name} no longer: fewer "
            "taps meet it at the border, or others between"
        )
    behind = (sums[..., 0] @ first.bias[..., None])[..., 0]
    return behind if second.bias is None else behind + second.bias


def _sums_by_phase(kernel: Kernel) -> Tensor:
    """The taps that meet in one result, summed up: `(P, out, in, phases)`; enlarging makes results of several kinds."""
    weight = kernel.weight
    for number, axis in enumerate(kernel.axes, 3):
        phases = [[i for i, o in enumerate(axis.offsets) if o % axis.up == phase] for phase in range(axis.up)]
        parts = [
            weight.index_select(number, torch.tensor(taps, dtype=torch.int64, device=weight.device)) for taps in phases
        ]
        weight = torch.stack([part.sum(dim=number) for part in parts], dim=number)
    return weight.flatten(3) if kernel.axes else weight[..., None]


def _weight_product(first: Kernel, second: Kernel, steps: Sequence[tuple[int, int]]) -> Tensor:
    """The weight `(P, out, in, *taps)` of both: each tap of the second meets all of the first, shifted.

    Args:
        steps: along each axis, taps of the product between two of the first's, and of the second's.
    """
    one, two = first.weight, second.weight
    sizes = list(zip(one.shape[3:], two.shape[3:], steps, strict=True))
    extents = [1 + near * (a - 1) + far * (b - 1) for a, b, (near, far) in sizes]
    made = one.new_zeros(max(len(one), len(two)), two.shape[1], one.shape[2], *extents)
    flat = one.flatten(2)  # (P, between, in * taps)
    for place in itertools.product(*map(range, two.shape[3:])):
        tap: tuple[Any, ...] = (..., *place)
        here = two[tap]  # (P, out, between)
        # A norm or an upsampling leaves channels apart, and a product of whole matrices would take seconds.
        part = here.diagonal(dim1=1, dim2=2)[..., None] * flat if _is_diagonal(second) else here @ flat
        where: tuple[Any, ...] = (
            ...,
            *(
                slice(at * far, at * far + near * (a - 1) + 1, near)
                for at, (a, _, (near, far)) in zip(place, sizes, strict=True)
            ),
        )
        made[where] += part.unflatten(2, one.shape[2:])
    return made


def _is_diagonal(kernel: Kernel) -> bool:
    return kernel.groups == kernel.weight.shape[1] == kernel.weight.shape[2]
