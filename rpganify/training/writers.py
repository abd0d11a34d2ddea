"""The writers that every run has: metrics as JSON lines, and grids of samples."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import IO

import torch
from torch import Tensor
from torchvision.utils import save_image

from rpganify.data.display import as_pictures
from rpganify.data.sound import is_sound, write_wav
from rpganify.training.callbacks import Callback, StepMetrics, TrainResult, TrainStart
from rpganify.training.randomness import derived_seed, seeded_globals, stream
from rpganify.training.steps import ImageGenerator


class MetricsWriter(Callback):
    """One JSON line per step, the fields of `StepMetrics`; the file ends where a resumed training goes on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def on_start(self, start: TrainStart) -> None:
        """Drop the lines of steps that are done again, and half a line that a crash left."""
        kept = [line for line in _lines(self._path) if _step_of(line) in range(1, start.step + 1)]
        aside = self._path.with_suffix(".aside")
        aside.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        os.replace(aside, self._path)
        # Line buffered: whoever follows the file sees each step as it is done.
        self._file = self._path.open("a", encoding="utf-8", buffering=1)

    def on_step(self, metrics: StepMetrics) -> None:
        """Append a line."""
        if self._file is not None:
            self._file.write(json.dumps(dataclasses.asdict(metrics)) + "\n")

    def close(self) -> None:
        """Close the file; the trainer does so however the training ends."""
        if self._file is not None:
            self._file.close()
            self._file = None


class SampleGridWriter(Callback):
    """A PNG grid of the same codes at intervals, and before the first step; leaves no trace in the training.

    What is no picture is drawn as one (`data.display.as_pictures`); sound is written as `step-000500.wav` as well.

    Args:
        directory: where `step-000500.png` goes.
        generator: is put into evaluation mode while it draws.
        every: steps between grids.
        num_samples: images in the grid.
        batch_size: most images that are made at once.
        seed: of the codes, and of any noise that the generator itself draws.
        sample_rate: samples per second, if the data is sound.
    """

    def __init__(
        self,
        directory: Path,
        generator: ImageGenerator,
        *,
        every: int,
        num_samples: int,
        batch_size: int,
        seed: int,
        sample_rate: int | None = None,
    ) -> None:
        self._directory = directory
        self._generator = generator
        self._every = every
        self._batch_size = batch_size
        self._seed = seed
        self._sample_rate = sample_rate
        self._codes = generator.draw(num_samples, stream(seed, "samples"))

    def on_start(self, start: TrainStart) -> None:
        """Write the grid of the untrained generator."""
        if start.step == 0:
            self._write(0)

    def on_step(self, metrics: StepMetrics) -> None:
        """Write a grid if one is due."""
        if metrics.step % self._every == 0:
            self._write(metrics.step)

    def on_end(self, result: TrainResult) -> None:
        """Write the last grid."""
        if result.metrics is not None and result.step % self._every:
            self._write(result.step)

    def _write(self, step: int) -> None:
        samples = self._images()
        images = as_pictures(samples)
        self._directory.mkdir(parents=True, exist_ok=True)
        aside = self._directory / ".aside.png"
        num_columns = math.ceil(math.sqrt(len(images)))
        save_image(images, aside, nrow=num_columns, normalize=True, value_range=(-1, 1))
        os.replace(aside, self._directory / f"step-{step:06d}.png")
        if self._sample_rate is not None and is_sound(tuple(samples.shape[1:])):
            write_wav(self._directory / f"step-{step:06d}.wav", samples, self._sample_rate)

    def _images(self) -> Tensor:
        was_training = self._generator.training
        self._generator.train(False)
        try:
            with torch.no_grad(), seeded_globals(derived_seed(self._seed, "samples", 1)):
                batches = torch.split(self._codes, self._batch_size)
                return torch.cat([self._generator.images(codes).float().cpu() for codes in batches])
        finally:
            self._generator.train(was_training)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []


def _step_of(line: str) -> int | None:
    """The step of a metrics line; None for half a line."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return None
    return step if isinstance(step, int) else None
