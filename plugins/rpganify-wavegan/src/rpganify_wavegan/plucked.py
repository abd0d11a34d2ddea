"""Plucked strings, computed: a burst of noise that runs round a loop and loses its high tones at each turn.

Synthetic through and through: no instrument was recorded. Good for trying things out, and for knowing what to hear.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rpganify.errors import DataError
from rpganify_wavegan.sounds import Sounds

SAMPLE_RATE = 16_000
LENGTH = 16_384
NUM_PER_NOTE = 100
NOTES = ("A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#")
_LOWEST_HZ = 220.0
_SEED = 0


def open_plucked(*, root: Path | None = None, argument: str | None = None) -> Sounds:
    """1,200 strings, 100 of each of the twelve notes from A3 (220 Hz) on, 1 s at 16 kHz; a generator gets their beginning.

    The same on every machine: their seed is fixed.

    Args:
        root: not used, nothing is read.
        argument: must be None.
    """
    if argument is not None:
        raise DataError(
            f"plucked has no parts, so {argument!r} names nothing; write `plucked`, or `plucked[A,C]` for some notes."
        )
    chance = np.random.default_rng(_SEED)
    sounds = np.concatenate([pluck(_period(note), NUM_PER_NOTE, LENGTH, chance) for note in range(len(NOTES))])
    labels = tuple(note for note in range(len(NOTES)) for _ in range(NUM_PER_NOTE))
    values = torch.from_numpy(np.rint(sounds * 32767).astype(np.int16))
    return Sounds("plucked", tuple(values), SAMPLE_RATE, labels, NOTES, is_cut_once=True)


def pluck(period: int, num_sounds: int, length: int, chance: np.random.Generator) -> NDArray[np.float32]:
    """Strings of one pitch that differ in their noise, how hard they were plucked, and how fast they fade.

    Args:
        period: samples of one turn round the loop; the pitch is sample rate / (period + 1/2).
        num_sounds: how many.
        length: samples of each.
        chance: where the differences come from.
    Returns:
        `(num_sounds, length)` in [-1, 1], the loudest sample of each between 0.5 and 1.
    Source:
        Karplus and Strong, "Digital Synthesis of Plucked-String and Drum Timbres", 1983: each turn is the mean of the two
        samples one turn and one turn and a sample ago, here times a factor that makes it fade.
    """
    turn = chance.uniform(-1, 1, (num_sounds, period)).astype(np.float32)
    softness = chance.uniform(0, 0.9, (num_sounds, 1)).astype(np.float32)
    turn = (1 - softness) * turn + softness * np.roll(turn, 1, axis=1)  # a soft pluck has fewer high tones
    turn -= turn.mean(axis=1, keepdims=True)  # a constant would outlive all tones
    fade = chance.uniform(0.985, 0.999, (num_sounds, 1)).astype(np.float32)
    turns, before = [turn], np.zeros((num_sounds, 1), np.float32)
    for _ in range(-(-length // period) - 1):
        shifted = np.concatenate([before, turn[:, :-1]], axis=1)
        before = turn[:, -1:]
        turn = fade * (turn + shifted) / 2
        turns.append(turn)
    sounds = np.concatenate(turns, axis=1)[:, :length]
    loudness = chance.uniform(0.5, 1.0, (num_sounds, 1)).astype(np.float32)
    return np.asarray(loudness * sounds / np.abs(sounds).max(axis=1, keepdims=True))


def _period(note: int) -> int:
    """Samples per turn of a note's string, so that its pitch is the nearest that a whole number of samples gives."""
    return round(SAMPLE_RATE / (_LOWEST_HZ * 2 ** (note / 12)) - 0.5)
