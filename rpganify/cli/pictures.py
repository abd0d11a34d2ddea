"""Grids of images as picture files."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")

# Digits of 8x8 pixels are a few millimetres on a screen; small images are enlarged to about this many pixels.
_SHOWN_SIZE = 64
_GAP = 2
_LABEL_HEIGHT = 14


def draw_grid(images: Tensor, labels: Sequence[str] = (), title: str = "") -> Image.Image:
    """A picture of all images in rows, enlarged by a whole number if they are small.

    Args:
        images: uint8 `(N, C, H, W)`, N >= 1, C 1 or 3.
        labels: one under each image, or none at all.
        title: a line above all, or none.
    """
    num_images, _, height, width = images.shape
    scale = max(1, _SHOWN_SIZE // max(height, width))
    num_columns = math.ceil(math.sqrt(num_images))
    num_rows = math.ceil(num_images / num_columns)
    cell_width = width * scale + _GAP
    cell_height = height * scale + _GAP + (_LABEL_HEIGHT if labels else 0)
    top = _LABEL_HEIGHT + 2 * _GAP if title else 0
    font = ImageFont.load_default()
    title_width = math.ceil(ImageDraw.Draw(Image.new("RGB", (1, 1))).textlength(title, font)) + 2 * _GAP
    size = (max(num_columns * cell_width + _GAP, title_width if title else 0), top + num_rows * cell_height + _GAP)
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    if title:
        pen.text((_GAP, _GAP), title, fill="black", font=font)
    for index, image in enumerate(images):
        left = _GAP + index % num_columns * cell_width
        upper = top + _GAP + index // num_columns * cell_height
        tile = _tile(image).resize((width * scale, height * scale), Image.Resampling.NEAREST)
        picture.paste(tile, (left, upper))
        if labels:
            middle = left + width * scale / 2
            pen.text((middle, upper + height * scale), labels[index], fill="black", font=font, anchor="ma")
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
