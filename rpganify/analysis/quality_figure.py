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
        num_blocks: where it stands on the axis; None for a standard generator, which is a line across.
        values: one per training.
    """

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
        real: its value for real images among themselves, the lowest that can be hoped for; None leaves it out.
    """
    drawing = new_drawing(5.6, 3.9)
    axes = drawing.add_subplot()
    plain_axes(axes)
    placed = sorted(
        (level for level in levels if level.num_blocks is not None), key=lambda level: level.num_blocks or 0
    )
    x = [float(level.num_blocks or 0) for level in placed]
    means = [float(np.mean(level.values)) for level in placed]
    stds = [float(np.std(level.values, ddof=1)) if len(level.values) > 1 else 0.0 for level in placed]
    for place, level in zip(x, placed, strict=True):
        if len(level.values) > 1:
            axes.plot([place] * len(level.values), level.values, "o", color=MUTED, markersize=3, zorder=4)
    is_spread = any(len(level.values) > 1 for level in placed)
    axes.errorbar(
        x,
        means,
        yerr=stds if is_spread else None,
        color=COLOURS[0],
        marker="o",
        markersize=6,
        linewidth=1.6,
        capsize=4,
        label="random path generators: mean ± std of the trainings" if is_spread else "random path generators",
        zorder=3,
    )
    for level in levels:
        if level.num_blocks is None:
            mean = float(np.mean(level.values))
            label = "standard generator" + (f", mean of {len(level.values)} trainings" * (len(level.values) > 1))
            axes.axhline(mean, color=COLOURS[5], linewidth=1.4, linestyle=(0, (5, 2)), label=label)
            if len(level.values) > 1:
                axes.axhspan(min(level.values), max(level.values), color=COLOURS[5], alpha=0.12, linewidth=0)
    if real is not None:
        axes.axhline(real, color=MUTED, linewidth=1.0, linestyle=(0, (1, 2)), label="real images among themselves")
    if len(set(x)) > 1 and max(x) / min(x) >= 4:
        axes.set_xscale("log")
    axes.set_xticks(sorted(set(x)), [f"{place:.3g}" for place in sorted(set(x))])
    axes.minorticks_off()
    if len(set(x)) == 1:
        axes.set_xlim(x[0] - 1, x[0] + 1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("blocks per bucket", fontsize=9, color=INK)
    axes.set_ylabel(shorten(title, 44), fontsize=9, color=INK, parse_math=False)
    _legend(axes)
    drawing.tight_layout(pad=1.0)
    return drawing


def _legend(axes: Axes) -> None:
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.01), fontsize=8, frameon=False, handlelength=3.2, borderaxespad=0.2
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
        text.set_color(INK)
