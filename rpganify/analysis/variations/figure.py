"""The picture of variations: a path's image on top, a row of labelled pictures per bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from torch import Tensor

from rpganify.report.style import DPI, INK, MUTED, RULE, new_drawing, shorten

# All lengths are pixels of the saved picture, at 200 per inch.
MARGIN = 36
GAP = 10
ROW_GAP = 16
NUMBER_HEIGHT = 34  # the block's number under a picture
LABEL_WIDTH = 316
LABEL_GAP = 28
TITLE_HEIGHT = 108
TITLE_WIDTH = 730
MIN_ROW_HEIGHT = 136  # of a row label's three lines, where images are flat
CELL = 160
MAX_CELL = 256
POINT = DPI / 72  # pixels per point of text


@dataclass(frozen=True, slots=True)
class VariationRow:
    """One row of the picture.

    Args:
        number: of the bucket, from 1.
        name: of the bucket.
        num_blocks: that it has.
        base_block: the base path's block in it.
        blocks: the other blocks shown.
        images: of those, uint8 `(len(blocks), C, H, W)`.
    """

    number: int
    name: str
    num_blocks: int
    base_block: int
    blocks: tuple[int, ...]
    images: Tensor


def draw_variations(path: str, base: Tensor, rows: Sequence[VariationRow]) -> Drawing:
    """The figure, laid out pixel by pixel: small images are enlarged by whole factors, so they stay crisp.

    Args:
        path: the base path, printed.
        base: its image, uint8 `(C, H, W)`.
        rows: one per bucket.
    """
    height, width = cell_size(base.shape[1], base.shape[2])
    columns = max(len(row.blocks) for row in rows)
    left = MARGIN + LABEL_WIDTH + LABEL_GAP
    beside = left + width + LABEL_GAP
    row_height = max(height + NUMBER_HEIGHT, MIN_ROW_HEIGHT) + ROW_GAP
    total_width = MARGIN + max(left + columns * (width + GAP) - GAP, beside + TITLE_WIDTH)
    first_row = MARGIN + max(height, TITLE_HEIGHT) + NUMBER_HEIGHT + 2 * ROW_GAP
    total_height = first_row + len(rows) * row_height - ROW_GAP + MARGIN // 2
    drawing = new_drawing(total_width / DPI, total_height / DPI)
    axes = drawing.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, total_width)
    axes.set_ylim(total_height, 0)
    axes.axis("off")

    place_picture(axes, base, left, MARGIN, width, height, frame=INK)
    place_text(axes, MARGIN, MARGIN + 24, "Path", 11, INK, weight="bold")
    place_text(axes, MARGIN, MARGIN + 60, *_fitting(path), INK)
    place_text(axes, beside, MARGIN + 24, "One path, one bucket changed at a time", 11, INK, weight="bold")
    place_text(axes, beside, MARGIN + 60, "Each row: other blocks of that bucket, all others frozen.", 9, MUTED)
    place_text(axes, beside, MARGIN + 90, "Below each picture: its block's number.", 9, MUTED)
    _rule(axes, first_row - ROW_GAP - 4, total_width)

    for index, row in enumerate(rows):
        top = first_row + index * row_height + (row_height - ROW_GAP - NUMBER_HEIGHT - height) // 2
        _label(axes, row, top, height)
        for column, (block, image) in enumerate(zip(row.blocks, row.images, strict=True)):
            x = left + column * (width + GAP)
            place_picture(axes, image, x, top, width, height)
            place_text(axes, x + width / 2, top + height + NUMBER_HEIGHT / 2 + 2, str(block), 7, MUTED, align="center")
        if not row.blocks:
            place_text(axes, left, top + height / 2, "one block: nothing to vary", 9, MUTED)
    return drawing


def cell_size(image_height: int, image_width: int) -> tuple[int, int]:
    """Height and width in pixels at which an image is shown: a whole multiple of it of about 160, 256 at most."""
    longer = max(image_height, image_width)
    factor = max(1, round(CELL / longer)) if longer <= MAX_CELL else MAX_CELL / longer
    return max(1, round(image_height * factor)), max(1, round(image_width * factor))


def place_picture(
    axes: Axes, image: Tensor, x: float, y: float, width: int, height: int, frame: str | None = None
) -> None:
    """Puts an image, uint8 `(C, H, W)`, on axes that are laid out in pixels; a frame in that colour goes around it."""
    pixels = image.permute(1, 2, 0).numpy()
    is_grey = pixels.shape[2] == 1
    is_enlarged = height >= pixels.shape[0] and width >= pixels.shape[1]
    axes.imshow(
        np.squeeze(pixels, axis=2) if is_grey else pixels,
        cmap="gray" if is_grey else None,
        vmin=0,
        vmax=255,
        extent=(x, x + width, y + height, y),
        interpolation="nearest" if is_enlarged else "antialiased",
        aspect="auto",
    )
    if frame is not None:
        outline = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
        axes.plot(*zip(*outline, strict=True), color=frame, linewidth=1.2)


def _label(axes: Axes, row: VariationRow, top: float, height: float) -> None:
    middle = top + height / 2
    blocks = "1 block" if row.num_blocks == 1 else f"{row.num_blocks} blocks"
    place_text(axes, MARGIN, middle - 36, f"Bucket {row.number}", 11, INK, weight="bold")
    place_text(axes, MARGIN, middle, *_fitting(row.name), INK)
    place_text(axes, MARGIN, middle + 34, f"{blocks}, path: {row.base_block}", 8.5, MUTED)


def _fitting(text: str) -> tuple[str, float]:
    """Text and the size in points at which it fits the label column; longer than 24 characters is shortened."""
    return (text, 10) if len(text) <= 16 else (shorten(text, 24), 7.5)


def place_text(
    axes: Axes, x: float, y: float, text: str, size: float, colour: str, align: str = "left", weight: str = "normal"
) -> None:
    """Puts a line of text on axes that are laid out in pixels, its middle at the height `y`."""
    # parse_math: a bucket may be called by any name, and "$" in it is no formula.
    axes.text(
        x, y, text, fontsize=size, color=colour, ha=align, va="center", weight=weight, parse_math=False, clip_on=False
    )


def _rule(axes: Axes, y: float, total_width: float) -> None:
    axes.plot([MARGIN, total_width - MARGIN], [y, y], color=RULE, linewidth=0.8)
