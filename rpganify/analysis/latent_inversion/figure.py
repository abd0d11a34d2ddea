"""Pictures of the inversion: distance against effort, every target's ratio, and what the latents found make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import FuncFormatter, NullFormatter
from torch import Tensor

from rpganify.analysis.bootstrap import interval, resample
from rpganify.analysis.latent_inversion.findings import Comparison
from rpganify.analysis.variations.figure import GAP, LABEL_GAP, MARGIN, cell_size, place_picture, place_text
from rpganify.report.style import COLOURS, DPI, INK, MUTED, RULE, new_drawing, plain_axes

# In grey print lines are told apart by their dashes.
DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (5, 2)),
    (0, (1, 1.4)),
    (0, (6, 2, 1, 2)),
    (0, (9, 3)),
)
_LABEL_WIDTH = 300
_NUMBER_HEIGHT = 30
_MAX_POINTS = 200  # of a curve; a page shows no more


@dataclass(frozen=True, slots=True)
class Line:
    """A method's way to its targets.

    Args:
        label: the method.
        passes: `(P,)`.
        distances: smallest so far, `(T, P)`.
        style: number of its colour and dashes.
        is_thin: drawn thin and without a band.
    """

    label: str
    passes: Tensor
    distances: Tensor
    style: int
    is_thin: bool = False


@dataclass(frozen=True, slots=True)
class PictureRow:
    """Pictures of one method, with a number below each.

    Args:
        title: the method.
        detail: a second line.
        images: uint8 `(n, C, H, W)`.
        numbers: printed below; empty for none.
    """

    title: str
    detail: str
    images: Tensor
    numbers: tuple[str, ...] = ()


def draw_curves(panels: Sequence[tuple[str, Sequence[Line]]], title: str, seed: int) -> Drawing:
    """Mean distances against generator passes, a panel per kind of images, with bootstrap bands of the means.

    Args:
        panels: title and lines of each.
        title: of the vertical axis.
        seed: of the bootstrap.
    """
    drawing = new_drawing(1.0 + 3.5 * len(panels), 4.3)
    low = min(float(line.distances.mean(dim=0).min()) for _, lines in panels for line in lines)
    first: Axes | None = None
    for number, (name, lines) in enumerate(panels):
        axes = drawing.add_subplot(1, len(panels), number + 1, sharey=first)
        first = first or axes
        plain_axes(axes)
        for line in lines:
            _draw_line(axes, line, seed)
        if low > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_formatter(
                FuncFormatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "235" else "")
            )
            axes.tick_params(which="minor", labelsize=8, labelcolor=INK, length=2, color=MUTED)
            axes.grid(axis="y", which="minor", color=RULE, linewidth=0.3)
        axes.set_title(name, fontsize=9.5, color=INK, loc="left")
        axes.set_xlabel("generator passes per image", fontsize=9, color=INK)
        if number == 0:
            axes.set_ylabel(title, fontsize=9, color=INK)
        else:
            axes.tick_params(which="both", labelleft=False)
    assert first is not None
    handles, labels = first.get_legend_handles_labels()
    num_rows = -(-len(labels) // (1 + len(panels)))
    drawing.tight_layout(pad=0.8, rect=(0, 0, 1, 1 - 0.05 * num_rows))
    drawing.legend(
        handles, labels, loc="upper left", bbox_to_anchor=(0.01, 1.0), ncols=1 + len(panels), frameon=False, fontsize=8.5,
        handlelength=3.4,
    )  # fmt: skip
    return drawing


def _draw_line(axes: Axes, line: Line, seed: int) -> None:
    shown = torch.linspace(0, len(line.passes) - 1, min(len(line.passes), _MAX_POINTS)).round().long().unique()
    passes, distances = line.passes[shown], line.distances[:, shown]
    colour, dashes = COLOURS[line.style % len(COLOURS)], DASHES[line.style % len(DASHES)]
    means = distances.mean(dim=0)
    if not line.is_thin:
        ends = interval(means, resample(distances, torch.Generator().manual_seed(seed)))
        known = [end for end in ends if end is not None]
        low, high = [end.low for end in known], [end.high for end in known]
        axes.fill_between(passes, low, high, color=colour, alpha=0.15, linewidth=0)
    width = 0.9 if line.is_thin else 1.9
    axes.plot(passes, means, color=colour, linestyle=dashes, linewidth=width, label=line.label, zorder=3)


def draw_ratios(panels: Sequence[tuple[str, Sequence[tuple[Comparison, Tensor]]]]) -> Drawing:
    """For each comparison every target's ratio of final distances, and that of the means with its interval.

    Args:
        panels: title, and comparisons with the ratios of their targets `(T,)`, those that are finite.
    """
    num_rows = max(len(rows) for _, rows in panels)
    drawing = new_drawing(2.2 + 2.9 * len(panels), 1.2 + 0.62 * num_rows)
    first: Axes | None = None
    for number, (name, rows) in enumerate(panels):
        axes = drawing.add_subplot(1, len(panels), number + 1, sharex=first, sharey=first)
        first = first or axes
        plain_axes(axes)
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", color=RULE, linewidth=0.6)
        axes.axvline(1, color=MUTED, linewidth=1.0, zorder=1)
        for row, (comparison, ratios) in enumerate(rows):
            _draw_ratios(axes, row, comparison, ratios)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(num_rows - 0.4, -0.6)
        axes.set_yticks(range(len(rows)))
        labels = [f"{comparison.method.name}\nagainst {comparison.method.against}" for comparison, _ in rows]
        axes.set_yticklabels(labels, fontsize=8, color=INK)
        axes.tick_params(axis="y", length=0, labelleft=number == 0)
        axes.set_title(name, fontsize=9.5, color=INK, loc="left")
        axes.set_xlabel("final distance, as a ratio", fontsize=9, color=INK)
    drawing.tight_layout(pad=0.8)
    return drawing


def _draw_ratios(axes: Axes, row: int, comparison: Comparison, ratios: Tensor) -> None:
    # Spread up and down by a fixed pattern that fills evenly: points of equal ratio stay visible, and no chance is drawn.
    heights = row + 0.22 * ((np.arange(len(ratios)) * 0.618034) % 1 * 2 - 1)
    axes.scatter(ratios, heights, s=9, color=COLOURS[0], alpha=0.55, linewidths=0, zorder=2)
    mean = comparison.paired.ratio
    if mean is not None and mean.value > 0:
        axes.plot([mean.low, mean.high], [row, row], color=INK, linewidth=2.2, zorder=4)
        axes.plot([mean.value], [row], marker="D", markersize=5.5, color=INK, markeredgecolor="white", zorder=5)


def draw_pictures(rows: Sequence[PictureRow]) -> Drawing:
    """Rows of pictures, an image per column, the wanted ones first, with numbers below the pictures.

    Args:
        rows: each with as many images.
    """
    height, width = cell_size(*rows[0].images.shape[2:])
    left = MARGIN + _LABEL_WIDTH + LABEL_GAP
    heights = [height + (_NUMBER_HEIGHT if row.numbers else GAP) + 4 for row in rows]
    total_width = left + len(rows[0].images) * (width + GAP) - GAP + MARGIN
    total_height = 2 * MARGIN + sum(heights)
    drawing = new_drawing(total_width / DPI, total_height / DPI)
    axes = drawing.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, total_width)
    axes.set_ylim(total_height, 0)
    axes.axis("off")
    top = float(MARGIN)
    for row, taken in zip(rows, heights, strict=True):
        place_text(axes, MARGIN, top + height / 2 - 18, row.title, 10, INK, weight="bold")
        place_text(axes, MARGIN, top + height / 2 + 20, row.detail, 8, MUTED)
        for column, image in enumerate(row.images):
            x = left + column * (width + GAP)
            place_picture(axes, image, x, top, width, height)
            if row.numbers:
                below = top + height + _NUMBER_HEIGHT / 2
                place_text(axes, x + width / 2, below, row.numbers[column], 7, MUTED, align="center")
        top += taken
    return drawing
