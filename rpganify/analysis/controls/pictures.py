"""The grid of class-to-class translation: an image of each class, and what each class's control makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure as Drawing
from torch import Tensor

from rpganify.analysis.variations.figure import place_picture, place_text
from rpganify.report.style import COLOURS, DPI, INK, MUTED, new_drawing, shorten

# Pixels of the saved picture, at 200 per inch.
MARGIN = 28
GAP = 8
LETTER = 15
LABEL_GAP = 22
HEAD = 96
BEFORE_GAP = 34
CAPTION = 22
CELL = 96
_MISSED = COLOURS[5]


@dataclass(frozen=True, slots=True)
class Picture:
    """An image after an intervention.

    Args:
        image: uint8 `(C, H, W)`.
        is_reached: whether the classifier sees the wanted class in it.
        caption: below it; empty for none.
    """

    image: Tensor
    is_reached: bool
    caption: str = ""


@dataclass(frozen=True, slots=True)
class PictureRow:
    """An image and what is made of it.

    Args:
        label: its class.
        before: uint8 `(C, H, W)`.
        after: one per class; None where nothing is changed.
    """

    label: str
    before: Tensor
    after: tuple[Picture | None, ...]


def draw_translations(concepts: Sequence[str], rows: Sequence[PictureRow], title: str) -> Drawing:
    """A row per source, a column per target; small images are enlarged by whole factors.

    What the classifier does not see as the target is crossed at a corner, so that it shows in grey too.

    Args:
        concepts: names of the classes, of the columns.
        rows: at least one.
        title: above the columns.
    """
    longer = max(rows[0].before.shape[1:])
    factor = max(1, round(CELL / longer)) if longer <= 2 * CELL else CELL / longer
    height, width = (max(1, round(size * factor)) for size in rows[0].before.shape[1:])
    has_captions = any(picture is not None and picture.caption for row in rows for picture in row.after)
    row_height = height + GAP + (CAPTION if has_captions else 0)
    label_width = LABEL_GAP + LETTER * max(len(shorten(row.label, 10)) for row in rows)
    first = MARGIN + label_width + width + BEFORE_GAP
    total_width = first + len(concepts) * (width + GAP) - GAP + MARGIN
    total_height = MARGIN + HEAD + len(rows) * row_height + MARGIN // 2
    drawing = new_drawing(total_width / DPI, total_height / DPI)
    axes = drawing.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, total_width)
    axes.set_ylim(total_height, 0)
    axes.axis("off")
    place_text(axes, first, MARGIN + 14, title, 9.5, INK, weight="bold")
    place_text(axes, MARGIN + label_width + width / 2, MARGIN + HEAD - 22, "before", 8.5, MUTED, align="center")
    for column, name in enumerate(concepts):
        x = first + column * (width + GAP) + width / 2
        place_text(axes, x, MARGIN + HEAD - 22, shorten(name, 8), 9.5, INK, align="center", weight="bold")
    for index, row in enumerate(rows):
        top = MARGIN + HEAD + index * row_height
        place_text(
            axes, MARGIN + label_width - LABEL_GAP, top + height / 2, shorten(row.label, 10), 9.5, INK, "right", "bold"
        )
        place_picture(axes, row.before, MARGIN + label_width, top, width, height, frame=INK)
        for column, picture in enumerate(row.after):
            left = first + column * (width + GAP)
            if picture is None:
                place_text(axes, left + width / 2, top + height / 2, "–", 9, MUTED, align="center")
                continue
            place_picture(axes, picture.image, left, top, width, height)
            if not picture.is_reached:
                size = min(width, height) / 5
                right, upper = left + width - 3, top + 3
                for ends in (
                    ((right - size, right), (upper, upper + size)),
                    ((right - size, right), (upper + size, upper)),
                ):
                    axes.plot(*ends, color="white", linewidth=3.2, solid_capstyle="round")
                    axes.plot(*ends, color=_MISSED, linewidth=1.7, solid_capstyle="round")
            if picture.caption:
                place_text(axes, left + width / 2, top + height + 11, picture.caption, 6.5, MUTED, align="center")
    return drawing
