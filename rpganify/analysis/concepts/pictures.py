"""The same images before and after: for each concept, the single intervention that raises it most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure as Drawing
from torch import Tensor

from rpganify.analysis.variations.figure import place_picture, place_text
from rpganify.report.style import COLOURS, DPI, INK, MUTED, RULE, new_drawing, shorten

# Pixels of the saved picture, at 200 per inch.
_MARGIN, _GAP, _ROW_GAP, _HEAD, _CELL = 28, 8, 14, 92, 96
_LETTER, _MIN_LABEL = 12.2, 240  # of the labels' size of letters


@dataclass(frozen=True, slots=True)
class Raised:
    """What an intervention makes of images.

    Args:
        concept: its name.
        label: the intervention, and by how much it raises the concept.
        images: after it, uint8 `(k, C, H, W)`.
        is_of_concept: which of them the classifier takes for the concept, bool `(k,)`.
    """

    concept: str
    label: str
    images: Tensor
    is_of_concept: Tensor


def draw_raised(before: Tensor, rows: Sequence[Raised]) -> Drawing:
    """The images as they were, and a row for each concept; what the classifier takes for the concept is framed.

    Args:
        before: uint8 `(k, C, H, W)`.
        rows: one per concept that an intervention raises.
    """
    longer = max(before.shape[2:])
    factor = max(1, round(_CELL / longer)) if longer <= 2 * _CELL else _CELL / longer
    height, width = (max(1, round(size * factor)) for size in before.shape[2:])
    left = _MARGIN + max(_MIN_LABEL, round(_LETTER * max(len(row.label) for row in rows)) + 24)
    total_width = left + len(before) * (width + _GAP) - _GAP + _MARGIN
    first = _MARGIN + _HEAD
    total_height = first + (len(rows) + 1) * (height + _ROW_GAP) + 2 * _ROW_GAP
    drawing = new_drawing(total_width / DPI, total_height / DPI)
    axes = drawing.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, total_width)
    axes.set_ylim(total_height, 0)
    axes.axis("off")
    place_text(axes, _MARGIN, _MARGIN + 8, "The same images, one variable set", 10.5, INK, weight="bold")
    place_text(axes, _MARGIN, _MARGIN + 46, "Framed: taken for the class by the classifier.", 8.5, MUTED)
    place_text(axes, _MARGIN, first + height / 2, "as they were", 9.5, MUTED)
    for column, image in enumerate(before):
        place_picture(axes, image, left + column * (width + _GAP), first, width, height)
    rule = first + height + _ROW_GAP
    axes.plot([_MARGIN, total_width - _MARGIN], [rule, rule], color=RULE, linewidth=0.8)
    for index, row in enumerate(rows):
        top = first + (index + 1) * (height + _ROW_GAP) + _ROW_GAP
        place_text(axes, _MARGIN, top + height / 2 - 15, shorten(row.concept, 20), 10.5, INK, weight="bold")
        place_text(axes, _MARGIN, top + height / 2 + 17, row.label, 7.5, MUTED)
        for column, image in enumerate(row.images):
            frame = COLOURS[0] if row.is_of_concept[column] else None
            place_picture(axes, image, left + column * (width + _GAP), top, width, height, frame=frame)
    return drawing
