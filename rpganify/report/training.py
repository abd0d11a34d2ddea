"""A training as a report: its curves, and its settings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from rpganify.errors import AnalysisError
from rpganify.report.report import Cell, Column, Figure, JsonValue, Report, Table
from rpganify.report.style import COLOURS, INK, new_drawing, plain_axes

MAX_POINTS = 2000
_DASHES = ("-", "--", ":", "-.")
# What stands in one panel; everything else that a line holds gets a panel of its own, but times and speeds.
PANELS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("loss", {"discriminator_loss": "discriminator", "generator_loss": "generator"}),
    ("mean score of the discriminator", {"real_score": "real images", "fake_score": "generated images"}),
)
_NOT_DRAWN = ("step", "images_per_s")

DEFINITION = """
One value per generator step, as the training wrote it: faint the values themselves, strong their running mean over a
fiftieth of the training. The losses of a GAN's two networks depend on each other, so that neither needs to fall for the
images to become better; what to look for is that no curve runs away, and that the discriminator's scores of real and of
generated images stay within reach of each other.
"""


def training_report(metrics: Path, config: Mapping[str, JsonValue]) -> Report | None:
    """The report `training`, or None if no step has been written down.

    Args:
        metrics: file with a JSON line per step; lines that are no such data, as an interrupted writer leaves, are
            passed over and counted.
        config: settings and facts of the training, shown as they are.
    Raises:
        AnalysisError: the file cannot be read.
    """
    rows, num_broken = _read(metrics)
    if not rows:
        return None
    steps = np.array(sorted(rows))
    curves = _curves([rows[step] for step in steps])
    if not curves:
        return None
    chosen = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), MAX_POINTS)).round().astype(int))
    raw = tuple((int(steps[i]), *(_cell(values[i]) for values in curves.values())) for i in chosen)
    columns = (Column("step"), *(Column(name) for name in curves))
    notes = (f"{num_broken} lines of {metrics.name} could not be read.",) if num_broken else ()
    return Report(
        name="training",
        title="Training",
        definition=DEFINITION,
        tables=(
            _ends(curves),
            Table("curves", f"the values of {len(raw)} of {len(steps)} steps", columns, raw, is_raw=True),
        ),
        figures=(Figure("curves", _caption(curves), _draw(steps, curves)),),
        provenance=config,
        notes=notes,
        summary=f"{int(steps[-1]):,} steps.".replace(",", "\N{NARROW NO-BREAK SPACE}"),
    )


def _read(metrics: Path) -> tuple[dict[int, dict[str, Any]], int]:
    """The lines by step, the last one where a step was done twice; and how many were no data."""
    rows: dict[int, dict[str, Any]] = {}
    num_broken = 0
    try:
        with metrics.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    row = json.loads(line)
                    rows[int(row["step"])] = row
                except (ValueError, LookupError, TypeError):
                    num_broken += 1
    except OSError as error:
        raise AnalysisError(
            f"{metrics} cannot be read: {error.strerror or error}. Without it the training has no curves; the model can be "
            "analyzed without its run: name the checkpoint's generator.rpgan."
        ) from error
    return rows, num_broken


def _curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Every number that lines hold, NaN where one has none."""
    names = dict.fromkeys(name for row in rows for name, value in row.items() if _is_number(value))
    drawn = [name for name in names if name not in _NOT_DRAWN and not name.endswith("_s")]
    return {name: np.array([row[name] if _is_number(row.get(name)) else math.nan for row in rows]) for name in drawn}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _panels(curves: Mapping[str, np.ndarray]) -> list[tuple[str, dict[str, str]]]:
    found = [(title, {name: label for name, label in names.items() if name in curves}) for title, names in PANELS]
    grouped = {name for _, names in PANELS for name in names}
    found += [(name.replace("_", " "), {name: ""}) for name in curves if name not in grouped]
    return [(title, names) for title, names in found if names]


def _draw(steps: np.ndarray, curves: Mapping[str, np.ndarray]) -> Drawing:
    panels = _panels(curves)
    num_columns = {1: 1, 2: 2, 4: 2}.get(len(panels), 3)
    num_rows = math.ceil(len(panels) / num_columns)
    drawing = new_drawing(3.6 * num_columns, 2.6 * num_rows)
    for index, (title, names) in enumerate(panels):
        axes = drawing.add_subplot(num_rows, num_columns, index + 1)
        plain_axes(axes)
        for position, (name, label) in enumerate(names.items()):
            _curve(axes, steps, curves[name], COLOURS[(0, 5)[position % 2]], _DASHES[position % 2], label)
        _limit(axes, [curves[name] for name in names])
        axes.set_title(title, fontsize=9, color=INK, loc="left")
        axes.set_xlabel("step", fontsize=8, color=INK)
        if any(names.values()):
            axes.legend(fontsize=7.5, frameon=False, labelcolor=INK, loc="best")
    drawing.tight_layout(pad=0.8, w_pad=2, h_pad=1.6)
    return drawing


def _curve(axes: Axes, steps: np.ndarray, values: np.ndarray, colour: str, dash: str, label: str) -> None:
    known = np.isfinite(values)
    x, y = steps[known], values[known]
    window = max(1, len(y) // 50)
    thin = slice(None, None, max(1, len(y) // MAX_POINTS))
    if window == 1:
        axes.plot(x, y, dash, color=colour, linewidth=1.6, marker="o" if len(y) < 60 else "", ms=3, label=label or None)
        return
    mean = np.convolve(y, np.ones(window) / window, mode="valid")
    axes.plot(x[thin], y[thin], color=colour, linewidth=0.5, alpha=0.22)
    axes.plot(x[window - 1 :], mean, dash, color=colour, linewidth=1.6, label=label or None)


def _limit(axes: Axes, values: Sequence[np.ndarray]) -> None:
    """A single start that is far off must not flatten everything after it."""
    together = np.concatenate([one[np.isfinite(one)] for one in values])
    low, high = np.percentile(together, [0.5, 99.5])
    margin = 0.06 * (high - low) or 0.5
    axes.set_ylim(low - margin, high + margin)


def _ends(curves: Mapping[str, np.ndarray]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, values in curves.items():
        known = values[np.isfinite(values)]
        tenth = max(1, len(known) // 10)
        first, last = known[:tenth], known[-tenth:]
        rows.append((name.replace("_", " "), *_mean_std(first), *_mean_std(last)))
    columns = (
        Column("value"), Column("first tenth"), Column("first tenth std", is_error=True), Column("last tenth"),
        Column("last tenth std", is_error=True),
    )  # fmt: skip
    return Table("ends", "Start and end: mean ± standard deviation over steps", columns, tuple(rows))


def _mean_std(values: np.ndarray) -> tuple[float, float | None]:
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None


def _cell(value: float) -> Cell:
    return float(value) if math.isfinite(value) else None


def _caption(curves: Mapping[str, np.ndarray]) -> str:
    told = ", ".join(title for title, _ in _panels(curves))
    return f"Against the generator's steps: {told}. Faint: each step. Strong: running mean over a fiftieth of the training."
