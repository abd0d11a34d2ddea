"""A generator of signals of one axis: converted, trained on a stranger's data, drawn, heard; measured where that has sense."""

import json
import re

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

WAVES = """
import torch
from torch import nn


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 4 * 16)
        self.second = nn.ConvTranspose1d(4, 1, 4, stride=4)

    def forward(self, z):
        return torch.tanh(self.second(torch.relu(self.first(z)).view(-1, 4, 16)))
"""
PLUGIN = """
from rpganify.hookspecs import DataSetEntry, hookimpl


def open_tones(*, root=None, argument=None):
    import torch
    from rpganify.data.signals import MemorySignals

    pitches = torch.arange(1, 13)[:, None, None]
    values = torch.sin(pitches * torch.arange(64) / 64 * 6.2831853).mul(0.8)
    return MemorySignals("tones", values, sample_rate=11025)


@hookimpl
def rpganify_datasets():
    return [DataSetEntry("tones", "twelve tones", open_tones)]
"""


LOUDNESS = """
from rpganify.hookspecs import AnalyzerEntry, hookimpl


class Loudness:
    name = "loudness"

    def analyze(self, model, context):
        from rpganify.report.report import Column, Report, Table

        rows = ((context.data.name if context.data else None,),)
        return Report(self.name, "Loudness", "None.", (Table("data", "data", (Column("name"),), rows),))


@hookimpl
def rpganify_analyzers():
    return [AnalyzerEntry("loudness", "none", Loudness)]
"""


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """Folders of one-file plugins; one place for all tests, as a process imports each name from one place only."""
    folder = tmp_path_factory.mktemp("strangers")
    for name, text in (("signal_tones", PLUGIN), ("signal_loudness", LOUDNESS)):
        (folder / name).mkdir()
        (folder / name / f"{name}.py").write_text(text)
    return folder


@pytest.fixture
def waves(shell, strangers, monkeypatch):
    shell.write("waves.py", WAVES)
    monkeypatch.setenv("RPGANIFY_PLUGINS_DIR", str(strangers / "signal_tones"))
    done = shell.succeeds("convert", "waves.py", "--blocks", "3")
    assert "next: rpganify train waves.rpgan --data NAME" in done.stderr
    return shell


def test_signals_are_trained_drawn_and_written_as_sound(waves):
    told = waves.succeeds("train", "waves.rpgan", "--data", "tones", "--steps", "2", "--batch-size", "4", "-o", "run")
    assert "discriminator: mlp" in told.stderr
    samples = waves.directory / "run" / "samples"
    kinds = ("step-{:06d}.png", "step-{:06d}.wav", "variations-{:06d}.png")
    assert {path.name for path in samples.iterdir()} == {kind.format(step) for step in (0, 2) for kind in kinds}
    assert wavfile.read(samples / "step-000002.wav")[0] == 11025

    drawn = waves.succeeds("sample", "run", "-n", "4", "-o", "grid.png")
    assert "the output is 1×64, no picture" in drawn.stderr and "wrote grid.png: 4 samples" in drawn.stderr
    with Image.open(waves.directory / "grid.png") as picture:
        assert picture.size == (2 * 258 + 2, 2 * 98 + 2)

    told = json.loads(waves.succeeds("sample", "run", "-n", "4", "-o", "values.npy", "--json").stdout)
    values = np.load(waves.directory / "values.npy")
    assert values.shape == (4, 1, 64) and len(told["paths"]) == 4
    assert "guess" not in waves.succeeds("sample", "run", "-n", "4", "-o", "heard.wav").stderr
    rate, heard = wavfile.read(waves.directory / "heard.wav")
    assert rate == 11025 and np.array_equal(heard[:64], np.rint(values[0, 0] * 32767))


def test_a_rate_is_asked_for_where_none_is_known_and_only_for_sound(waves):
    assert "16,000 samples per second are a guess" in waves.succeeds("sample", "waves.rpgan", "-o", "a.wav").stderr
    waves.succeeds("sample", "waves.rpgan", "-o", "b.wav", "--rate", "22050")
    assert wavfile.read(waves.directory / "b.wav")[0] == 22050
    result = waves("sample", "waves.rpgan", "-o", "c.png", "--rate", "22050")
    assert result.exit_code == 2 and "--rate goes with -o FILE.wav" in result.stderr


def test_analyzers_of_pictures_refuse_signals(waves):
    for named in (["diversity"], []):
        message = waves.refuses("analyze", "waves.rpgan", *named)
        assert "shows and measures pictures of 1 (grey) or 3 (colour) channels" in message and "(1, 64)" in message


def test_pictures_and_signals_do_not_go_together(waves):
    message = waves.refuses("train", "waves.rpgan", "--data", "digits", "--steps", "2")
    assert "digits holds samples of shape 1×8×8, the generator makes 1×64, and only images" in message


def test_what_a_model_does_not_allow_is_left_out_where_nothing_was_named(waves, strangers):
    both = [text for name in ("tones", "loudness") for text in ("--plugins-dir", str(strangers / f"signal_{name}"))]
    told = waves.succeeds(*both, "analyze", "waves.rpgan", "--data", "tones", "--json")
    (report,) = json.loads(told.stdout)
    assert report["name"] == "loudness" and "tones" in told.stdout
    assert re.search(
        "left out: .*diversity.*variations need a generator of pictures of 1 .* this one's is none", told.stderr
    )
    assert "shows and measures pictures" in waves.refuses(*both, "analyze", "waves.rpgan", "loudness", "diversity")


def test_real_data_for_an_analysis_has_to_fit_the_model(waves):
    message = waves.refuses("analyze", "waves.rpgan", "diversity", "--data", "digits")
    assert "digits holds samples of shape 1×8×8" in message
