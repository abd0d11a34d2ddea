"""How good a generator is while it trains: the metric's protocol, and the file that keeps its values."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Protocol

from rpganify.errors import TrainingError
from rpganify.training.callbacks import Callback, Quality, TrainResult, TrainStart
from rpganify.training.networks import ImageGenerator
from rpganify.training.recording.json_lines import JsonLines, read_lines


class QualityMetric(Protocol):
    """One number for a generator, always measured in the same way; `analysis.monitor.QualityMonitor` is one."""

    @property
    def name(self) -> str:
        """What is measured, with which features: values of different names do not compare."""

    @property
    def is_lower_better(self) -> bool:
        """Whether 0 is perfect, as of a distance."""

    def __call__(self, generator: ImageGenerator, /) -> float:
        """The value now; leaves training flags, gradients and random states as they are."""


class QualityLog(Callback):
    """The values of a training's quality metric, kept in a file of JSON lines; the fields of `Quality`.

    It is its own reader: a resumed training knows the values of the steps that it does not do again, and so which one is
    the best.

    Args:
        path: of the file, `quality.jsonl`.
        metric: what is measured.
    """

    def __init__(self, path: Path, metric: QualityMetric) -> None:
        self._path = path
        self._metric = metric
        self._file = JsonLines(path)
        self._values: list[Quality] = []

    @property
    def best(self) -> Quality | None:
        """The best value so far, the first of equals; None before the first."""
        found = [quality for quality in self._values if quality.is_best]
        return found[-1] if found else None

    @property
    def last(self) -> Quality | None:
        """The newest value; None before the first."""
        return self._values[-1] if self._values else None

    def on_start(self, start: TrainStart) -> None:
        """Take over the values up to this step.

        Raises:
            TrainingError: they are of another metric.
        """
        self._file.begin(start.step)
        try:
            self._values = self._read_back()
        except TrainingError:
            self._file.close()
            raise

    def measure(self, generator: ImageGenerator, step: int) -> Quality:
        """Measure a generator and write the value down.

        Args:
            generator: as it is after `step` steps.
            step: generator steps that are done.
        Raises:
            TrainingError: the value is not finite.
        """
        value = float(self._metric(generator))
        if not math.isfinite(value):
            raise TrainingError(f"Step {step}: the quality metric {self._metric.name} gave {value}.")
        best = self.best
        is_lower_better = self._metric.is_lower_better
        is_best = best is None or (value < best.value if is_lower_better else value > best.value)
        quality = Quality(step, self._metric.name, value, is_lower_better, is_best)
        self._values.append(quality)
        self._file.append(dataclasses.asdict(quality))
        return quality

    def on_rollback(self, start: TrainStart) -> None:
        """Forget the values of steps that are taken back."""
        self.on_start(start)

    def on_end(self, result: TrainResult) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    def _read_back(self) -> list[Quality]:
        values = [_read(record, self._path) for record in read_lines(self._path)]
        strangers = sorted({quality.name for quality in values} - {self._metric.name})
        if strangers:
            raise TrainingError(
                f"{self._path} holds values of {strangers[0]!r}, and this training measures {self._metric.name!r}, which "
                "does not compare with it. Measure as before, or move the file away; the best checkpoint so far is "
                "forgotten with it."
            )
        return values


def _read(record: dict[str, object], path: Path) -> Quality:
    match record:
        case {
            "step": int(step),
            "name": str(name),
            "value": float() | int() as value,
            "is_lower_better": bool(is_lower_better),
            "is_best": bool(is_best),
        }:
            return Quality(step, name, float(value), is_lower_better, is_best)
    raise TrainingError(
        f"{path} holds {record}, which is no value of a quality metric. Move the file away; the training then measures anew."
    )
