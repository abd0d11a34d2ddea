"""BigGAN's parts against their formulas, and the whole of it through rpganify."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import rpganify
from rpganify.cli.app import app
from rpganify.entries import Architecture
from rpganify.registry import default_registry
from rpganify.testing import check_architecture, check_discriminator
from rpganify_biggan.discriminator import biggan_discriminator
from rpganify_biggan.generator import ClassConditionalBigGAN, ConditionalBatchNorm, biggan_32, biggan_64
from rpganify_biggan.layers import SelfAttention

SMALL = {"channels": 16, "latent_dim": 16}
BUCKETS = ["linear", "block1", "block2", "block3", "output"]


@pytest.fixture(autouse=True)
def _same_start() -> None:
    torch.manual_seed(0)


def test_self_attention_starts_as_the_identity() -> None:
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(SelfAttention(16)(x), x)


def test_self_attention_adds_what_each_pixel_gathers_from_all_others() -> None:
    layer, x = SelfAttention(16).double(), torch.randn(2, 16, 4, 6).double()
    with torch.no_grad():
        layer.gain.fill_(0.5)
    query, value = layer.query(x), layer.value(x)
    key = torch.nn.functional.max_pool2d(layer.key(x), 2)
    value = torch.nn.functional.max_pool2d(value, 2)
    expected = torch.empty_like(x)
    for sample in range(2):
        for row in range(4):
            for column in range(6):
                scores = torch.einsum("c,chw->hw", query[sample, :, row, column], key[sample])
                shares = scores.flatten().softmax(0).view_as(scores)
                gathered = torch.einsum("hw,chw->c", shares, value[sample])
                added = layer.output.weight[:, :, 0, 0] @ gathered
                expected[sample, :, row, column] = x[sample, :, row, column] + 0.5 * added
    assert torch.allclose(layer(x), expected)


def test_a_conditional_norm_is_a_batch_norm_whose_scale_and_shift_follow_the_condition() -> None:
    layer, x, condition = ConditionalBatchNorm(4, 3), torch.randn(5, 4, 2, 2), torch.randn(5, 3)
    plain = nn.BatchNorm2d(4, affine=False)(x)
    scale, shift = 1 + condition @ layer.scale.weight.T, condition @ layer.shift.weight.T
    assert torch.allclose(layer(x, condition), plain * scale[..., None, None] + shift[..., None, None], atol=1e-6)


def test_each_part_of_the_latent_reaches_its_block_only() -> None:
    generator, z = biggan_32(**SMALL).eval(), torch.randn(2, 16)
    seen: dict[str, torch.Tensor] = {}
    for name in ("linear", "block1", "block2", "block3"):
        generator.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: seen.__setitem__(name, output)
        )
    generator(z)
    before = dict(seen)
    z[:, 8:12] += 1  # the third part of four: that of block2
    generator(z)
    assert {name for name in seen if not torch.equal(seen[name], before[name])} == {"block2", "block3"}


def test_weights_start_orthogonal() -> None:
    weight = biggan_32(**SMALL).block1.conv1.weight.detach().flatten(1)
    assert torch.allclose(weight @ weight.T, torch.eye(16), atol=1e-5)


def test_with_classes_the_label_changes_the_image() -> None:
    generator, z = biggan_32(**SMALL, num_classes=3, embedding_dim=8).eval(), torch.randn(1, 16).expand(3, -1)
    assert isinstance(generator, ClassConditionalBigGAN)
    one, two, three = generator(z, torch.tensor([0, 1, 1]))
    assert not torch.allclose(one, two) and torch.allclose(two, three)


def test_spectral_norm_bounds_every_layer_of_the_generator() -> None:
    generator = biggan_32(**SMALL, num_classes=3, embedding_dim=8, spectral_norm=True)
    with torch.no_grad():
        generator.block1.conv1.parametrizations.weight.original.mul_(10)
        generator.train()(torch.randn(8, 16), torch.zeros(8, dtype=torch.int64))
    layers = [m for m in generator.modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.Embedding))]
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
        assert float(largest) == pytest.approx(1, abs=0.05)


def test_64_pixels_have_a_block_more() -> None:
    assert biggan_64(channels=32)(torch.randn(2, 120)).shape == (2, 3, 64, 64)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent_dim": 30}, "latent_dim=30 is split into 4 parts.*a positive multiple of 4"),
        ({"channels": 24}, "channels=24 is halved 1 times for 32 pixels.*positive multiple of 16"),
        ({"num_classes": -1}, "num_classes is at least 0 and embedding_dim at least 1, got -1 and 128"),
        ({"image_channels": 0}, "image_channels is at least 1, got 0"),
    ],
)
def test_numbers_that_make_no_generator_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        biggan_32(**options)


def test_the_projection_adds_the_product_of_features_and_embedding() -> None:
    module = biggan_discriminator(image_shape=(3, 32, 32), spectral_norm=False, channels=16, num_classes=4).eval()
    images, labels = torch.randn(3, 3, 32, 32), torch.tensor([0, 3, 1])
    features = torch.relu(module.blocks(images)).sum(dim=(2, 3))
    alone = (features @ module.linear.weight.T + module.linear.bias)[:, 0]
    assert torch.allclose(module(images), alone, atol=1e-5)
    product = torch.stack(
        [feature @ module.embedding.weight[label] for feature, label in zip(features, labels, strict=True)]
    )
    assert torch.allclose(module(images, labels), alone + product, atol=1e-5)


def test_a_discriminator_without_classes_refuses_labels() -> None:
    module = biggan_discriminator(image_shape=(1, 8, 8), spectral_norm=False, channels=16)
    with pytest.raises(ValueError, match="no classes; build it with num_classes="):
        module(torch.zeros(2, 1, 8, 8), torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((3, 4, 8), {}, r"takes none of \(3, 4, 8\): 8x8 is the least"),
        ((1, 4096), {}, r"takes none of \(1, 4096\)"),
        ((3, 128, 128), {"channels": 40}, "channels=40 is halved 2 times for 128 pixels.*multiple of 32"),
        ((3, 32, 32), {"num_classes": -1}, "num_classes is at least 0, got -1"),
    ],
)
def test_what_the_discriminator_cannot_be_built_for_is_refused(
    shape: tuple[int, ...], options: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        biggan_discriminator(image_shape=shape, spectral_norm=False, **options)


def test_attention_is_where_images_have_16_pixels() -> None:
    for size, num in ((16, 0), (32, 1), (64, 1), (128, 1)):
        module = biggan_discriminator(image_shape=(3, size, size), spectral_norm=False, channels=64)
        assert sum(isinstance(layer, SelfAttention) for layer in module.modules()) == num


@pytest.mark.parametrize(("name", "channels"), [("biggan-32", 16), ("biggan-64", 32)])
def test_the_architectures_keep_the_laws(name: str, channels: int) -> None:
    entry = default_registry().get(Architecture, name)
    check_architecture(entry, options={"channels": channels}, discriminator_options={"channels": 16})


@pytest.mark.parametrize("num_classes", [0, 3])
def test_the_discriminator_keeps_the_laws(num_classes: int) -> None:
    check_discriminator(biggan_discriminator, options={"channels": 16, "num_classes": num_classes})


def test_a_class_conditional_generator_becomes_a_random_path_gan_that_takes_labels(tmp_path: Path) -> None:
    generator = biggan_32(**SMALL, num_classes=3, embedding_dim=8)
    model = rpganify.wrap(generator, buckets=BUCKETS, blocks=3)
    assert [condition.name for condition in model.conditions] == ["labels"]
    rpganify.save(model, tmp_path / "model.rpgan")
    opened = rpganify.load(tmp_path / "model.rpgan")
    paths = opened.paths.sample(4)
    one, two = (opened(paths, labels=torch.full((4,), label)) for label in (0, 2))
    assert not torch.allclose(one, two)
    plain = rpganify.extract(opened, paths[0]).eval()
    assert torch.allclose(plain(opened.Z, torch.tensor([2])), two[:1], atol=1e-5)


def test_it_is_converted_trained_saved_opened_sampled_and_analyzed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = [text for name, value in SMALL.items() for text in ("--arg", f"{name}={value}")]
    training = ["--data", "digits", "--steps", "2", "--batch-size", "4", "--discriminator-arg", "channels=16"]
    for command in (
        ["convert", "biggan-32", "--blocks", "2", *small, "-o", "model.rpgan"],
        ["train", "model.rpgan", *training, "-o", "run"],
        ["sample", "run", "--vary", "block2", "-o", "block2.png"],
        ["analyze", "run", "variations", "diversity", "--paths", "2", "-o", "report"],
    ):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    assert (tmp_path / "block2.png").exists() and (tmp_path / "report" / "index.html").exists()
    assert rpganify.load(tmp_path / "run").paths.bucket_names == tuple(BUCKETS)


def test_with_classes_it_is_trained_sampled_and_analyzed_for_a_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = [text for name, value in SMALL.items() for text in ("--arg", f"{name}={value}")]
    training = ["--steps", "2", "--batch-size", "4", "--discriminator-arg", "channels=16"]
    for command in (
        ["convert", "biggan-32", "--blocks", "2", *small, "--arg", "num_classes=3", "-o", "model.rpgan"],
        ["train", "model.rpgan", "--data", "digits[0-2]", *training, "-o", "run"],
        ["sample", "run", "-n", "4", "--condition", "labels=1", "-o", "one.png"],
        ["analyze", "run", "diversity", "--paths", "2", "--condition", "labels=1", "-o", "report"],
    ):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    result = CliRunner().invoke(app, ["train", "model.rpgan", "--data", "digits", *training, "-o", "all"])
    assert result.exit_code == 1 and "labels up to 9, but the generator's 'labels' takes those up to 2" in result.output
