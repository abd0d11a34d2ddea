"""Plucked strings, and WAV files of a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from rpganify.data.images import FitsItself, ImageData, to_float
from rpganify.data.opening import fit_to, open_data
from rpganify.errors import DataError
from rpganify.registry import default_registry
from rpganify.testing import check_dataset
from rpganify_wavegan.folder import open_wav_folder
from rpganify_wavegan.plucked import NOTES, open_plucked, pluck
from rpganify_wavegan.sounds import Sounds


def sounds(*lengths: int, **options: object) -> Sounds:
    """Sounds that count up, the next one where the one before ended."""
    parts = torch.arange(sum(lengths), dtype=torch.int16).split(list(lengths))
    return Sounds("counting", tuple(parts), 8000, **options)  # type: ignore[arg-type]


def write(path: Path, values: np.ndarray, rate: int = 8000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, rate, values)


def test_windows_follow_one_another_and_half_a_window_of_sound_is_one() -> None:
    data = sounds(10, 3, 5, length=4)
    assert isinstance(data, ImageData) and isinstance(data, FitsItself)
    windows = data.images(torch.arange(len(data)))
    assert windows.dtype == torch.int16
    assert windows[:, 0].tolist() == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 0, 0],  # half of it is sound
        [10, 11, 12, 0],  # the only one of its sound
        [13, 14, 15, 16],  # one sample is left over
    ]


def test_sounds_may_be_cut_once_only() -> None:
    data = sounds(10, 3, length=4, is_cut_once=True)
    assert data.images(torch.tensor([1, 0]))[:, 0].tolist() == [[10, 11, 12, 0], [0, 1, 2, 3]]


def test_windows_have_the_labels_of_their_sounds() -> None:
    data = sounds(8, 4, length=4, sound_labels=(1, 0), class_names=("low", "high"))
    assert data.labels is not None and data.labels.tolist() == [1, 1, 0] and data.num_classes == 2
    assert sounds(8).labels is None and sounds(8).num_classes is None


def test_sounds_are_cut_to_the_generator_s_length_and_say_so() -> None:
    data, said = fit_to(sounds(10, 3, length=4), (1, 5))
    assert data.image_shape == (1, 5) and len(data) == 3
    assert said == (
        "counting: 2 sounds cut to 3 windows of 5 samples (1 ms at 8,000 Hz); 1 shorter ones are filled up with silence."
    )


@pytest.mark.parametrize("shape", [(2, 4096), (3, 32, 32), (1, 8, 8)])
def test_sounds_for_what_is_no_mono_sound_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"counting holds mono sound, \(1, length\), and the generator makes"):
        fit_to(sounds(10), shape)


def test_plucked_strings_are_the_same_each_time_and_100_of_each_note() -> None:
    one, two = open_plucked(), open_plucked()
    indices = torch.tensor([0, 599, 1199])
    assert torch.equal(one.images(indices), two.images(indices))
    assert (len(one), one.class_names, one.sample_rate) == (1200, NOTES, 16000)
    assert one.labels is not None and one.labels.bincount().tolist() == [100] * 12
    loudest = to_float(one.images(torch.arange(1200))).abs().amax(dim=2)
    assert float(loudest.min()) >= 0.5 and float(loudest.max()) <= 1


@pytest.mark.parametrize("note", [0, 3, 11])
def test_a_string_sounds_at_the_pitch_of_its_note(note: int) -> None:
    data, _ = fit_to(open_plucked(), (1, 16384))
    sound = to_float(data.images(torch.arange(100 * note, 100 * note + 8)))[:, 0].double()
    power = torch.fft.rfft(sound * torch.hann_window(16384, dtype=torch.float64)).abs().square().mean(0)
    hertz = torch.fft.rfftfreq(16384, 1 / 16000)
    wanted = 220 * 2 ** (note / 12)
    # All its power is at multiples of the pitch; the loop's length is a whole number of samples, which is up to 1.5 % off.
    near = ((hertz / wanted - (hertz / wanted).round()).abs() < 0.015 * (hertz / wanted).round()) & (hertz < 4 * wanted)
    assert power[near].sum() > 0.99 * power[hertz < 4 * wanted].sum()


def test_strings_fade_and_lose_their_high_tones() -> None:
    sound = torch.from_numpy(pluck(72, 20, 16384, np.random.default_rng(0)))
    early, late = sound[:, :2048], sound[:, -2048:]
    assert late.square().mean() < 0.2 * early.square().mean()

    def brightness(part: torch.Tensor) -> float:
        return float(part.diff(dim=1).square().mean() / part.square().mean())

    assert brightness(late) < 0.5 * brightness(early)


def test_a_shorter_generator_gets_the_beginning_of_each_string() -> None:
    whole = open_plucked()
    data, said = fit_to(whole, (1, 1024))
    assert len(data) == 1200 and "the first 1,024 samples (64 ms at 16,000 Hz)" in said
    index = torch.tensor([77])
    assert torch.equal(data.images(index), whole.images(index)[:, :, :1024])
    longer, said = fit_to(whole, (1, 20000))
    assert not longer.images(index)[:, :, 16384:].any() and "1,200 shorter ones are filled up with silence" in said


def test_notes_are_chosen_by_name_and_stay_chosen_when_cut() -> None:
    data = open_data("plucked[C,A#]", None, default_registry())
    cut, _ = fit_to(data, (1, 1024))
    assert len(cut) == 200 and cut.name == "plucked[C,A#]"
    assert cut.labels is not None and set(cut.labels.tolist()) == {1, 3}


def test_plucked_has_no_parts() -> None:
    with pytest.raises(DataError, match=r"plucked has no parts, so 'test' names nothing; write .*plucked\[A,C\]"):
        open_plucked(argument="test")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([-32768, 0, 16384], np.int16), [-1, 0, 0.5]),
        (np.array([0, 128, 192], np.uint8), [-1, 0, 0.5]),
        (np.array([-(2**31), 0, 2**30], np.int32), [-1, 0, 0.5]),
        (np.array([-1, 0, 0.5], np.float32), [-1, 0, 0.5]),
        (np.array([[-1, 1], [0, 0], [0.25, 0.75]], np.float32), [0, 0, 0.5]),
    ],
)
def test_every_usual_form_of_wav_is_read_and_channels_are_averaged(
    tmp_path: Path, values: np.ndarray, expected: list[float]
) -> None:
    write(tmp_path / "one.wav", values)
    data, _ = fit_to(open_wav_folder(argument=str(tmp_path)), (1, 3))
    assert to_float(data.images(torch.tensor([0])))[0, 0].tolist() == pytest.approx(expected, abs=1e-4)


def test_subfolders_are_classes_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    for name, value in (("kick/a.wav", 1), ("kick/b/c.WAV", 2), ("snare/a.wav", 3), (".trash/x.wav", 4)):
        write(tmp_path / name, np.full(8, value, np.int16))
    data = open_data("wav-folder:.[snare]", tmp_path, default_registry())
    assert data.class_names == ("kick", "snare") and len(data) == 1
    whole = open_wav_folder(root=tmp_path)
    assert whole.sound_labels == (0, 0, 1) and [int(sound[0]) for sound in whole.sounds] == [1, 2, 3]
    write(tmp_path / "loose.wav", np.zeros(8, np.int16))
    assert open_wav_folder(root=tmp_path).class_names == ()


def test_other_rates_are_resampled_to_the_most_common_one_and_the_note_says_so(tmp_path: Path) -> None:
    def tone(rate: int) -> np.ndarray:
        return (8000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.int16)

    for name, rate in (("a", 8000), ("b", 8000), ("c", 44100)):
        write(tmp_path / f"{name}.wav", tone(rate), rate)
    data = open_wav_folder(root=tmp_path)
    assert data.sample_rate == 8000 and data.note == "1 of 3 files have another rate: resampled to 8,000 Hz."
    first, _, third = (sound.double() for sound in data.sounds)
    assert len(third) == 8000
    assert (first - third)[100:-100].abs().max() < 80  # 1 % of the amplitude


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: (folder / "notes.txt").write_text("x"), r"There is no \.wav file under"),
        (lambda folder: (folder / "a.wav").write_bytes(b"RIFF no"), r"a\.wav is no WAV file that can be read"),
        (lambda folder: (folder / "a.wav").write_bytes(b""), r"a\.wav is no WAV file that can be read"),
        (lambda folder: write(folder / "a.wav", np.zeros(0, np.int16)), r"a\.wav holds no sample"),
        (
            lambda folder: write(folder / "a.wav", np.full(8, np.nan, np.float32)),
            r"a\.wav holds samples that are no numb",
        ),
    ],
)
def test_a_folder_that_cannot_be_read_is_refused_by_name(tmp_path: Path, prepare, message: str) -> None:
    prepare(tmp_path)
    with pytest.raises(DataError, match=message):
        open_wav_folder(root=tmp_path)


def test_a_file_that_is_cut_off_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", np.arange(64, dtype=np.int16))
    whole = (tmp_path / "a.wav").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "a.wav").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"a\.wav (is no WAV file|is truncated|holds no sample)"):
            open_wav_folder(root=tmp_path)


def test_titles_in_a_file_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", np.arange(64, dtype=np.int16))
    whole = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(whole + b"bext" + (4).to_bytes(4, "little") + b"\0\0\0\0")
    assert len(open_wav_folder(root=tmp_path).sounds[0]) == 64


def test_a_folder_has_to_be_named_and_to_exist(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="write `wav-folder:DIR`"):
        open_wav_folder()
    with pytest.raises(DataError, match=r"There is no folder .*nowhere\. Write `wav-folder:DIR`"):
        open_wav_folder(root=tmp_path, argument="nowhere")


def test_the_data_sets_keep_the_laws(tmp_path: Path) -> None:
    check_dataset(open_plucked)
    for index in range(3):
        write(tmp_path / f"{index}.wav", np.arange(20000, dtype=np.int16))
    check_dataset(open_wav_folder, root=tmp_path)
