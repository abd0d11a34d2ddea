"""A training as a report: its curves, and its settings."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from rpganify.report.report import Cell, Column, Figure, JsonValue, Report, Table
from rpganify.report.style import COLOURS, INK, new_drawing, plain_axes
from rpganify.report.training_log import QualityLog, TrainingLog

MAX_POINTS = 2000
MAX_ALARMS = 5
# What stands in one panel; everything else that the steps have gets a panel of its own.
PANELS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("loss", {"discriminator_loss": "discriminator", "generator_loss": "generator"}),
    ("score of the discriminator", {"real_score": "real images", "fake_score": "generated images"}),
)
_DASHES = ("-", "--")
_HOW = "Faint: each step. Strong: the running mean over a fiftieth of the training."

DEFINITION = """
One value per generator step, as the training wrote it: faint the values themselves, strong their running mean over a
fiftieth of the training. The losses of a GAN's two networks depend on each other, so that neither needs to fall for the
images to become better; what to look for is that no curve runs away, and that the discriminator's scores of real and of
generated images stay within reach of each other.
"""


def training_report(log: TrainingLog, config: Mapping[str, JsonValue]) -> Report | None:
    """The report `training`, or None if no number has been written down.

    Args:
        log: what the training wrote.
        config: settings and facts of the training, shown as they are.
    """
    if not log.curves:
        return None
    chosen = np.unique(np.linspace(0, len(log.steps) - 1, min(len(log.steps), MAX_POINTS)).round().astype(int))
    raw = tuple((int(log.steps[i]), *(_cell(values[i]) for values in log.curves.values())) for i in chosen)
    columns = (Column("step"), *(Column(name) for name in log.curves))
    title = f"the values of {len(raw)} of {len(log.steps)} steps"
    return Report(
        name="training",
        title="Training",
        definition=DEFINITION,
        tables=(*_quality_tables(log), _ends(log.curves), Table("curves", title, columns, raw, is_raw=True)),
        figures=(*(_quality_figure(one) for one in log.quality), *_figures(log.steps, log.curves)),
        provenance=config,
        notes=_notes(log),
        summary=_summary(log),
    )


def _summary(log: TrainingLog) -> str:
    told = [f"{int(log.steps[-1]):,} steps.".replace(",", "\N{NARROW NO-BREAK SPACE}")]
    for one in log.quality:
        step, value = one.best
        told.append(f"{one.name} was best after step {step}: {value:.3g}.")
    return " ".join(told)


def _notes(log: TrainingLog) -> tuple[str, ...]:
    more = len(log.alarms) - MAX_ALARMS
    notes = [*log.alarms[:MAX_ALARMS], *([f"There were {more} alarms more."] if more > 0 else [])]
    return (*notes, *([f"{log.num_broken} lines of the training's logs could not be read."] if log.num_broken else []))


def _figures(steps: np.ndarray, curves: Mapping[str, np.ndarray]) -> list[Figure]:
    figures = []
    for title, names in _panels(curves):
        axes = _axes(title)
        for position, (name, label) in enumerate(names.items()):
            _curve(axes, steps, curves[name], COLOURS[(0, 5)[position % 2]], _DASHES[position % 2], label)
        _limit(axes, [curves[name] for name in names])
        caption = f"{title[0].upper()}{title[1:]} against the generator's steps. {_HOW}"
        figures.append(_figure(names, caption, axes, is_legended=any(names.values())))
    return figures


def _panels(curves: Mapping[str, np.ndarray]) -> list[tuple[str, dict[str, str]]]:
    found = [(title, {name: label for name, label in names.items() if name in curves}) for title, names in PANELS]
    grouped = {name for _, names in PANELS for name in names}
    found += [(name.replace("_", " "), {name: ""}) for name in curves if name not in grouped]
    return [(title, names) for title, names in found if names]


def _quality_figure(log: QualityLog) -> Figure:
    axes = _axes(log.name)
    axes.plot(log.steps, log.values, "-o", color=COLOURS[2], linewidth=1.5, markersize=4)
    step, value = log.best
    axes.plot([step], [value], "o", color=COLOURS[2], markersize=9, markerfacecolor="none", markeredgewidth=1.5)
    way = {True: "; lower is better", False: "; higher is better", None: ""}[log.is_lower_better]
    caption = f"{log.name} while the training went on{way}. Ringed: the best, after step {step}."
    return _figure(["quality", log.name], caption, axes, is_legended=False)


def _axes(title: str) -> Axes:
    axes = new_drawing(4.9, 2.9).add_subplot()
    plain_axes(axes)
    axes.set_ylabel(title, fontsize=8.5, color=INK, parse_math=False)
    axes.set_xlabel("step of the generator", fontsize=8.5, color=INK)
    return axes


def _figure(names: Iterable[str], caption: str, axes: Axes, *, is_legended: bool) -> Figure:
    if is_legended:
        axes.legend(fontsize=8, frameon=False, labelcolor=INK, loc="best")
    drawing = axes.get_figure(root=True)
    assert drawing is not None
    drawing.tight_layout(pad=0.6)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(names)).strip("-_.")[:100] or "curve"
    return Figure(name, caption, drawing)


def _curve(axes: Axes, steps: np.ndarray, values: np.ndarray, colour: str, dash: str, label: str) -> None:
    known = np.isfinite(values)
    x, y = steps[known], values[known]
    window = max(1, len(y) // 50)
    if window == 1:
        axes.plot(x, y, dash, color=colour, linewidth=1.6, marker="o" if len(y) < 60 else "", ms=3, label=label or None)
        return
    thin = slice(None, None, max(1, len(y) // MAX_POINTS))
    mean = np.convolve(y, np.ones(window) / window, mode="valid")
    axes.plot(x[thin], y[thin], color=colour, linewidth=0.5, alpha=0.22)
    axes.plot(x[window - 1 :][thin], mean[thin], dash, color=colour, linewidth=1.6, label=label or None)


def _limit(axes: Axes, values: Sequence[np.ndarray]) -> None:
    """A single start that is far off must not flatten everything after it."""
    together = np.concatenate([one[np.isfinite(one)] for one in values])
    low, high = np.percentile(together, [0.5, 99.5])
    margin = 0.06 * (high - low) or 0.5
    axes.set_ylim(low - margin, high + margin)


def _quality_tables(log: TrainingLog) -> list[Table]:
    rows: list[tuple[Cell, ...]] = []
    for one in log.quality:
        step, value = one.best
        way = {True: "lower", False: "higher", None: "–"}[one.is_lower_better]
        rows.append((one.name, way, value, step, float(one.values[-1])))
    columns = ("metric", "better", "best", "after step", "last")
    return [Table("quality", "Quality", tuple(Column(name) for name in columns), tuple(rows))] if rows else []


def _ends(curves: Mapping[str, np.ndarray]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, values in curves.items():
        known = values[np.isfinite(values)]
        tenth = max(1, len(known) // 10)
        rows.append((name.replace("_", " "), *_mean_std(known[:tenth]), *_mean_std(known[-tenth:])))
    columns = (
        Column("value"), Column("first tenth"), Column("first tenth std", is_error=True), Column("last tenth"),
        Column("last tenth std", is_error=True),
    )  # fmt: skip
    return Table("ends", "Start and end: mean ± standard deviation over steps", columns, tuple(rows))


def _mean_std(values: np.ndarray) -> tuple[float, float | None]:
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None


def _cell(value: float) -> Cell:
    return float(value) if math.isfinite(value) else None
