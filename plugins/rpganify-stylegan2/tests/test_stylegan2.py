"""StyleGAN2's parts against their formulas, and the whole of it through rpganify."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from typer.testing import CliRunner

import rpganify
from rpganify.cli.app import app
from rpganify.entries import Architecture
from rpganify.registry import default_registry
from rpganify.testing import check_architecture, check_discriminator, check_routed_layer
from rpganify_stylegan2.discriminator import batch_deviation, stylegan2_discriminator
from rpganify_stylegan2.generator import feature_widths, stylegan2_32, stylegan2_64
from rpganify_stylegan2.layers import EqualizedConv2d, EqualizedLinear, ModulatedConv2d
from rpganify_stylegan2.resampling import Blur, Upsample, filter_kernel
from rpganify_stylegan2.routed import RoutedModulatedConv2d

SMALL = {"channels": 16, "latent_dim": 16, "mapping_layers": 2}


@pytest.fixture(autouse=True)
def _same_start() -> None:
    torch.manual_seed(0)


def scaled_weights(layer: ModulatedConv2d, style: Tensor, is_demodulated: bool) -> Tensor:
    """One sample's weights as the paper writes them: scaled by its style, each output's divided by their norm."""
    weight = layer.weight / math.sqrt(layer.weight[0].numel()) * style[None, :, None, None]
    if not is_demodulated:
        return weight
    return weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()


@pytest.mark.parametrize("is_demodulated", [True, False])
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_a_modulated_convolution_is_a_convolution_with_each_sample_s_own_weights(
    kernel_size: int, is_demodulated: bool
) -> None:
    layer = ModulatedConv2d(5, 7, kernel_size, is_demodulated).double()
    x, style = torch.randn(3, 5, 6, 6).double(), torch.randn(3, 5).double()
    expected = [
        F.conv2d(one[None], scaled_weights(layer, own, is_demodulated), padding=kernel_size // 2)
        for one, own in zip(x, style, strict=True)
    ]
    assert torch.allclose(layer(x, style), torch.cat(expected), atol=1e-12)


def test_an_upsampling_one_convolves_between_zeros_and_then_filters() -> None:
    layer = ModulatedConv2d(5, 7, 3, True, True).double()
    x, style = torch.randn(3, 5, 4, 6).double(), torch.randn(3, 5).double()
    expected = []
    for one, own in zip(x, style, strict=True):
        spread = torch.zeros(1, 5, 9, 13).double()
        spread[:, :, 1:-1:2, 1:-1:2] = one
        # A transposed convolution is a convolution with the kernel turned round.
        large = F.conv2d(spread, scaled_weights(layer, own, True).flip(2, 3), padding=2)[:, :, 1:-1, 1:-1]
        padded = F.pad(large, (1, 1, 1, 1))
        expected.append(F.conv2d(padded, filter_kernel(4.0).double().expand(7, 1, -1, -1), groups=7))
    result = layer(x, style)
    assert result.shape == (3, 7, 8, 12)
    assert torch.allclose(result, torch.cat(expected), atol=1e-6)  # the filter is float32


@pytest.mark.parametrize("is_upsampling", [False, True])
@pytest.mark.parametrize("is_demodulated", [False, True])
def test_with_blocks_it_keeps_the_laws_of_a_routed_layer(is_demodulated: bool, is_upsampling: bool) -> None:
    layer = ModulatedConv2d(4, 3, 3, is_demodulated, is_upsampling)
    check_routed_layer(RoutedModulatedConv2d(), layer, torch.randn(6, 4, 5, 5), torch.randn(6, 4))


def test_a_model_on_disk_names_each_modulated_convolution_with_its_config(tmp_path: Path) -> None:
    model = rpganify.wrap(stylegan2_32(**SMALL), buckets=["mapping", "b4", "b8", "b16", "b32"], blocks=2)
    rpganify.save(model, tmp_path / "model.rpgan")
    layers = json.loads((tmp_path / "model.rpgan" / "graph.json").read_text())["layer_configs"]
    assert len(layers) == 11 and {layer["kind"] for layer in layers.values()} == {"stylegan2-modulated-conv"}
    assert layers["b8.conv0.conv"]["config"] == {
        "in_channels": 16,
        "out_channels": 16,
        "kernel_size": 3,
        "is_demodulated": True,
        "is_upsampling": True,
    }


def test_demodulation_brings_any_style_s_output_to_unit_size() -> None:
    layer = ModulatedConv2d(32, 32, 3)
    x, style = torch.randn(4, 32, 16, 16), torch.tensor([0.01, 1.0, 10.0, 100.0])[:, None] * torch.rand(1, 32)
    assert torch.allclose(layer(x, style).std(dim=(1, 2, 3)), torch.ones(4), atol=0.1)


def test_resampling_keeps_a_constant_and_doubles_the_size() -> None:
    flat = torch.full((1, 2, 6, 6), 3.0)
    assert Upsample()(flat).shape == (1, 2, 12, 12)
    assert torch.allclose(Upsample()(flat)[:, :, 2:-2, 2:-2], torch.tensor(3.0))
    assert Blur(2)(flat).shape == (1, 2, 7, 7)
    assert torch.allclose(Blur(2)(flat)[:, :, 2:-2, 2:-2], torch.tensor(3.0))


def test_the_filter_removes_a_checkerboard() -> None:
    rows = torch.arange(8)
    board = ((rows[:, None] + rows) % 2 * 2.0 - 1)[None, None]
    assert Blur(2)(board)[:, :, 2:-2, 2:-2].abs().max() < 1e-6


@pytest.mark.parametrize("speed", [1.0, 0.01])
def test_an_equalized_layer_starts_at_unit_output_whatever_its_speed(speed: float) -> None:
    layer = EqualizedLinear(512, 512, bias=1.0, speed=speed)
    output = layer(torch.randn(256, 512)).detach()
    assert float(output.std()) == pytest.approx(1, abs=0.02) and float(output.mean()) == pytest.approx(1, abs=0.05)
    assert float(layer.weight.detach().std()) == pytest.approx(1 / speed, rel=0.01)


@pytest.mark.parametrize("size", [8, 9, 12])
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_a_halving_convolution_rounds_down(size: int, kernel_size: int) -> None:
    layer = EqualizedConv2d(3, 4, kernel_size, is_halving=True)
    assert layer(torch.randn(2, 3, size, size)).shape == (2, 4, size // 2, size // 2)


@pytest.mark.parametrize(("num_samples", "size"), [(8, 4), (6, 3), (2, 2), (5, 1), (9, 3)])
def test_the_batch_deviation_is_that_of_each_group_of_up_to_four(num_samples: int, size: int) -> None:
    features = torch.randn(num_samples, 3, 2, 2)
    num_groups = num_samples // size
    result = batch_deviation(features)
    for sample in range(num_samples):
        group = features[sample % num_groups :: num_groups]
        assert len(group) == size
        expected = (group.var(dim=0, correction=0) + 1e-8).sqrt().mean()
        assert torch.allclose(result[sample], expected.expand(1, 2, 2))


def test_noise_changes_images_once_its_strength_is_no_longer_0() -> None:
    generator, z = stylegan2_32(**SMALL).eval(), torch.randn(2, 16)
    assert torch.equal(generator(z), generator(z))
    with torch.no_grad():
        generator.b4.conv.noise_strength.fill_(1.0)
    assert not torch.equal(generator(z), generator(z))
    still = stylegan2_32(**SMALL, noise=False)
    assert not any("noise" in name for name, _ in still.named_parameters())


def test_images_do_not_depend_on_the_size_of_the_latent() -> None:
    generator, z = stylegan2_32(**SMALL, noise=False), torch.randn(2, 16)
    assert torch.allclose(generator(z), generator(7 * z), atol=1e-5)


def test_widths_halve_above_16_pixels() -> None:
    assert feature_widths(64, 128) == (128, 128, 128, 64, 32)
    assert stylegan2_64(**SMALL)(torch.randn(2, 16)).shape == (2, 3, 64, 64)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 33}, "channels=33 is halved 1 times up to 32x32; give a positive multiple of 2"),
        ({"mapping_layers": 0}, "at least 1, got 128, 3 and 0"),
    ],
)
def test_numbers_that_make_no_generator_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stylegan2_32(**options)


@pytest.mark.parametrize(
    ("shape", "channels", "message"),
    [
        ((3, 4, 4), 32, r"takes none of \(3, 4, 4\): 8x8 is the least"),
        ((1, 4096), 32, r"takes none of \(1, 4096\)"),
        ((3, 64, 64), 30, "channels=30 is halved 2 times for 64x64; give a positive multiple of 4"),
    ],
)
def test_what_the_discriminator_cannot_judge_is_refused(shape: tuple[int, ...], channels: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stylegan2_discriminator(image_shape=shape, spectral_norm=False, channels=channels)


def test_spectral_norm_takes_the_place_of_the_equalized_factor() -> None:
    module = stylegan2_discriminator(image_shape=(3, 16, 16), spectral_norm=True, channels=16).eval()
    layers = [layer for layer in module.modules() if isinstance(layer, (EqualizedConv2d, EqualizedLinear))]
    assert len(layers) == 10
    for layer in layers:
        largest = float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2))
        assert layer.scale == 1.0 and largest == pytest.approx(1, abs=0.1)  # fifteen power iterations


@pytest.mark.parametrize("name", ["stylegan2-32", "stylegan2-64"])
def test_the_architectures_keep_the_laws(name: str) -> None:
    entry = default_registry().get(Architecture, name)
    check_architecture(entry, options={"channels": 16, "mapping_layers": 2}, discriminator_options={"channels": 16})


def test_the_discriminator_keeps_the_laws() -> None:
    check_discriminator(stylegan2_discriminator, options={"channels": 16}, mixes_samples=True)


def test_the_buckets_are_the_mapping_network_and_each_resolution() -> None:
    model = rpganify.wrap(stylegan2_32(**SMALL), buckets=["mapping", "b4", "b8", "b16", "b32"], blocks=2)
    assert model.paths.bucket_names == ("mapping", "b4", "b8", "b16", "b32")
    shared = {name for name, _ in model.named_parameters()} - {"Z"}
    for bucket in range(5):
        shared -= set(model.bucket_parameters(bucket))
    assert shared == set()


def test_it_is_converted_trained_saved_opened_sampled_and_analyzed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = [text for name, value in SMALL.items() for text in ("--arg", f"{name}={value}")]
    training = ["--data", "digits", "--loss", "non-saturating", "--lr", "2e-3", "--steps", "2", "--batch-size", "4"]
    for command in (
        ["convert", "stylegan2-32", "--blocks", "2", *small, "-o", "model.rpgan"],
        ["train", "model.rpgan", *training, "--discriminator-arg", "channels=16", "-o", "run"],
        ["sample", "run", "--vary", "b8", "-o", "b8.png"],
        ["analyze", "run", "variations", "diversity", "--paths", "2", "-o", "report"],
    ):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    assert (tmp_path / "b8.png").exists() and (tmp_path / "report" / "index.html").exists()
    opened = rpganify.load(tmp_path / "run")
    path = opened.paths.sample(1)[0]
    plain = rpganify.extract(opened, path).eval()
    torch.manual_seed(1)
    image = opened(path[None])
    torch.manual_seed(1)
    assert torch.allclose(plain(opened.Z), image, atol=1e-5)
