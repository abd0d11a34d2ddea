"""Every WAV file under a folder, read with SciPy."""

from __future__ import annotations

import math
import struct
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.io import wavfile
from scipy.signal import resample_poly

from rpganify.errors import DataError
from rpganify_wavegan.sounds import Sounds


def open_wav_folder(*, root: Path | None = None, argument: str | None = None) -> Sounds:
    """Every .wav under a folder, sorted by path; hidden files are left out.

    Several channels are averaged to one. Files of another sample rate than the most common one (the lowest of those
    equally common) are resampled to it; `note` says so. If every file lies in a subfolder, the subfolders of the first
    level are the classes. Windows follow one another through each file, as long as the generator's output.

    Args:
        root: what a relative DIR is relative to; the working directory if left out.
        argument: DIR of `wav-folder:DIR`; the root itself if left out.
    Raises:
        DataError: no such folder, no WAV file in it, or one that cannot be read.
    """
    if argument is None and root is None:
        raise DataError("wav-folder needs to know which: write `wav-folder:DIR`.")
    folder = (root or Path()) / (argument or "")
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}. Write `wav-folder:DIR` with a folder that holds .wav files.")
    files = _wav_files(folder)
    if not files:
        raise DataError(
            f"There is no .wav file under {folder}, nor in its subfolders. Convert other sound files to WAV."
        )
    read = [_read(file) for file in files]
    rates = Counter(rate for rate, _ in read)
    rate = min(rates, key=lambda one: (-rates[one], one))
    sounds = tuple(_quantised(samples if old == rate else _resampled(samples, old, rate)) for old, samples in read)
    num_other = len(files) - rates[rate]
    note = f"{num_other:,} of {len(files):,} files have another rate: resampled to {rate:,} Hz." if num_other else ""
    labels, class_names = _classes(folder, files)
    return Sounds(f"wav-folder:{folder}", sounds, rate, labels, class_names, note)


def _wav_files(folder: Path) -> tuple[Path, ...]:
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() == ".wav"
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    return tuple(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))


def _read(path: Path) -> tuple[int, NDArray[np.float64]]:
    """Sample rate, and the file's channels averaged: `(samples,)` in [-1, 1]."""
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", wavfile.WavFileWarning)
            rate, data = wavfile.read(path)
    except (OSError, ValueError, EOFError, struct.error, UnboundLocalError) as error:  # the last without a data chunk
        raise DataError(
            f"{path} is no WAV file that can be read: {_one_line(error)}. Convert it to 16-bit PCM, or take it away."
        ) from error
    # Chunks that SciPy does not know hold titles and the like; a file that ends too early is another matter.
    if cut := [warning for warning in said if "EOF" in str(warning.message)]:
        raise DataError(f"{path} is truncated: {_one_line(cut[0].message)}. Fetch it again, or take it away.")
    if data.size == 0:
        raise DataError(f"{path} holds no sample. Take it away.")
    if data.dtype == np.uint8:
        values = (data.astype(np.float64) - 128) / 128
    elif data.dtype.kind == "i":  # 24 bits come in the upper bytes of 32
        values = data.astype(np.float64) / -float(np.iinfo(data.dtype).min)
    else:
        values = data.astype(np.float64)
    if not np.isfinite(values).all():
        raise DataError(f"{path} holds samples that are no numbers. Take it away.")
    return int(rate), values.reshape(len(values), -1).mean(axis=1)


def _one_line(error: object) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _resampled(samples: NDArray[np.float64], old: int, new: int) -> NDArray[np.float64]:
    shared = math.gcd(old, new)
    return np.asarray(resample_poly(samples, new // shared, old // shared))


def _quantised(samples: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16))


def _classes(folder: Path, files: Sequence[Path]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """A label per file and the class names, if every file lies in a subfolder."""
    parts = [path.relative_to(folder).parts for path in files]
    if any(len(part) == 1 for part in parts):
        return (), ()
    class_names = tuple(sorted({part[0] for part in parts}))
    return tuple(class_names.index(part[0]) for part in parts), class_names
