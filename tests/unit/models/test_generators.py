"""The built-in generators: their shapes, sizes, names and beginnings."""

from __future__ import annotations

import itertools
import math
from fnmatch import fnmatchcase
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.entries import Architecture
from rpganify.models.conditional_norm import ConditionalBatchNorm
from rpganify.models.dcgan import dcgan32, dcgan64
from rpganify.models.mlp import mlp28
from rpganify.models.sngan_generator import GeneratorBlock, sngan32, sngan48, sngan64, sngan128
from rpganify.registry import Registry, resolve

# name -> options that make it small, and its image shape
SMALL: dict[str, tuple[dict[str, int], tuple[int, int, int]]] = {
    "sngan32": ({"channels": 8}, (3, 32, 32)),
    "sngan48": ({"channels": 16}, (3, 48, 48)),
    "sngan64": ({"channels": 16}, (3, 64, 64)),
    "sngan128": ({"channels": 16}, (3, 128, 128)),
    "dcgan32": ({"channels": 16}, (3, 32, 32)),
    "dcgan64": ({"channels": 16}, (3, 64, 64)),
    "mlp28": ({"channels": 8}, (1, 28, 28)),
}


CONDITIONAL = ("sngan32", "sngan48", "sngan64", "sngan128", "mlp28")


def small(name: str, **options: int) -> nn.Module:
    architecture = Registry().get(Architecture, name)
    module = resolve(architecture.factory)(**{**SMALL[name][0], **options})
    assert isinstance(module, nn.Module)
    return module


def num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def latents(num: int, dim: int = 128) -> Tensor:
    return torch.randn(num, dim, generator=torch.Generator().manual_seed(0))


def test_all_registered_generators_are_covered_here() -> None:
    assert set(Registry().all(Architecture)) == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_a_generator_makes_images_of_its_shape_between_minus_one_and_one(name: str) -> None:
    images = small(name)(latents(3))
    assert images.shape == (3, *SMALL[name][1])
    assert images.abs().max() <= 1
    assert images.std() > 0


@pytest.mark.parametrize("name", SMALL)
def test_image_channels_and_latent_size_are_options(name: str) -> None:
    images = small(name, image_channels=2, latent_dim=7)(latents(2, 7))
    assert images.shape == (2, 2, *SMALL[name][1][1:])


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_receives_a_gradient(name: str) -> None:
    module = small(name)
    images = module(latents(4))
    (images * torch.linspace(-1, 1, images.numel()).view_as(images)).sum().backward()
    for parameter_name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", SMALL)
