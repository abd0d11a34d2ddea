"""Signals as WAV files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from rpganify.data.sound import is_sound, write_wav
from rpganify.errors import DataError


@pytest.mark.parametrize(
    ("shape", "is_one"), [((1, 64), True), ((2, 64), True), ((3, 64), False), ((64,), False), ((1, 8, 8), False)]
)
def test_sound_is_mono_or_stereo(shape: tuple[int, ...], is_one: bool) -> None:
    assert is_sound(shape) == is_one


def test_one_signal_is_written_alone_at_its_rate(tmp_path: Path) -> None:
    write_wav(tmp_path / "new" / "one.wav", torch.tensor([[[0.0, 1.0, -1.0, 0.5, 3.0, -3.0]]]), 8000)
    rate, data = wavfile.read(tmp_path / "new" / "one.wav")
    assert (rate, data.dtype) == (8000, np.int16)
    assert data.tolist() == [0, 32767, -32767, 16384, 32767, -32767]


def test_signals_follow_one_another_with_a_quarter_of_a_second_between(tmp_path: Path) -> None:
    write_wav(tmp_path / "two.wav", torch.tensor([[[0.5, 0.5]], [[-0.5, -0.5]]]), 16)
    _, data = wavfile.read(tmp_path / "two.wav")
    assert data.tolist() == [16384, 16384, 0, 0, 0, 0, -16384, -16384]


def test_stereo_keeps_its_channels_apart(tmp_path: Path) -> None:
    write_wav(tmp_path / "stereo.wav", torch.tensor([[[1.0, 0.0, 1.0], [0.0, -1.0, 0.0]]]), 8000)
    _, data = wavfile.read(tmp_path / "stereo.wav")
    assert data.tolist() == [[32767, 0], [0, -32767], [32767, 0]]


@pytest.mark.parametrize(("shape", "rate"), [((2, 3, 8), 8000), ((2, 8), 8000), ((2, 1, 8, 8), 8000), ((2, 1, 8), 0)])
def test_what_is_no_sound_is_refused(tmp_path: Path, shape: tuple[int, ...], rate: int) -> None:
    with pytest.raises(DataError, match=rf"at {rate} per second are no sound: a WAV file holds \(1, length\)"):
        write_wav(tmp_path / "odd.wav", torch.zeros(shape), rate)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: Path, rate: int, data: object) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    (tmp_path / "one.wav").write_bytes(b"old")
    monkeypatch.setattr(wavfile, "write", fail)
    with pytest.raises(OSError, match="No space left"):
        write_wav(tmp_path / "one.wav", torch.zeros(1, 1, 8), 8000)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("one.wav", b"old")]
