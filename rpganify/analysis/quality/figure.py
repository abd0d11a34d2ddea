"""Pictures of quality: precision–recall curves, and a measure against the number of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from rpganify.report.style import COLOURS, INK, MUTED, RULE, new_drawing, plain_axes, shorten

# In grey print curves are told apart by their dashes.
DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (5, 2)),
    (0, (1, 1.4)),
    (0, (6, 2, 1, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (9, 3)),
)


MARKERS = ("o", "s", "^", "D", "v", "P")


@dataclass(frozen=True, slots=True)
class Curve:
    """A precision–recall curve to draw.

    Args:
        label: whose it is.
        precision, recall: `(num_angles,)`.
        is_reference: real images against other real ones: drawn thin and grey.
    """

    label: str
    precision: np.ndarray
    recall: np.ndarray
    is_reference: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """Trainings of one setting on the chart against the number of blocks.

    Args:
        generator: whose trainings are joined by a line.
        num_blocks: where it stands on the axis; None for a standard generator, which is a line across.
        values: one per training.
    """

    generator: str
    num_blocks: float | None
    values: tuple[float, ...]


def draw_curves(curves: Sequence[Curve]) -> Drawing:
    """All curves in one square, recall to the right and precision upwards, as in figure 11."""
    drawing = new_drawing(4.6, 4.4 + 0.22 * len(curves))
    axes = drawing.add_subplot()
    plain_axes(axes)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    number = 0
    for curve in curves:
        label = shorten(curve.label, 52)
        if curve.is_reference:
            axes.plot(curve.recall, curve.precision, color=MUTED, linewidth=1.0, linestyle=(0, (1, 2)), label=label)
            continue
        axes.plot(
            curve.recall,
            curve.precision,
            color=COLOURS[number % len(COLOURS)],
            linestyle=DASHES[number % len(DASHES)],
            linewidth=2.0,
            label=label,
            zorder=3,
        )
        number += 1
    axes.set_xlim(0, 1.01)
    axes.set_ylim(0, 1.01)
    axes.set_aspect("equal")
    axes.set_xlabel("recall: share of the real images that is reached", fontsize=9, color=INK)
    axes.set_ylabel("precision: share of the images that is like real ones", fontsize=9, color=INK)
    _legend(axes)
    drawing.tight_layout(pad=1.0)
    return drawing


def draw_levels(levels: Sequence[Level], title: str, real: float | None) -> Drawing:
    """A measure against the number of blocks: a dot per training, mean and standard deviation per setting (figure 7).

    Args:
        levels: settings; those with blocks get a place on the axis, those without a line across.
        title: of the measure.
        real: its value for real images among themselves, the best that can be hoped for; None leaves it out.
    """
    generators = list(dict.fromkeys(level.generator for level in levels))
    drawing = new_drawing(5.6, 3.6 + 0.2 * len(levels))
    axes = drawing.add_subplot()
    plain_axes(axes)
    for number, generator in enumerate(generators):
        here = [level for level in levels if level.generator == generator]
        name = "" if len(generators) == 1 else f" ({shorten(generator, 36)})"
        _draw_series(axes, [level for level in here if level.num_blocks is not None], number, name)
        for level in here:
            if level.num_blocks is None:
                _draw_standard(axes, level, number, name)
    if real is not None:
        axes.axhline(real, color=MUTED, linewidth=1.0, linestyle=(0, (1, 2)), label="real images among themselves")
    x = sorted({level.num_blocks for level in levels if level.num_blocks is not None})
    if x[-1] >= 4 * x[0]:
        axes.set_xscale("log")
    axes.set_xticks(x, [f"{place:.3g}" for place in x])
    axes.minorticks_off()
    if len(x) == 1:
        axes.set_xlim(x[0] - 1, x[0] + 1)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]) if (real or 0) < 0 else 0)
    axes.set_xlabel("blocks per bucket", fontsize=9, color=INK)
    axes.set_ylabel(in_two_lines(title), fontsize=9, color=INK, parse_math=False)
    _legend(axes)
    drawing.tight_layout(pad=1.0)
    return drawing


def in_two_lines(title: str) -> str:
    """A measure's title with its extractor on a line below, where both are long."""
    measure, bracket, extractor = title.partition(" (")
    return f"{measure}\n{bracket.strip()}{shorten(extractor, 48)}" if len(title) > 36 and bracket else title


def _draw_series(axes: Axes, levels: Sequence[Level], number: int, name: str) -> None:
    """The settings of one generator that have blocks, joined by a line."""
    placed = sorted((level.num_blocks or 0.0, level.values) for level in levels)
    if not placed:
        return
    is_spread = any(len(values) > 1 for _, values in placed)
    stds = [float(np.std(values, ddof=1)) if len(values) > 1 else 0.0 for _, values in placed]
    axes.errorbar(
        [place for place, _ in placed],
        [float(np.mean(values)) for _, values in placed],
        yerr=stds if is_spread else None,
        color=COLOURS[number % len(COLOURS)],
        marker=MARKERS[number % len(MARKERS)],
        markersize=6,
        linewidth=1.6,
        capsize=4,
        label="random path generators" + (", mean ± std of the trainings" if is_spread else "") + name,
        zorder=3,
    )
    for place, values in placed:
        if len(values) > 1:
            axes.plot([place] * len(values), values, "o", color=INK, markersize=2.5, zorder=4)


def _draw_standard(axes: Axes, level: Level, number: int, name: str) -> None:
    """A line across at the mean of a standard generator, and a band from its best training to its worst."""
    label = "standard generator" + (
        f", mean and range of {len(level.values)} trainings" if len(level.values) > 1 else ""
    )
    colour = COLOURS[(number + 5) % len(COLOURS)]
    axes.axhline(float(np.mean(level.values)), color=colour, linewidth=1.4, linestyle=(0, (5, 2)), label=label + name)
    if len(level.values) > 1:
        axes.axhspan(min(level.values), max(level.values), color=colour, alpha=0.12, linewidth=0)


def _legend(axes: Axes) -> None:
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.01), fontsize=8, frameon=False, handlelength=3.2, borderaxespad=0.2
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
        text.set_color(INK)
