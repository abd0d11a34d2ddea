"""Pictures laid out on one sheet, and kept small enough for a repository."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image
from torch import Tensor

from rpganify.report.style import PAPER

MAX_BYTES = 290_000
_GAP = 40
_WIDEST = 1800


def opened(png: bytes) -> Image.Image:
    """A PNG file's picture."""
    return Image.open(io.BytesIO(png)).convert("RGB")


def beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures in a row, their tops at one height."""
    width = sum(one.width for one in pictures) + _GAP * (len(pictures) - 1)
    row = Image.new("RGB", (width, max(one.height for one in pictures)), PAPER)
    x = 0
    for one in pictures:
        row.paste(one, (x, 0))
        x += one.width + _GAP
    return row


def below(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures one below the other, with a margin around all."""
    size = max(one.width for one in pictures) + 2 * _GAP, sum(one.height + _GAP for one in pictures) + _GAP
    sheet = Image.new("RGB", size, PAPER)
    y = _GAP
    for one in pictures:
        sheet.paste(one, (_GAP, y))
        y += one.height + _GAP
    return sheet


def in_rows(images: Tensor, height: int, width: int, num_columns: int) -> np.ndarray:
    """Images uint8 `(N, C, H, W)`, each shown at that size, in rows: an RGB picture `(H', W', 3)`."""
    gap = 6
    num_rows = -(-len(images) // num_columns)
    sheet = np.full((num_rows * (height + gap) - gap, num_columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, num_columns)
        y, x = row * (height + gap), column * (width + gap)
        pixels = Image.fromarray(image.expand(3, -1, -1).permute(1, 2, 0).numpy())
        way = Image.Resampling.NEAREST if height >= image.shape[1] else Image.Resampling.BOX
        sheet[y : y + height, x : x + width] = np.asarray(pixels.resize((width, height), way))
    return sheet


def as_small_png(picture: Image.Image) -> bytes:
    """The picture at most 1800 pixels wide, in 256 colours, and in as few pixels as it takes to stay below 300 kB.

    Colours are chosen to lie near all that occur, however rare: those of most pixels alone would turn images grey.
    """
    scale = min(1.0, _WIDEST / picture.width)
    while True:
        size = round(scale * picture.width), round(scale * picture.height)
        smaller = picture if scale == 1 else picture.resize(size, Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        smaller.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
        if buffer.tell() < MAX_BYTES:
            return buffer.getvalue()
        scale *= 0.9
