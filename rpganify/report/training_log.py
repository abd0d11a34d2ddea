"""What a training wrote down, whatever version of the trainer did: its steps, its quality, its alarms."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rpganify.errors import AnalysisError

_NOT_DRAWN = ("step", "images_per_s")


@dataclass(frozen=True, slots=True, eq=False)
class QualityLog:
    """The values of one metric.

    Args:
        name: of the metric.
        is_lower_better: which way it goes; None if nobody said.
        steps: int64 `(N,)`, rising.
        values: `(N,)`, finite.
    """

    name: str
    is_lower_better: bool | None
    steps: np.ndarray
    values: np.ndarray

    @property
    def best(self) -> tuple[int, float]:
        """Step and value of the best one; the first if there are several."""
        index = int(self.values.argmax() if self.is_lower_better is False else self.values.argmin())
        return int(self.steps[index]), float(self.values[index])


@dataclass(frozen=True, slots=True, eq=False)
class TrainingLog:
    """A training's numbers.

    Args:
        steps: int64 `(N,)`, rising.
        curves: values by name, `(N,)`, NaN where a step has none; times and speeds are left out.
        quality: metrics that were measured now and then.
        alarms: what the training warned of, with the step.
        num_broken: lines that could not be read.
    """

    steps: np.ndarray
    curves: Mapping[str, np.ndarray]
    quality: tuple[QualityLog, ...] = ()
    alarms: tuple[str, ...] = ()
    num_broken: int = 0


@dataclass(slots=True)
class _Lines:
    """JSON lines that have a step; those that are no such data, as an interrupted writer leaves, are counted."""

    num_broken: int = 0

    def read(self, path: Path) -> Iterator[dict[str, Any]]:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    row = json.loads(line)
                    row["step"] = int(row["step"])
                except (ValueError, LookupError, TypeError):
                    self.num_broken += 1
                else:
                    yield row


def read_training_log(metrics: Path, quality: Path | None = None, events: Path | None = None) -> TrainingLog:
    """What the files hold; of a step that was done twice, the last.

    Args:
        metrics: a JSON line per step.
        quality: a JSON line per measurement, with `name`, `value`, `is_lower_better`; None or missing is none.
        events: a JSON line per alarm, with `message`; None or missing is none.
    Raises:
        AnalysisError: the file of the steps cannot be read.
    """
    lines = _Lines()
    try:
        rows = {row["step"]: row for row in lines.read(metrics)}
        measured = list(lines.read(quality)) if quality is not None and quality.is_file() else []
        alarms = list(lines.read(events)) if events is not None and events.is_file() else []
    except OSError as error:
        raise AnalysisError(
            f"{metrics} cannot be read: {error.strerror or error}. Without it the training has no curves; the model can be "
            "analyzed without its run: name the checkpoint's generator.rpgan."
        ) from error
    steps = sorted(rows)
    told = tuple(f"Step {row['step']}: {row['message']}" for row in alarms if isinstance(row.get("message"), str))
    curves = _curves([rows[step] for step in steps])
    return TrainingLog(np.array(steps), curves, _quality(measured), told, lines.num_broken)


def _curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    names = dict.fromkeys(name for row in rows for name, value in row.items() if _is_number(value))
    drawn = [name for name in names if name not in _NOT_DRAWN and not name.endswith("_s")]
    return {name: np.array([row[name] if _is_number(row.get(name)) else math.nan for row in rows]) for name in drawn}


def _quality(rows: Sequence[Mapping[str, Any]]) -> tuple[QualityLog, ...]:
    found: dict[str, dict[int, Mapping[str, Any]]] = {}
    for row in rows:
        if _is_number(row.get("value")) and isinstance(row.get("name"), str):
            found.setdefault(row["name"], {})[row["step"]] = row
    logs = []
    for name, by_step in found.items():
        steps = sorted(by_step)
        way = by_step[steps[-1]].get("is_lower_better")
        values = np.array([float(by_step[step]["value"]) for step in steps])
        logs.append(QualityLog(name, way if isinstance(way, bool) else None, np.array(steps), values))
    return tuple(logs)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
