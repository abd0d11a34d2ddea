"""The built-in callback `csv`: a training's metrics as a table that any spreadsheet opens."""

from __future__ import annotations

import csv
import dataclasses
import os
from pathlib import Path
from typing import IO

from rpganify.errors import TrainingError
from rpganify.training.callbacks import Callback, StepMetrics, TrainResult, TrainStart

# A table has no room for one number per bucket: those are in metrics.jsonl.
_COLUMNS = [field.name for field in dataclasses.fields(StepMetrics) if field.name != "gradient_norms"]


class MetricsTable(Callback):
    """One CSV row per step, the fields of `StepMetrics` but the gradient norms; it ends where a training goes on.

    Args:
        name: of the file in the run's folder.
    Raises:
        TrainingError: the name leads out of that folder.
    """

    def __init__(self, name: str = "metrics.csv") -> None:
        if Path(name).name != name or name in (".", ".."):
            raise TrainingError(f"`csv` writes into the run's folder and takes a file's name, not {name!r}.")
        self._name = name
        self._file: IO[str] | None = None

    def on_start(self, start: TrainStart) -> None:
        """Write the headings, and keep the rows of steps that are not done again."""
        self._close()
        path = start.run / self._name
        rows = [_COLUMNS, *(row for row in _rows(path) if 1 <= int(row[0]) <= start.step)]
        aside = path.with_name(f".{path.name}.writing")
        with aside.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        os.replace(aside, path)
        # Line buffered: whoever follows the file sees each step as it is done.
        self._file = path.open("a", encoding="utf-8", newline="", buffering=1)

    def on_step(self, metrics: StepMetrics) -> None:
        """Append a row; what a loss does not have is left empty."""
        if self._file is not None:
            csv.writer(self._file).writerow([getattr(metrics, name) for name in _COLUMNS])

    def on_rollback(self, start: TrainStart) -> None:
        """Drop the rows of steps that are taken back."""
        self.on_start(start)

    def on_end(self, result: TrainResult) -> None:
        """Close the file."""
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def open_table(argument: str = "metrics.csv") -> MetricsTable:
    """The callback that `--callback csv` or `--callback csv:FILE` names."""
    return MetricsTable(argument)


def _rows(path: Path) -> list[list[str]]:
    """Whole rows of an earlier table, which may lack newer columns; a row that a crash cut short is left out."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    whole = [dict(zip(rows[0], row, strict=True)) for row in rows[1:] if len(row) == len(rows[0])]
    return [[row.get(name, "") for name in _COLUMNS] for row in whole if row.get("step", "").isdecimal()]
