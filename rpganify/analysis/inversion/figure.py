"""Pictures of the inversion: how much of each bucket is read off an image, and images beside what their paths make."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure as Drawing
from torch import Tensor

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.inversion.predictor_score import BucketScore
from rpganify.analysis.variations.figure import GAP, LABEL_GAP, MARGIN, cell_size, place_picture, place_text
from rpganify.report.style import COLOURS, DPI, HATCHES, INK, MUTED, new_drawing, plain_axes, shorten

_LABEL_WIDTH = 300
_PATH_HEIGHT = 40
_PATH_LENGTH = 17  # longer ones do not fit below a picture
_MAX_COLUMNS = 10
_BAND_GAP = 40
_BAR = 0.36


@dataclass(frozen=True, slots=True)
class PictureRow:
    """A row of the grid.

    Args:
        title: what the pictures are.
        detail: a second line.
        images: uint8 `(N, C, H, W)`.
    """

    title: str
    detail: str
    images: Tensor


def draw_pictures(rows: Sequence[PictureRow], paths: Sequence[str], caption: str = "path found") -> Drawing:
    """Rows of pictures, an image per column, and a path below each column; more than ten images in several bands.

    Args:
        rows: the wanted images first.
        paths: one per image.
        caption: what the paths are.
    """
    height, width = cell_size(*rows[0].images.shape[2:])
    left = MARGIN + _LABEL_WIDTH + LABEL_GAP
    num_columns = min(len(paths), _MAX_COLUMNS)
    band_height = len(rows) * (height + GAP) + _PATH_HEIGHT + _BAND_GAP
    num_bands = math.ceil(len(paths) / _MAX_COLUMNS)
    total_width = left + num_columns * (width + GAP) - GAP + MARGIN
    total_height = 2 * MARGIN + num_bands * band_height - _BAND_GAP
    drawing = new_drawing(total_width / DPI, total_height / DPI)
    axes = drawing.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, total_width)
    axes.set_ylim(total_height, 0)
    axes.axis("off")
    for band in range(num_bands):
        top = MARGIN + band * band_height
        _label_rows(axes, rows, top, height, caption)
        for column, index in enumerate(range(band * _MAX_COLUMNS, min((band + 1) * _MAX_COLUMNS, len(paths)))):
            x = left + column * (width + GAP)
            for line, row in enumerate(rows):
                place_picture(axes, row.images[index], x, top + line * (height + GAP), width, height)
            below = top + len(rows) * (height + GAP) + _PATH_HEIGHT / 2
            place_text(axes, x + width / 2, below, shorten(paths[index], _PATH_LENGTH), 6.5, MUTED, align="center")
    return drawing


def _label_rows(axes: Axes, rows: Sequence[PictureRow], top: float, height: float, caption: str) -> None:
    for line, row in enumerate(rows):
        middle = top + line * (height + GAP) + height / 2
        place_text(axes, MARGIN, middle - 18, row.title, 10.5, INK, weight="bold")
        place_text(axes, MARGIN, middle + 20, row.detail, 8, MUTED)
    place_text(axes, MARGIN, top + len(rows) * (height + GAP) + _PATH_HEIGHT / 2, caption, 8, MUTED)


def draw_scores(scores: Sequence[BucketScore], names: Sequence[str]) -> Drawing:
    """For each bucket two bars, top-1 and top-5, with 95 % intervals, and a line across each where guessing would be."""
    drawing = new_drawing(max(5.0, 0.95 * len(names) + 1.0), 3.2)
    axes = drawing.add_subplot()
    plain_axes(axes)
    for bucket, score in enumerate(scores):
        for side, (estimate, chance) in enumerate(((score.top1, score.chance1), (score.top5, score.chance5))):
            _bar(axes, bucket + (side - 0.5) * (_BAR + 0.03), estimate, chance, side)
    labels = [f"{number}\n{shorten(name, 11)}" for number, name in enumerate(names, 1)]
    axes.set_xticks(range(len(names)))
    axes.set_xticklabels(labels, parse_math=False)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylim(0, 112)
    axes.set_yticks(range(0, 101, 20))
    axes.set_xlabel("bucket", fontsize=9, color=INK)
    axes.set_ylabel("images whose block is named [%]", fontsize=9, color=INK)
    _add_legend(axes)
    drawing.tight_layout(pad=0.8)
    return drawing


def _bar(axes: Axes, x: float, estimate: Estimate, chance: float, side: int) -> None:
    value = 100 * estimate.value
    axes.bar(x, value, width=_BAR, color=COLOURS[side], hatch=HATCHES[side], edgecolor="white", linewidth=0, zorder=2)
    spread = [[100 * (estimate.value - estimate.low)], [100 * (estimate.high - estimate.value)]]
    axes.errorbar(x, value, yerr=spread, color=INK, linewidth=1.0, capsize=2.5, capthick=1.0, zorder=4)
    axes.plot([x - _BAR / 2, x + _BAR / 2], [100 * chance] * 2, color="white", linewidth=3.2, zorder=5)
    axes.plot(
        [x - _BAR / 2, x + _BAR / 2], [100 * chance] * 2, color=INK, linewidth=1.4, linestyle=(0, (3, 1.5)), zorder=6
    )
    number = f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
    axes.annotate(
        number,
        (x, max(100 * estimate.high, 100 * chance)),
        (0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=7.5,
        color=INK,
        zorder=7,
    )


def _add_legend(axes: Axes) -> None:
    bars = [part for part in axes.containers if isinstance(part, BarContainer)]
    (line,) = axes.plot([], [], color=INK, linewidth=1.4, linestyle=(0, (3, 1.5)))
    axes.legend(
        [bars[0], bars[1], line],
        ["named first", "among the first five", "guessing"],
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=3,
        frameon=False,
        fontsize=8.5,
        handlelength=1.6,
        columnspacing=1.6,
        borderaxespad=0.2,
    )
