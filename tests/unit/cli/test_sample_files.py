from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from scipy.io import wavfile

from rpganify.cli.sample_files import check_sample_path, write_samples
from rpganify.training.config import TrainConfig
from rpganify.training.run import RunDirectory, RunRecord, write_record

WAVES = torch.linspace(-1, 1, 2 * 1 * 40).view(2, 1, 40)


def write(values, path, labels=(), title="", rate=None, model=Path("no-run.rpgan")):
    return write_samples(values, path, labels, title, rate=rate, model=model)


@pytest.mark.parametrize("name", ["a.PNG", "a.wav", "a.npy", "a.webp"])
def test_a_name_says_the_format(name):
    check_sample_path(Path(name))


def test_a_name_that_says_no_format_is_wrong_usage():
    with pytest.raises(typer.BadParameter, match=r"'grid\.rpgan' must end in one of \.png, .*\.wav, \.npy"):
        check_sample_path(Path("grid.rpgan"))


def test_pictures_are_drawn_without_a_word(tmp_path):
    assert write(torch.rand(2, 3, 8, 8) * 2 - 1, tmp_path / "grid.png") == []
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size == (2 * 66 + 2, 66 + 2)


def test_signals_are_drawn_as_curves_and_the_note_says_how_to_hear_them(tmp_path):
    (note,) = write(WAVES, tmp_path / "grid.png")
    assert "the output is 1×40, no picture" in note and "-o FILE.wav writes sound" in note
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size == (2 * (256 + 2) + 2, 96 + 2 + 2)


def test_what_is_neither_picture_nor_sound_is_drawn_and_its_numbers_are_offered(tmp_path):
    (note,) = write(torch.rand(2, 5, 8, 8), tmp_path / "grid.png")
    assert "5×8×8" in note and "FILE.npy" in note and "FILE.wav" not in note


def test_numbers_are_written_as_they_are(tmp_path):
    assert write(WAVES, tmp_path / "new" / "waves.npy") == []
    assert np.array_equal(np.load(tmp_path / "new" / "waves.npy"), WAVES.numpy())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["waves.npy"]


def test_sound_has_the_rate_that_is_asked_for(tmp_path):
    assert write(WAVES, tmp_path / "waves.wav", rate=8000) == []
    rate, data = wavfile.read(tmp_path / "waves.wav")
    assert (rate, len(data)) == (8000, 40 + 2000 + 40)


def test_sound_without_a_rate_is_a_guess_and_says_so(tmp_path):
    (note,) = write(WAVES, tmp_path / "waves.wav")
    assert note == "16,000 samples per second are a guess; --rate HZ says another."
    assert wavfile.read(tmp_path / "waves.wav")[0] == 16000


def test_sound_of_a_run_has_the_rate_of_its_training_data(tmp_path):
    record = RunRecord(TrainConfig(), {}, {"sample rate": "22050"})
    write_record(RunDirectory(tmp_path / "run"), record)
    assert write(WAVES, tmp_path / "waves.wav", model=tmp_path / "run") == []
    assert wavfile.read(tmp_path / "waves.wav")[0] == 22050


def test_pictures_as_sound_are_wrong_usage(tmp_path):
    with pytest.raises(typer.BadParameter, match=r"makes 3×8×8, which is no sound; .*Write a \.png to look at"):
        write(torch.rand(2, 3, 8, 8), tmp_path / "waves.wav")
    assert list(tmp_path.iterdir()) == []
