"""WaveGAN's networks against their description, and the whole of it through rpganify."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from torch import nn
from typer.testing import CliRunner

import rpganify
from rpganify.cli.app import app
from rpganify.entries import Architecture
from rpganify.registry import default_registry
from rpganify.testing import check_architecture, check_discriminator
from rpganify_wavegan.discriminator import PhaseShuffle, wavegan_discriminator
from rpganify_wavegan.generator import wavegan_4096, wavegan_16384


@pytest.fixture(autouse=True)
def _same_start() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("build", "length"), [(wavegan_4096, 4096), (wavegan_16384, 16384)])
def test_sound_has_its_length_and_begins_quiet(build, length: int) -> None:
    sound = build(channels=32)(torch.randn(16, 100))
    assert sound.shape == (16, 1, length)
    assert 0.01 < float(sound.detach().std()) < 0.3
    assert wavegan_4096(channels=8, audio_channels=2)(torch.randn(1, 100)).shape == (1, 2, 4096)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 12}, "channels=12 is halved 3 times; give a positive multiple of 8"),
        ({"latent_dim": 0}, "latent_dim and audio_channels are at least 1, got 0 and 1"),
    ],
)
def test_numbers_that_make_no_generator_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wavegan_4096(**options)


def test_phase_shuffle_shifts_each_sample_by_a_step_of_its_own_and_mirrors_the_ends() -> None:
    shuffle, x = PhaseShuffle(2).train(), torch.randn(64, 3, 9)
    shifted = shuffle(x)
    seen = set()
    for one, result in zip(x.numpy(), shifted.numpy(), strict=True):
        padded = np.pad(one, ((0, 0), (2, 2)), mode="reflect")
        fitting = [shift for shift in range(-2, 3) if np.array_equal(result, padded[:, 2 + shift : 2 + shift + 9])]
        assert len(fitting) == 1
        seen.add(fitting[0])
    assert seen == {-2, -1, 0, 1, 2}


def test_phase_shuffle_does_nothing_in_eval_mode_or_with_a_shift_of_0() -> None:
    x = torch.randn(4, 3, 9)
    assert PhaseShuffle(2).eval()(x) is x and PhaseShuffle(0).train()(x) is x


def test_phase_shuffle_follows_every_convolution_but_the_last() -> None:
    module = wavegan_discriminator(image_shape=(1, 4096), spectral_norm=False, channels=32)
    kinds = [type(layer).__name__ for layer in module.convolutions]
    assert kinds == ["Conv1d", "LeakyReLU", "PhaseShuffle"] * 3 + ["Conv1d", "LeakyReLU"]
    assert module.linear.in_features == 32 * 16


@pytest.mark.parametrize("length", [64, 65, 1000, 4096, 5000])
def test_the_discriminator_takes_any_length(length: int) -> None:
    module = wavegan_discriminator(image_shape=(2, length), spectral_norm=True, channels=32)
    assert module(torch.randn(3, 2, length)).shape == (3,)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((3, 32, 32), {}, r"judges sound, \(channels, length\) of 64 samples or more; .* \(3, 32, 32\)"),
        ((1, 63), {}, r"makes \(1, 63\)"),
        ((1, 4096), {"channels": 4}, "channels=4 is halved 3 times; give a positive multiple of 8"),
        ((1, 4096), {"shuffle": -1}, "shuffle is at least 0, got -1"),
    ],
)
def test_what_the_discriminator_cannot_be_built_for_is_refused(
    shape: tuple[int, ...], options: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        wavegan_discriminator(image_shape=shape, spectral_norm=False, **options)


def test_spectral_norm_is_on_every_layer() -> None:
    module = wavegan_discriminator(image_shape=(1, 1024), spectral_norm=True, channels=16).eval()
    layers = [layer for layer in module.modules() if isinstance(layer, (nn.Conv1d, nn.Linear))]
    assert len(layers) == 4
    for layer in layers:
        assert float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("name", ["wavegan-4096", "wavegan-16384"])
def test_the_architectures_keep_the_laws(name: str) -> None:
    entry = default_registry().get(Architecture, name)
    check_architecture(entry, options={"channels": 16}, discriminator_options={"channels": 16})


def test_the_discriminator_keeps_the_laws() -> None:
    shapes = [(1, 64), (1, 1000), (2, 4096)]
    check_discriminator(wavegan_discriminator, options={"channels": 16}, image_shapes=shapes)


def test_it_is_converted_trained_saved_opened_and_sampled_as_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    training = ["--data", "plucked[A,D]", "--loss", "wgan-gp", "--steps", "2", "--batch-size", "4"]
    for command in (
        ["convert", "wavegan-4096", "--blocks", "2", "--arg", "channels=8", "-o", "model.rpgan"],
        ["train", "model.rpgan", *training, "--discriminator-arg", "channels=8", "-o", "run"],
        ["sample", "run", "-n", "3", "-o", "sounds.wav"],
        ["sample", "run", "--vary", "stage2", "-o", "stage2.png"],
        ["sample", "run", "--path", "0-1-0-1-0", "-o", "one.npy"],
    ):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    rate, data = wavfile.read(tmp_path / "sounds.wav")
    assert (rate, data.shape) == (16000, (3 * 4096 + 2 * 4000,))
    heard, _ = wavfile.read(tmp_path / "run" / "samples" / "step-000002.wav")
    assert heard == 16000 and (tmp_path / "run" / "samples" / "step-000002.png").exists()
    opened = rpganify.load(tmp_path / "run")
    sound = opened(torch.tensor([[0, 1, 0, 1, 0]])).detach().numpy()
    assert np.allclose(np.load(tmp_path / "one.npy"), sound, atol=1e-6)


def test_analyzers_of_pictures_refuse_sound_and_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rpganify.save(rpganify.wrap(wavegan_4096(channels=8), blocks=2), tmp_path / "model.rpgan")
    for analyzer in ("variations", "diversity"):
        result = CliRunner().invoke(app, ["analyze", "model.rpgan", analyzer])
        assert result.exit_code == 1
        assert f"{analyzer} shows and measures pictures of 1 (grey) or 3 (colour)" in result.output
        assert "(1, 4096)" in result.output


def test_sound_and_pictures_do_not_go_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rpganify.save(rpganify.wrap(wavegan_4096(channels=8), blocks=2), tmp_path / "model.rpgan")
    result = CliRunner().invoke(app, ["train", "model.rpgan", "--data", "digits", "--steps", "2"])
    assert result.exit_code == 1 and "digits holds samples of shape 1×8×8, the generator makes 1×4096" in result.output
