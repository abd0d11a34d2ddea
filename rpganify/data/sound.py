"""Signals as sound files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rpganify.errors import DataError

PAUSE_S = 0.25


def is_sound(shape: tuple[int, ...]) -> bool:
    """Whether samples of that shape can be written as sound: `(channels, length)`, one channel or two."""
    return len(shape) == 2 and shape[0] in (1, 2)


def write_wav(path: Path, signals: Tensor, sample_rate: int) -> None:
    """Write signals one after the other, a quarter of a second of silence between them, as a 16-bit WAV file.

    Written aside and renamed, so that a failure leaves what was there; missing folders are made.

    Args:
        path: of the file.
        signals: float `(N, channels, length)` in [-1, 1]; what is beyond is clipped.
        sample_rate: samples per second.
    Raises:
        DataError: the signals are no sound, or the rate is not positive.
    """
    if signals.dim() != 3 or not is_sound(tuple(signals.shape[1:])) or sample_rate < 1:
        raise DataError(
            f"Samples of shape {tuple(signals.shape[1:])} at {sample_rate} per second are no sound: a WAV file holds "
            "(1, length) or (2, length) at a positive rate."
        )
    from scipy.io import wavfile  # a tenth of a second of import, only here

    pause = torch.zeros(signals.shape[1], round(PAUSE_S * sample_rate))
    parts = [part for signal in signals.float().cpu() for part in (pause, signal)][1:]
    joined = (torch.cat(parts, dim=1).clamp(-1, 1) * 32767).round()  # (channels, all)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.stem}-writing.wav")
    try:
        wavfile.write(aside, sample_rate, np.ascontiguousarray(joined.to(torch.int16).numpy().T))
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
