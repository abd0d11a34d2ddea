"""The built-in discriminators: any image size, a score per image, and the slope that spectral norm promises."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rpganify.entries import DiscriminatorEntry
from rpganify.models.dcgan import dcgan_discriminator
from rpganify.models.mlp import mlp_discriminator
from rpganify.models.sngan_discriminator import DiscriminatorBlock, sngan_discriminator
from rpganify.registry import Registry, resolve

NAMES = ("sngan", "dcgan", "mlp")
SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 48, 48), (3, 64, 64), (3, 17, 40), (3, 128, 128)]


def discriminator(
    name: str, image_shape: tuple[int, int, int], spectral_norm: bool, channels: int | None = 16
) -> nn.Module:
    entry = Registry().get(DiscriminatorEntry, name)
    module = resolve(entry.factory)(image_shape=image_shape, spectral_norm=spectral_norm, channels=channels)
    assert isinstance(module, nn.Module)
    return module


def pictures(num: int, image_shape: tuple[int, ...]) -> Tensor:
    return torch.rand(num, *image_shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def weights(module: nn.Module) -> dict[str, Tensor]:
    """The weights in use, `(out, rest)` each."""
    layers = {name: m for name, m in module.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}
    return {name: layer.weight.detach().flatten(1) for name, layer in layers.items()}


@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize("image_shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_each_image_gets_one_score_that_its_neighbours_do_not_change(
    name: str, image_shape: tuple[int, int, int], spectral_norm: bool
) -> None:
    module = discriminator(name, image_shape, spectral_norm).eval()
    images = pictures(3, image_shape)
    scores = module(images)
    assert scores.shape == (3,)
    alone = torch.cat([module(image[None]) for image in images])
    # A batch of one may take another summation order; scores are of order 1.
    assert torch.allclose(scores, alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_and_the_image_receive_a_gradient(name: str) -> None:
    for spectral_norm in (False, True):
        module = discriminator(name, (3, 32, 32), spectral_norm)
        images = pictures(4, (3, 32, 32)).requires_grad_()
        module(images).sum().backward()
        assert images.grad is not None and images.grad.abs().sum() > 0
        for parameter_name, parameter in module.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("image_shape", [(1, 28, 28), (3, 64, 64)])
@pytest.mark.parametrize("name", NAMES)
def test_under_spectral_norm_no_weight_stretches_by_more_than_one(name: str, image_shape: tuple[int, int, int]) -> None:
    found = weights(discriminator(name, image_shape, spectral_norm=True).eval())
    for layer, weight in found.items():
        # Fifteen power iterations from a random start come close from below, so the norm is a little above one: up to 1.20
        # over thirty starts; without spectral norm these weights have 0.10 to 2.0.
        assert 0.99 < torch.linalg.matrix_norm(weight, 2).item() < 1.25, layer


def test_under_spectral_norm_the_mlp_s_score_changes_no_faster_than_the_image() -> None:
    module = discriminator("mlp", (1, 28, 28), spectral_norm=True).eval()
    images = pictures(8, (1, 28, 28)).requires_grad_()
    module(images).sum().backward()
    assert images.grad is not None
    assert images.grad.flatten(1).norm(dim=1).max() < 1.25**4  # four layers, each within 25 % of one


@pytest.mark.parametrize("name", NAMES)
def test_without_spectral_norm_the_weights_are_plain_parameters(name: str) -> None:
    module = discriminator(name, (3, 32, 32), spectral_norm=False)
    assert not [key for key in module.state_dict() if "parametrizations" in key]
    assert set(dict(module.named_parameters())) == set(module.state_dict())


@pytest.mark.parametrize("name", NAMES)
def test_spectral_norm_covers_every_weight(name: str) -> None:
    module = discriminator(name, (3, 32, 32), spectral_norm=True)
    plain = discriminator(name, (3, 32, 32), spectral_norm=False)
    normed = {key.split(".parametrizations.weight")[0] for key in module.state_dict() if "parametrizations" in key}
    assert normed == set(weights(plain))


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_gives_one_discriminator(name: str) -> None:
    scores = []
    for seed in (0, 0, 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = discriminator(name, (1, 28, 28), spectral_norm=True)
        scores.append(module(pictures(4, (1, 28, 28))))
    assert torch.equal(scores[0], scores[1])
    assert not torch.equal(scores[0], scores[2])


def conv(size: int, in_channels: int, out_channels: int) -> int:
    return size * size * in_channels * out_channels + out_channels


def num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_sngan_discriminator_for_32_pixels_is_the_paper_s_with_128_channels() -> None:
    first = conv(3, 3, 128) + conv(3, 128, 128) + conv(1, 3, 128)
    second = 2 * conv(3, 128, 128) + conv(1, 128, 128)
    rest = 2 * 2 * conv(3, 128, 128)  # same size and width: identity skips
    module = sngan_discriminator(image_shape=(3, 32, 32), spectral_norm=False)
    assert num_parameters(module) == first + second + rest + 129


@pytest.mark.parametrize(
    ("size", "widths", "num_halvings"),
    [
        (8, [128] * 4, 2),
        (32, [128] * 4, 2),
        (48, [64, 128, 256, 512], 4),
        (64, [64, 128, 256, 512, 1024], 5),
        (128, [64, 128, 256, 512, 1024, 1024], 5),
    ],
)
def test_the_sngan_discriminator_s_depth_and_width_follow_the_image(
    size: int, widths: list[int], num_halvings: int
) -> None:
    with torch.device("meta"):
        module = sngan_discriminator(image_shape=(3, size, size), spectral_norm=False)
    blocks = [block for block in module.modules() if isinstance(block, DiscriminatorBlock)]
    assert [block.c2.out_channels for block in blocks] == widths
    assert [block.is_halving for block in blocks] == [i < num_halvings for i in range(len(blocks))]
    assert [block.is_first for block in blocks] == [True] + [False] * (len(blocks) - 1)


@pytest.mark.parametrize(("size", "widths"), [(8, [64]), (28, [64, 128]), (32, [64, 128, 256]), (256, [64, 128, 256])])
def test_the_dcgan_discriminator_ends_at_four_to_seven_pixels(size: int, widths: list[int]) -> None:
    with torch.device("meta"):
        module = dcgan_discriminator(image_shape=(1, size, size), spectral_norm=False)
    convolutions = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convolutions][: len(widths)] == widths
    assert max(c.out_channels for c in convolutions) <= 512
    last = size // 2 ** len(convolutions)
    assert 4 <= last <= 7
    head = module.get_submodule("linear")
    assert isinstance(head, nn.Linear) and head.in_features == convolutions[-1].out_channels * last * last


def test_a_residual_block_with_silent_convolutions_averages_the_image_on_its_skip() -> None:
    block = DiscriminatorBlock(3, 3, is_first=True, is_halving=True)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    assert isinstance(block.c_sc, nn.Conv2d)
    nn.init.dirac_(block.c_sc.weight)
    x = torch.randn(2, 3, 6, 6)
    expected = x.view(2, 3, 3, 2, 3, 2).mean(dim=(3, 5))
    assert torch.allclose(block(x), expected, atol=1e-6)  # another order of summing four numbers


@pytest.mark.parametrize("factory", [sngan_discriminator, dcgan_discriminator])
def test_too_small_an_image_is_refused_with_another_choice(factory: type[nn.Module]) -> None:
    with pytest.raises(ValueError, match=r"7x64 is too small, 8x8 is the least\. Take the discriminator 'mlp'"):
        factory(image_shape=(3, 7, 64), spectral_norm=True)


@pytest.mark.parametrize(
    ("factory", "size"), [(sngan_discriminator, 64), (dcgan_discriminator, 64), (mlp_discriminator, 8)]
)
def test_a_width_that_cannot_be_halved_is_refused(factory: type[nn.Module], size: int) -> None:
    for channels in (0, 3):
        with pytest.raises(ValueError, match=rf"channels={channels} is halved .* give a multiple of"):
            factory(image_shape=(3, size, size), spectral_norm=False, channels=channels)
