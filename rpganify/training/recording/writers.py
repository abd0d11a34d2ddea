"""The logs that every run has: a line per step, and a line per alarm."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from rpganify.training.callbacks import Alarm, Callback, StepMetrics, TrainStart
from rpganify.training.recording.json_lines import JsonLines

_FIELDS = [field.name for field in dataclasses.fields(StepMetrics)]


class MetricsWriter(Callback):
    """One JSON line per step, the fields of `StepMetrics`; the file ends where a training goes on."""

    def __init__(self, path: Path) -> None:
        self._file = JsonLines(path)

    def on_start(self, start: TrainStart) -> None:
        """Drop the lines of steps that are done again, and half a line that a crash left."""
        self._file.begin(start.step)

    def on_step(self, metrics: StepMetrics) -> None:
        """Append a line."""
        self._file.append({name: getattr(metrics, name) for name in _FIELDS})

    def on_rollback(self, start: TrainStart) -> None:
        """Drop the lines of steps that are taken back."""
        self._file.begin(start.step)

    def close(self) -> None:
        """Close the file; the trainer does so however the training ends."""
        self._file.close()


class AlarmWriter(Callback):
    """One JSON line per alarm; alarms of steps that were taken back stay, since they say why."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_alarm(self, alarm: Alarm) -> None:
        """Append a line; the file is made with the first."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(alarm), ensure_ascii=False) + "\n")
