"""Grids of images as picture files."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")

# Digits of 8x8 pixels are a few millimetres on a screen; small images are enlarged to about this many pixels.
_SHOWN_SIZE = 64
_GAP = 2
_LINE_HEIGHT = 14
_FONT_SIZE = 10


def draw_grid(
    images: Tensor, labels: Sequence[str] = (), title: str = "", num_columns: int | None = None
) -> Image.Image:
    """A picture of all images in rows, enlarged by a whole number if they are small.

    Args:
        images: uint8 `(N, C, H, W)`, N >= 1, C 1 or 3.
        labels: one under each image, of one or more lines, or none at all.
        title: a line above all, or none.
        num_columns: images in a row; None for about as many as there are rows.
    """
    num_images, _, height, width = images.shape
    scale = max(1, _SHOWN_SIZE // max(height, width))
    num_columns = num_columns or math.ceil(math.sqrt(num_images))
    num_rows = math.ceil(num_images / num_columns)
    font = _font()
    num_lines = max((label.count("\n") + 1 for label in labels), default=0)
    text_width = max((_text_width(line, font) for label in labels for line in label.splitlines()), default=0)
    cell_width = max(width * scale, text_width) + _GAP
    cell_height = height * scale + _GAP + num_lines * _LINE_HEIGHT
    top = _LINE_HEIGHT + 2 * _GAP if title else 0
    title_width = _text_width(title, font) + 2 * _GAP if title else 0
    size = (max(num_columns * cell_width + _GAP, title_width), top + num_rows * cell_height + _GAP)
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    if title:
        pen.text((_GAP, _GAP), title, fill="black", font=font)
    for index, image in enumerate(images):
        left = _GAP + index % num_columns * cell_width + (cell_width - _GAP - width * scale) // 2
        upper = top + _GAP + index // num_columns * cell_height
        tile = _tile(image).resize((width * scale, height * scale), Image.Resampling.NEAREST)
        picture.paste(tile, (left, upper))
        if labels:
            middle = left + width * scale / 2
            pen.text((middle, upper + height * scale), labels[index], "black", font, "ma", spacing=1, align="center")
    return picture


def save_picture(picture: Image.Image, path: Path) -> None:
    """Writes a picture aside and renames it, so that a failure leaves what was there; makes missing folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.stem}-writing{path.suffix}")
    try:
        picture.save(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _tile(image: Tensor) -> Image.Image:
    array = image.permute(1, 2, 0).cpu().numpy()  # (H, W, C)
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def _font() -> ImageFont.FreeTypeFont:
    """The font of the figures too; unlike PIL's own it has arrows, accents and Greek letters."""
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), _FONT_SIZE)


def _text_width(line: str, font: ImageFont.FreeTypeFont) -> int:
    return math.ceil(font.getlength(line))
