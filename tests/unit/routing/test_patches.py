"""Patches are taken and summed as by torch's unfold and fold, and each is the other's derivative."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rpganify.conversion.known import layer_config
from rpganify.routing.patches import Geometry, patches, summed

LAYERS = {
    "3x3": (nn.Conv2d(2, 2, 3, padding=1), (5, 4)),
    "a stride that leaves pixels over": (nn.Conv2d(2, 2, 2, stride=3), (6, 7)),
    "uneven": (nn.Conv2d(2, 2, (3, 2), stride=(2, 1), padding=(2, 0), dilation=(1, 3)), (6, 5)),
    "a padding as wide as its picture": (nn.Conv2d(2, 2, 3, padding=2), (1, 2)),
    "transposed": (nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1), (3, 4)),
    "transposed, with pixels that nothing reaches": (nn.ConvTranspose2d(2, 2, 2, stride=3, output_padding=2), (2, 3)),
    "transposed, uneven": (
        nn.ConvTranspose2d(2, 2, (3, 4), stride=(2, 3), padding=(1, 4), output_padding=(1, 2), dilation=(2, 1)),
        (3, 4),
    ),
    "transposed, one place": (nn.ConvTranspose2d(2, 2, (3, 4)), (1, 1)),
}


def case(name: str) -> tuple[Geometry, dict[str, tuple[int, int]], Tensor, Tensor]:
    """The geometry, torch's options for it, a picture, and parts of it."""
    layer, size = LAYERS[name]
    geometry = Geometry.of(layer_config(layer), size)
    options = {
        "kernel_size": geometry.kernel,
        "dilation": geometry.dilation,
        "padding": geometry.padding,
        "stride": geometry.stride,
    }
    draws = torch.Generator().manual_seed(0)
    picture = torch.randn(2, 3, *geometry.pixels, generator=draws, dtype=torch.float64)
    parts = torch.randn(2, *geometry.places, *geometry.kernel, 3, generator=draws, dtype=torch.float64)
    return geometry, options, picture.requires_grad_(), parts.requires_grad_()


def as_torch_has_them(parts: Tensor) -> Tensor:
    """`(N, h, w, k, k, C)` -> `(N, C·k·k, h·w)`."""
    return parts.permute(0, 5, 3, 4, 1, 2).flatten(1, 3).flatten(2)


@pytest.mark.parametrize("name", LAYERS)
def test_the_geometry_of_a_layer_gives_the_size_of_its_result(name: str) -> None:
    layer, size = LAYERS[name]
    geometry = Geometry.of(layer_config(layer), size)
    result = tuple(layer(torch.zeros(1, 2, *size)).shape[2:])
    places, pixels = (result, size) if isinstance(layer, nn.Conv2d) else (size, result)
    assert (geometry.places, geometry.pixels) == (places, pixels)


@pytest.mark.parametrize("name", LAYERS)
def test_patches_are_those_of_unfold(name: str) -> None:
    geometry, options, picture, _ = case(name)
    expected = F.unfold(picture, **options)
    torch.testing.assert_close(as_torch_has_them(patches(picture, geometry)), expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", LAYERS)
def test_parts_are_summed_as_by_fold(name: str) -> None:
    geometry, options, _, parts = case(name)
    expected = F.fold(as_torch_has_them(parts), geometry.pixels, **options)
    torch.testing.assert_close(summed(parts, geometry), expected)


@pytest.mark.parametrize("name", LAYERS)
def test_derivatives_of_first_and_second_order_are_right(name: str) -> None:
    geometry, _, picture, parts = case(name)
    assert torch.autograd.gradcheck(lambda x: patches(x, geometry), picture)
    assert torch.autograd.gradcheck(lambda x: summed(x, geometry), parts)
    assert torch.autograd.gradgradcheck(lambda x: patches(x, geometry), picture)
    assert torch.autograd.gradgradcheck(lambda x: summed(x, geometry), parts)


def test_pictures_are_summed_up_channels_last() -> None:
    geometry, _, _, parts = case("transposed")
    assert summed(parts, geometry).is_contiguous(memory_format=torch.channels_last)
