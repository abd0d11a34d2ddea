"""A product of kernels does what the two layers do one after the other, at the border too, or is refused."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor, nn

from rpganify.conversion.known import build_layer, layer_config
from rpganify.surgery.merging.kernel_layers import kernel_of_layer, kernel_of_upsampling, layer_of, norm_of
from rpganify.surgery.merging.kernels import Kernel, NoOneLayerError, kernel_product, scaled

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


def kernel(name: str, layer: nn.Module, x: Tensor, y: Tensor) -> Kernel:
    tensors = {key: value.detach()[None] for key, value in [*layer.named_parameters(), *layer.named_buffers()]}
    return kernel_of_layer(name, layer_config(layer), tensors, tuple(zip(x.shape[2:], y.shape[2:], strict=True)))


def layer(made: Kernel) -> nn.Module:
    config, weight, bias = layer_of(made)
    plain = build_layer(config).to_empty(device="cpu").double()
    plain.load_state_dict({"weight": weight[0]} | ({} if bias is None else {"bias": bias[0]}))
    return plain


def product(first: nn.Module, second: nn.Module, size: tuple[int, ...]) -> tuple[nn.Module, float]:
    """The one layer, and by how much it differs from both on random maps of 2 channels."""
    first, second = first.double(), second.double()
    x = torch.randn(2, 2, *size, dtype=torch.float64)
    with torch.no_grad():
        y = first(x)
        z = second(y)
        one = layer(kernel_product(kernel("first", first, x, y), kernel("second", second, y, z)))
        found = one(x)
    assert found.shape == z.shape
    return one, float((found - z).abs().max())


def random_layer(chance: random.Random, channels: int, dimensions: int) -> nn.Module:
    def each(*values: int) -> tuple[int, ...]:
        return tuple(chance.choice(values) for _ in range(dimensions))

    groups, bias, width = chance.choice([1, 1, 2]), chance.random() < 0.4, chance.choice([2, 4])
    if chance.random() < 0.5:
        mode = chance.choice(["zeros", "zeros", "zeros", "reflect", "circular", "replicate"])
        sizes = (each(1, 1, 2, 3, 4), each(1, 1, 2), each(0, 0, 1, 2), each(1, 1, 2))
        return CONVOLUTIONS[dimensions](channels, width, *sizes, groups, bias, mode)
    return TRANSPOSED[dimensions](
        channels, width, each(1, 1, 2, 3, 4), each(1, 1, 2), each(0, 0, 1), each(0, 0, 1), groups, bias, each(1, 1, 2)
    )


@pytest.mark.parametrize("seed", range(3))
def test_random_pairs_of_layers_are_one_layer_or_refused(seed: int) -> None:
    chance, exact, refused = random.Random(seed), 0, 0
    torch.manual_seed(seed)
    for _ in range(150):
        dimensions = chance.choice([1, 1, 2])
        size = tuple(chance.choice([1, 4, 5, 6]) for _ in range(dimensions))
        first = random_layer(chance, 2, dimensions)
        try:
            second = random_layer(chance, first.double()(torch.zeros(1, 2, *size).double()).shape[1], dimensions)
            second.double()(first(torch.zeros(1, 2, *size).double()))
        except (RuntimeError, ValueError):
            continue  # torch has no such layer, or not for maps of that size
        try:
            _, difference = product(first, second, size)
        except NoOneLayerError:
            refused += 1
            continue
        assert difference < 1e-12, (size, first, second)  # sums in another order
        exact += 1
    assert exact > 20 and refused > 20


@pytest.mark.parametrize(
    ("first", "second", "made"),
    [
        (nn.Conv2d(2, 5, 1), nn.Conv2d(5, 3, 1), {"kernel_size": [1, 1]}),
        (nn.Conv2d(2, 5, 3, padding=1), nn.Conv2d(5, 3, 1), {"kernel_size": [3, 3], "padding": [1, 1]}),
        (nn.Conv2d(2, 5, 1, bias=False), nn.Conv2d(5, 3, 3, padding=1), {"kernel_size": [3, 3], "padding": [1, 1]}),
        (nn.Conv2d(2, 5, 3, padding=2), nn.Conv2d(5, 3, 3), {"kernel_size": [5, 5], "padding": [2, 2]}),
        (nn.Conv2d(2, 5, 3, padding=2, bias=False), nn.Conv2d(5, 3, 3, padding=1), {"kernel_size": [5, 5]}),
        (nn.Conv2d(2, 5, 3, stride=2), nn.Conv2d(5, 3, 2), {"kernel_size": [5, 5], "stride": [2, 2]}),
        (nn.Conv2d(2, 5, 3, dilation=2), nn.Conv2d(5, 3, 2, dilation=4), {"kernel_size": [5, 5], "dilation": [2, 2]}),
        (nn.Conv2d(2, 4, 3, groups=2), nn.Conv2d(4, 4, 1, groups=4), {"groups": 2}),
        (nn.Conv2d(2, 5, 3, padding="same"), nn.Conv2d(5, 3, 1), {"padding": [1, 1]}),
        (nn.Conv2d(2, 5, 3, padding=1, padding_mode="reflect"), nn.Conv2d(5, 3, 2), {"padding_mode": "reflect"}),
        (nn.Conv2d(2, 5, 1), nn.Conv2d(5, 3, 3, padding=1, padding_mode="circular"), {"padding_mode": "circular"}),
        (nn.ConvTranspose2d(2, 5, 4, 2, 1), nn.Conv2d(5, 3, 1), {"kernel_size": [4, 4], "stride": [2, 2]}),
        (nn.Conv2d(2, 5, 1, bias=False), nn.ConvTranspose2d(5, 3, 4, 2, 1), {"kernel_size": [4, 4], "stride": [2, 2]}),
        (nn.ConvTranspose2d(2, 5, 2, 2, bias=False), nn.Conv2d(5, 3, 3, padding=1), {"kernel_size": [4, 4]}),
        (nn.ConvTranspose2d(2, 5, 2, 2, bias=False), nn.ConvTranspose2d(5, 3, 3, 3), {"stride": [6, 6]}),
    ],
)
def test_these_pairs_are_one_layer(first: nn.Module, second: nn.Module, made: dict[str, object]) -> None:
    one, difference = product(first, second, (9, 10))
    assert difference < 1e-12
    config = layer_config(one).config
    assert {key: config[key] for key in made} == made


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            nn.Conv2d(2, 5, 3, padding=1, bias=False), nn.Conv2d(5, 3, 3, padding=1),
            "second finds zeros beyond the border of the map behind first, where one kernel would go on",
        ),
        (
            nn.ConvTranspose2d(2, 5, 4, 2, 1, bias=False), nn.ConvTranspose2d(5, 3, 4, 2, 1),
            "second finds zeros beyond the border",
        ),
        (nn.Conv2d(2, 5, 1), nn.Conv2d(5, 3, 3, padding=1), "a bias or a norm's shift of first is .* at the border"),
        (nn.Conv2d(2, 5, 1), nn.ConvTranspose2d(5, 3, 3, 2), "a bias or a norm's shift of first"),
        (nn.Conv2d(2, 5, 3, stride=2), nn.ConvTranspose2d(5, 3, 2, 2), "second enlarges a map again of which first left"),
        (nn.ConvTranspose2d(2, 5, 3, 2), nn.Conv2d(5, 3, 3, 2), "first and second enlarge the map and leave places out"),
        (
            nn.Conv2d(2, 5, 3, padding=1), nn.Conv2d(5, 3, 3, padding=1, padding_mode="reflect"),
            "second pads the map behind first by reflect",
        ),
        (
            nn.Conv2d(2, 5, 3, padding=1, padding_mode="circular"), nn.Conv2d(5, 3, 3, padding=1),
            r"second pads the map behind first with zeros, .* padded before \(circular\)",
        ),
    ],
)  # fmt: skip
def test_these_pairs_are_no_one_layer(first: nn.Module, second: nn.Module, message: str) -> None:
    with pytest.raises(NoOneLayerError, match=message):
        product(first, second, (6, 7))


def test_a_pair_that_is_refused_at_the_border_is_one_layer_away_from_it() -> None:
    """So what is refused is the border, and no more than it."""
    first, second = nn.Conv2d(2, 5, 3, padding=1, bias=False).double(), nn.Conv2d(5, 3, 3, padding=1).double()
    x = torch.randn(1, 2, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        both = second(first(x))
        first.padding = second.padding = (0, 0)
        one, _ = product(first, second, (9, 9))
        padded = one(torch.nn.functional.pad(x, (2, 2, 2, 2)))
    torch.testing.assert_close(padded[..., 1:-1, 1:-1], both[..., 1:-1, 1:-1], rtol=0, atol=1e-12)
    assert (padded - both).abs().max() > 1e-3


def test_zeros_as_a_bias_are_in_nobodys_way() -> None:
    first = nn.Conv2d(2, 5, 1)
    nn.init.zeros_(first.bias)
    one, difference = product(first, nn.Conv2d(5, 3, 3, padding=1), (4, 4))
    assert difference < 1e-12 and layer_config(one).config["bias"]


def test_upsampling_is_a_kernel_and_passes_a_bias_on() -> None:
    first = nn.Conv2d(2, 3, 1).double()
    x = torch.randn(2, 2, 4, 5, dtype=torch.float64)
    with torch.no_grad():
        y = first(x)
        z = torch.nn.functional.interpolate(y, scale_factor=(2, 3))
        sizes = tuple(zip(y.shape[2:], z.shape[2:], strict=True))
        up = kernel_of_upsampling("up", 3, sizes, torch.device("cpu"))
        one = layer(kernel_product(kernel("first", first, x, y), up))
        torch.testing.assert_close(one(x), z, rtol=0, atol=1e-13)
    assert isinstance(one, nn.ConvTranspose2d) and one.stride == (2, 3) and one.kernel_size == (2, 3)


@pytest.mark.parametrize("affine", [True, False])
def test_a_norm_scales_a_kernel_and_is_one(affine: bool) -> None:
    norm = nn.BatchNorm2d(2, affine=affine).double()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    norm.eval()
    before, behind = nn.Conv2d(2, 2, 3).double(), nn.Conv2d(2, 4, 3).double()
    x = torch.randn(2, 2, 6, 6, dtype=torch.float64)
    tensors = {key: value.detach()[None] for key, value in [*norm.named_parameters(), *norm.named_buffers()]}
    with torch.no_grad():
        y = before(x)
        made = scaled(kernel("before", before, x, y), "norm", *norm_of(layer_config(norm), tensors))
        torch.testing.assert_close(layer(made)(x), norm(y), rtol=0, atol=1e-12)
        made = kernel_product(kernel("norm", norm, x, x), kernel("behind", behind, x, behind(x)))
        torch.testing.assert_close(layer(made)(x), behind(norm(x)), rtol=0, atol=1e-12)


def test_layers_of_another_number_of_axes_do_not_fit() -> None:
    dense = kernel_of_layer("l1", layer_config(nn.Linear(2, 2)), {"weight": torch.ones(1, 2, 2).double()}, ())
    x = torch.zeros(1, 2, 4, 4).double()
    conv = kernel("conv", nn.Conv2d(2, 2, 1).double(), x, x)
    with pytest.raises(NoOneLayerError, match="conv does not take the results of l1 as they are"):
        kernel_product(dense, conv)
