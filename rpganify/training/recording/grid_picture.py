"""Draws rows of labelled pictures as one picture; quick enough to be done while a training waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_PAPER, _INK, _PALE = (255, 255, 255), (30, 30, 30), (110, 110, 110)
_GAP, _MARGIN = 4, 10
# Small pictures are enlarged by a whole number, so that their pixels stay squares and the labels fit.
_LEAST_SIDE = 40
_FONT_SIZE, _SMALL_FONT_SIZE = 13, 11
_LONGEST_NAME = 28


@dataclass(frozen=True, slots=True)
class GridRow:
    """One row of pictures.

    Args:
        name: stands to the left.
        pictures: float `(n, 1 or 3, H, W)` in [-1, 1], the first set apart from the others; all rows alike but for n.
        labels: one below each.
    """

    name: str
    pictures: Tensor
    labels: tuple[str, ...]


def draw_grid(title: str, rows: Sequence[GridRow]) -> Image.Image:
    """The rows below one another, with the title on top.

    Args:
        title: one line.
        rows: at least one.
    """
    font, small = ImageFont.load_default(_FONT_SIZE), ImageFont.load_default(_SMALL_FONT_SIZE)
    names = [row.name if len(row.name) <= _LONGEST_NAME else f"{row.name[: _LONGEST_NAME - 1]}…" for row in rows]
    height, width = rows[0].pictures.shape[2:]
    scale = max(1, -(-_LEAST_SIDE // min(height, width)))
    height, width = height * scale, width * scale
    left = _MARGIN * 2 + round(max(font.getlength(name) for name in names))
    top = 2 * _MARGIN + _FONT_SIZE
    row_height = height + _SMALL_FONT_SIZE + 3 * _GAP
    num_columns = max(len(row.pictures) for row in rows)
    size = (
        max(left + num_columns * (width + _GAP) + _GAP, _MARGIN + round(font.getlength(title))) + _MARGIN,
        top + len(rows) * row_height + _MARGIN,
    )
    canvas = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((_MARGIN, _MARGIN), title, _PALE, font)
    for index, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = top + index * row_height
        draw.text((_MARGIN, y + height // 2), name, _INK, font, anchor="lm")
        for column, (picture, label) in enumerate(zip(row.pictures, row.labels, strict=True)):
            x = left + column * (width + _GAP) + (2 * _GAP if column else 0)
            canvas.paste(_as_image(picture).resize((width, height), Image.Resampling.NEAREST), (x, y))
            draw.text((x + width // 2, y + height + _GAP), label, _INK if column == 0 else _PALE, small, anchor="ma")
    return canvas


def _as_image(picture: Tensor) -> Image.Image:
    """A float picture `(1 or 3, H, W)` in [-1, 1]; what is not a number is black."""
    values = torch.nan_to_num((picture + 1) * 127.5, nan=0.0).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(values.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy())
