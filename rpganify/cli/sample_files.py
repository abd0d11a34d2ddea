"""Samples as files: pictures, sound or plain numbers, by the file's suffix."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from torch import Tensor

_OTHERS = (".wav", ".npy")
DEFAULT_RATE = 16_000


def check_sample_path(path: Path) -> None:
    """Refuses a file name that says no format, before any work is done.

    Raises:
        typer.BadParameter: another suffix than the formats written here.
    """
    from rpganify.cli.pictures import SUFFIXES

    if path.suffix.lower() not in (*SUFFIXES, *_OTHERS):
        raise typer.BadParameter(
            f"{str(path)!r} must end in one of {', '.join((*SUFFIXES, *_OTHERS))}.", param_hint="--output"
        )


def write_samples(
    values: Tensor,
    path: Path,
    labels: Sequence[str],
    title: str,
    *,
    num_columns: int | None = None,
    rate: int | None,
    model: Path,
) -> list[str]:
    """Writes what a model made, and says what a user should know of it.

    Args:
        values: float `(N, *shape)`, N >= 1.
        path: its suffix says the format.
        labels: one under each picture, or none.
        title: above all pictures, or "".
        num_columns: pictures in a row; None for about as many as rows.
        rate: samples per second of sound; None takes that of the model's training data, else 16,000.
        model: where the model came from, for the rate.
    Raises:
        typer.BadParameter: sound is asked for, and the samples are none.
    """
    from rpganify.analysis.generation import to_uint8
    from rpganify.cli.pictures import draw_grid, save_picture
    from rpganify.data.display import as_pictures, is_picture
    from rpganify.data.sound import is_sound, write_wav

    shape = tuple(values.shape[1:])
    shown = "×".join(map(str, shape))
    suffix = path.suffix.lower()
    if suffix == ".npy":
        _write_npy(path, values)
        return []
    if suffix == ".wav":
        if not is_sound(shape):
            raise typer.BadParameter(
                f"This generator makes {shown}, which is no sound; a .wav holds (1, length) or (2, length). "
                "Write a .png to look at, or a .npy with the numbers.",
                param_hint="--output",
            )
        known = rate or _recorded_rate(model)
        write_wav(path, values, known or DEFAULT_RATE)
        return [] if known else [f"{DEFAULT_RATE:,} samples per second are a guess; --rate HZ says another."]
    save_picture(draw_grid(to_uint8(as_pictures(values)), labels, title, num_columns), path)
    if is_picture(shape):
        return []
    advice = (
        "-o FILE.wav writes sound, -o FILE.npy the numbers" if is_sound(shape) else "-o FILE.npy writes the numbers"
    )
    return [f"the output is {shown}, no picture of 1 or 3 channels, and was drawn as one; {advice}."]


def _recorded_rate(model: Path) -> int | None:
    """Samples per second of the data that a run was trained on, if the model is a run and the data was sound."""
    from rpganify.errors import TrainingError
    from rpganify.training.run import RunDirectory, read_record

    try:
        told = read_record(RunDirectory(model)).provenance.get("sample rate", "")
    except TrainingError:  # a model that is no run
        return None
    return int(told) if told.isdecimal() else None


def _write_npy(path: Path, values: Tensor) -> None:
    """Written aside and renamed, so that a failure leaves what was there; makes missing folders."""
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.stem}-writing.npy")
    try:
        np.save(aside, values.numpy())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
