"""The picture of strips: a row of images per axis or per position, labelled, the position itself framed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from rpganify.analysis.geometry.strips import Strip
from rpganify.analysis.variations.figure import GAP, LABEL_GAP, MARGIN, cell_size, place_picture, place_text
from rpganify.report.style import COLOURS, DPI, INK, MUTED, RULE, new_drawing

_LABEL_WIDTH = 250
_HEAD = 44
_ROW_GAP = 12
_GROUP_GAP = 26
_MIN_ROW = 104


@dataclass(frozen=True, slots=True)
class StripRow:
    """A strip with its label.

    Args:
        title: such as "axis 3".
        details: further lines, at most two.
        strip: its images.
        starts_group: a little space is left above it.
    """

    title: str
    details: tuple[str, ...]
    strip: Strip
    starts_group: bool = False


def draw_strips(rows: Sequence[StripRow]) -> Drawing:
    """Strips below each other, all of as many images; small ones are enlarged by whole factors, so they stay crisp.

    Args:
        rows: at least one.
    """
    num_images = len(rows[0].strip.images)
    height, width = cell_size(*rows[0].strip.images.shape[2:])
    left = MARGIN + _LABEL_WIDTH + LABEL_GAP
    row_height = max(height, _MIN_ROW) + _ROW_GAP
    num_groups = sum(row.starts_group for row in rows[1:])
    total_width = left + num_images * (width + GAP) - GAP + MARGIN
    total_height = MARGIN + _HEAD + len(rows) * row_height - _ROW_GAP + num_groups * _GROUP_GAP + MARGIN
    drawing = new_drawing(total_width / DPI, total_height / DPI)
    axes = drawing.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, total_width)
    axes.set_ylim(total_height, 0)
    axes.axis("off")
    middle = num_images // 2
    for column in range(num_images):
        steps = column - middle
        label = "0" if steps == 0 else f"{steps:+d}".replace("-", "\N{MINUS SIGN}")
        x = left + column * (width + GAP) + width / 2
        place_text(axes, x, MARGIN + 10, label, 8, MUTED, align="center")
    place_text(axes, MARGIN, MARGIN + 10, "equal steps", 8, MUTED)
    top = float(MARGIN + _HEAD)
    for number, row in enumerate(rows):
        if row.starts_group and number:
            top += _GROUP_GAP
            axes.plot(
                [MARGIN, total_width - MARGIN], [top - _GROUP_GAP / 2 - _ROW_GAP / 2] * 2, color=RULE, linewidth=0.8
            )
        _place_row(axes, row, left, top + (row_height - _ROW_GAP - height) / 2, height, width)
        top += row_height
    return drawing


def _place_row(axes: Axes, row: StripRow, left: float, top: float, height: int, width: int) -> None:
    lines = 1 + len(row.details)
    first = top + height / 2 - 17 * (lines - 1)
    place_text(axes, MARGIN, first, row.title, 10, INK, weight="bold")
    for number, detail in enumerate(row.details, 1):
        place_text(axes, MARGIN, first + 34 * number, detail, 8, MUTED)
    middle = len(row.strip.images) // 2
    for column, image in enumerate(row.strip.images):
        frame = COLOURS[1] if column == middle else None  # ink would not show on a dark image
        place_picture(axes, image, left + column * (width + GAP), top, width, height, frame)