def test_one_seed_gives_one_generator(name: str) -> None:
    states = []
    for seed in (0, 0, 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            states.append(torch.cat([p.flatten() for p in small(name).parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize("name", SMALL)
def test_the_natural_buckets_claim_every_weight_but_the_last_norm_s_once(name: str) -> None:
    architecture = Registry().get(Architecture, name)
    module = small(name)
    layers = [key for key, layer in module.named_modules() if list(layer.parameters(recurse=False))]
    for layer in layers:
        owners = [b for b in architecture.buckets if layer == b or fnmatchcase(layer, f"{b}.*")]
        is_last_norm = isinstance(module.get_submodule(layer), nn.BatchNorm2d) and "." not in layer
        assert len(owners) == (0 if is_last_norm else 1), layer


@pytest.mark.parametrize("name", SMALL)
def test_the_natural_buckets_follow_the_order_of_the_network(name: str) -> None:
    architecture = Registry().get(Architecture, name)
    children = [key for key, _ in small(name).named_children()]
    assert [child for child in children if child in architecture.buckets] == list(architecture.buckets)


@pytest.mark.parametrize("name", CONDITIONAL)
def test_with_classes_the_label_changes_its_sample_s_image_and_no_other(name: str) -> None:
    module = small(name, num_classes=3).eval()
    apart(module)
    z, labels = latents(1).expand(3, -1), torch.tensor([0, 2, 2])
    one, two, three = module(z, labels)
    assert one.shape == SMALL[name][1]
    assert not torch.allclose(one, two) and torch.equal(two, three)


@pytest.mark.parametrize("name", CONDITIONAL)
def test_with_classes_every_parameter_receives_a_gradient(name: str) -> None:
    module = small(name, num_classes=3)
    apart(module)
    images = module(latents(6), torch.tensor([0, 1, 2, 0, 1, 2]))
    (images * torch.linspace(-1, 1, images.numel()).view_as(images)).sum().backward()
    for parameter_name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("norm", ["shared", "per-block"])
@pytest.mark.parametrize("name", CONDITIONAL)
def test_a_conditional_generator_converts_in_its_natural_buckets_and_each_path_obeys_its_label(
    name: str, norm: Literal["shared", "per-block"]
) -> None:
    module = small(name, num_classes=3)
    apart(module)
    buckets = list(Registry().get(Architecture, name).buckets)
    model = rpganify.wrap(module, buckets=buckets, blocks=2, norm=norm).eval()
    assert [(condition.name, condition.shape) for condition in model.conditions] == [("labels", ())]
    layers = {layer.name for layer in model.blueprint.layers if layer.kind in ("ConditionalBatchNorm", "Embedding")}
    assert layers
    is_shared = norm == "shared" or name == "mlp28"  # the embedding of labels belongs to no stage of the paper's
    assert layers <= set(model.plan.shared) if is_shared else not layers & set(model.plan.shared)
    paths, labels = model.paths.sample(3), torch.tensor([2, 0, 2])
    images = model(paths, labels=labels)
    for path, label, image in zip(paths, labels, images, strict=True):
        plain = rpganify.extract(model, path).eval()
        # float32, another batch size; an untrained network of up to six stages amplifies rounding.
        assert torch.allclose(plain(model.Z, label[None])[0], image, atol=1e-4)


def apart(module: nn.Module) -> None:
    """Gives the classes of conditional norms, which start alike, scales and shifts of their own."""
    for part in module.modules():
        if isinstance(part, ConditionalBatchNorm):
            nn.init.normal_(part.weight, 1.0, 0.5)
            nn.init.normal_(part.bias, 0.0, 0.5)


def test_a_conditional_norm_is_a_batch_norm_with_its_class_s_own_scale_and_shift() -> None:
    layer, x, labels = ConditionalBatchNorm(4, 3), torch.randn(5, 4, 2, 2), torch.tensor([0, 2, 1, 1, 0])
    assert torch.equal(layer(x, labels), nn.BatchNorm2d(4, affine=False)(x))  # all classes start alike
    apart(layer)
    normed = nn.BatchNorm2d(4, affine=False)(x)  # over all samples, whatever their class
    for sample, label in enumerate(labels):
        expected = normed[sample] * layer.weight[label][:, None, None] + layer.bias[label][:, None, None]
        assert torch.allclose(layer(x, labels)[sample], expected, atol=1e-6)  # float32


def test_a_generator_without_classes_is_what_it_was() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        plain = mlp28(channels=8)
        torch.manual_seed(0)
        layers = [nn.Linear(a, b) for a, b in itertools.pairwise((128, 8, 16, 32, 64, 784))]
    h = latents(2)
    for layer in layers[:-1]:
        h = torch.relu(layer(h))
    assert torch.equal(plain(latents(2)), torch.tanh(layers[-1](h)).view(2, 1, 28, 28))


def conv(size: int, in_channels: int, out_channels: int) -> int:
    return size * size * in_channels * out_channels + out_channels


def test_sngan32_at_full_width_has_the_parameters_of_the_paper_s_layout() -> None:
    dense = (128 + 1) * 4 * 4 * 256
    residual = 3 * 2 * conv(3, 256, 256)  # identity skips
    assert num_parameters(sngan32()) == dense + residual + 2 * 256 + conv(3, 256, 3) == 4_076_291


def test_block_norm_adds_two_batch_norms_to_each_residual_block() -> None:
    assert num_parameters(sngan32(block_norm=True)) == num_parameters(sngan32()) + 3 * 2 * 2 * 256


@pytest.mark.parametrize(
    ("factory", "base", "widths"),
    [(sngan48, 6, (512, 256, 128, 64)), (sngan64, 4, (1024, 512, 256, 128, 64))],
)
def test_where_the_width_halves_a_skip_has_a_1x1_convolution(
    factory: type[nn.Module], base: int, widths: tuple[int, ...]
) -> None:
    expected = (128 + 1) * base * base * widths[0] + 2 * widths[-1] + conv(3, widths[-1], 3)
    for before, after in itertools.pairwise(widths):
        expected += conv(3, before, after) + conv(3, after, after) + conv(1, before, after)
    assert num_parameters(factory()) == expected


def test_sngan128_holds_one_more_block_of_full_width() -> None:
    extra = 2 * conv(3, 64, 64)
    assert num_parameters(sngan128(channels=64)) == num_parameters(sngan64(channels=64)) + extra


def test_dcgans_have_the_parameters_of_their_stages() -> None:
    for factory, widths in ((dcgan32, (256, 128, 64)), (dcgan64, (512, 256, 128, 64))):
        expected = 16 * widths[-1] * 3 + 3
        for before, after in zip((128, *widths), widths, strict=False):
            expected += 16 * before * after + 2 * after
        assert num_parameters(factory()) == expected


def test_mlp28_has_the_layers_of_the_paper() -> None:
    sizes = (128, 128, 256, 512, 1024, 784)
    assert num_parameters(mlp28()) == sum((a + 1) * b for a, b in itertools.pairwise(sizes))


def test_the_linear_mlp_is_affine_up_to_its_tanh_and_the_other_is_not() -> None:
    a, b = latents(4, 128).double(), latents(8, 128)[4:].double()
    for linear in (True, False):
        module = mlp28(channels=8, linear=linear).double()
        middle = torch.atanh(module((a + b) / 2))
        mean = (torch.atanh(module(a)) + torch.atanh(module(b))) / 2
        assert torch.allclose(middle, mean, atol=1e-12) == linear


def test_a_residual_block_with_silent_convolutions_is_nearest_upsampling() -> None:
    block = GeneratorBlock(3, 3, block_norm=False)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(2, 3, 5, 5)
    assert torch.equal(block(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_sngan_starts_with_xavier_weights_and_no_bias() -> None:
    module = sngan32()
    weight = module.get_submodule("block2.c1").weight
    assert isinstance(weight, Tensor)
    bound = math.sqrt(2) * math.sqrt(6 / (9 * 256 + 9 * 256))
    assert weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.01)  # 590k draws
    for name, parameter in module.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name


def test_dcgan_starts_with_the_paper_s_normal_weights() -> None:
    module = dcgan32()
    for layer in module.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            # The smallest has 3,072 weights: its standard deviation is known to 1.3 %.
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.07)
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.weight.mean().item() == pytest.approx(1.0, abs=0.01)
            assert not layer.bias.any()


@pytest.mark.parametrize(
    ("factory", "channels", "multiple"), [(sngan48, 20, 8), (sngan64, 100, 16), (sngan128, 8, 16), (dcgan64, 4, 8)]
)
def test_a_width_that_cannot_be_halved_is_refused_with_one_that_can(
    factory: type[nn.Module], channels: int, multiple: int
) -> None:
    with pytest.raises(ValueError, match=rf"channels={channels} is halved .* give a multiple of {multiple}, such as"):
        factory(channels=channels)


@pytest.mark.parametrize("factory", [sngan32, dcgan32, mlp28])
def test_sizes_below_one_are_refused(factory: type[nn.Module]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        factory(latent_dim=0)


@pytest.mark.parametrize("factory", [sngan32, mlp28])
def test_a_negative_number_of_classes_is_refused(factory: type[nn.Module]) -> None:
    with pytest.raises(ValueError, match=r"num_classes at least 0, got .*-1\."):
        factory(num_classes=-1)
