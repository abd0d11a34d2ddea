"""The picture of a bucket's blocks: a row per block, its images and what it does to the statistics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle
from torch import Tensor
from torch.nn import functional as F

from rpganify.analysis.blocks.effects import Effects
from rpganify.analysis.blocks.verdicts import BlocksOfBucket
from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.responsibility.figure import DARK, PALE, SHADES
from rpganify.analysis.variations.figure import place_text
from rpganify.report.style import DPI, INK, MUTED, PAPER, RULE, new_drawing, shorten

MAX_BLOCKS = 64  # more rows than this make no picture to look at; the tables hold all blocks

# Lengths are pixels of the saved picture, at 200 per inch.
MARGIN = 36
LABEL_WIDTH = 150
HEAD_HEIGHT = 150
CELL = 96
GAP = 8
COLUMN_WIDTH = 130
COLUMNS_GAP = 30
MIN_ROW_HEIGHT = 76
# An effect of twice the statistic's standard deviation has the darkest cell.
FULL = 2.0


def draw_strip(found: BlocksOfBucket, name: str, parts: Sequence[str]) -> Drawing:
    """Rows of images and effects, in the order of the blocks' numbers.

    Args:
        found: of the bucket.
        name: of the bucket.
        parts: titles of effects that have no column of their own, such as one for each class; the one that a block
            raises most is named in the last column.
    """
    effects = found.effects
    shown = min(effects.num_blocks, MAX_BLOCKS)
    pictures = _sheet(effects.strip[:shown])
    row_height = pictures.shape[0] // shown
    single = [one for one in effects.effects if one.title not in parts]
    vector = [one for one in effects.effects if one.title in parts]
    left = MARGIN + LABEL_WIDTH
    first = left + pictures.shape[1] + COLUMNS_GAP
    width = first + (len(single) + bool(vector)) * COLUMN_WIDTH + MARGIN
    height = MARGIN + HEAD_HEIGHT + shown * row_height + MARGIN // 2
    drawing = new_drawing(width / DPI, height / DPI)
    axes = drawing.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")

    top = MARGIN + HEAD_HEIGHT
    axes.imshow(
        pictures,
        extent=(left, left + pictures.shape[1], top + pictures.shape[0], top),
        interpolation="nearest",
        aspect="auto",
    )
    place_text(axes, MARGIN, MARGIN + 20, f"Bucket {effects.bucket + 1}  {shorten(name, 40)}", 11, INK, weight="bold")
    place_text(axes, left, top - 26, "each column: the same blocks in all other buckets", 7.5, MUTED)
    place_text(axes, MARGIN, top - 26, "block", 8.5, INK)
    for column, one in enumerate(single):
        _head(axes, first + (column + 0.5) * COLUMN_WIDTH, top, one.title, one.unit)
    if vector:
        _head(axes, first + (len(single) + 0.5) * COLUMN_WIDTH, top, "class", "most raised")
    place_text(axes, first, MARGIN + 20, "mean effect on …, with 95 % interval", 8.5, MUTED)
    for block in range(shown):
        middle = top + (block + 0.5) * row_height
        _label(axes, found, block, middle)
        for column, one in enumerate(single):
            _cell(axes, one, one.blocks[block], first + column * COLUMN_WIDTH, middle, row_height)
        if vector:
            _most_raised(axes, vector, block, first + (len(single) + 0.5) * COLUMN_WIDTH, middle)
    return drawing


def signed(value: float, scale: float) -> str:
    """An effect with its sign, and with as many decimals as its scale asks for."""
    decimals = 0 if scale >= 10 else 1 if scale >= 1 else 2
    told = f"{value:+.{decimals}f}"
    return "0" if float(told) == 0 else told.replace("-", "\N{MINUS SIGN}")


def _sheet(strip: Tensor) -> npt.NDArray[np.uint8]:
    """All rows as one picture with see-through gaps: `(m, S, C, H, W)` to `(rows, columns, 4)`."""
    m, count, _, height, width = strip.shape
    factor = max(1, round(CELL / max(height, width)))
    images = strip.flatten(0, 1)
    if (
        max(height, width) > CELL
    ):  # smaller, and averaged as it must be; otherwise enlarged by a whole factor, and crisp
        size = (max(1, height * CELL // max(height, width)), max(1, width * CELL // max(height, width)))
        images = F.interpolate(images.float(), size, mode="bilinear", antialias=True).round().to(torch.uint8)
    images = images.repeat_interleave(factor, 2).repeat_interleave(factor, 3).expand(-1, 3, -1, -1)
    height, width = images.shape[2:]
    row_height = max(height + GAP, MIN_ROW_HEIGHT)
    sheet = np.zeros((m * row_height, count * (width + GAP) - GAP, 4), dtype=np.uint8)
    for index, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        row, column = divmod(index, count)
        y, x = row * row_height + (row_height - height) // 2, column * (width + GAP)
        sheet[y : y + height, x : x + width, :3] = image
        sheet[y : y + height, x : x + width, 3] = 255
    return sheet


def _head(axes: Axes, x: float, top: float, title: str, unit: str) -> None:
    place_text(axes, x, top - 52, shorten(title, 12), 7, INK, align="center", weight="bold")
    place_text(axes, x, top - 24, unit.replace(" per pixel", "/px"), 6.5, MUTED, align="center")


def _label(axes: Axes, found: BlocksOfBucket, block: int, middle: float) -> None:
    verdicts = found.verdicts
    states = ["dead: constant"] * (block in verdicts.constant) + ["dead: no weights"] * (block in verdicts.silent)
    for group in verdicts.duplicates:
        if block in group:
            others = [str(other) for other in group if other != block]
            states.append(f"same as {shorten(', '.join(others), 12)}")
    offset = 14 if states else 0
    place_text(axes, MARGIN, middle - offset, str(block), 10, INK, weight="bold")
    if states:
        place_text(axes, MARGIN, middle + offset, "; ".join(states), 6.5, INK)


def _cell(axes: Axes, effects: Effects, effect: Estimate, x: float, middle: float, row_height: int) -> None:
    strength = min(1.0, abs(effect.value) / (FULL * effects.std)) if effects.std > 0 else 0.0
    corner, size = (x + 3, middle - row_height / 2 + 3), (COLUMN_WIDTH - 6, row_height - 6)
    axes.add_patch(Rectangle(corner, *size, facecolor=SHADES(strength), edgecolor=RULE, linewidth=0.6))
    is_clear = effect.low > 0 or effect.high < 0
    ink = PAPER if strength > DARK else INK if is_clear else MUTED
    small = PAPER if strength > DARK else INK if strength > PALE else MUTED
    scale = max(abs(one.value) for one in effects.blocks)
    place_text(axes, x + COLUMN_WIDTH / 2, middle - 12, signed(effect.value, scale), 9, ink, "center", "bold")
    ends = f"{signed(effect.low, scale)} … {signed(effect.high, scale)}"
    place_text(axes, x + COLUMN_WIDTH / 2, middle + 17, ends, 6, small, "center")


def _most_raised(axes: Axes, effects: Sequence[Effects], block: int, x: float, middle: float) -> None:
    """The class whose probability the block raises most, if that can be told from 0."""
    clear = [one for one in effects if one.blocks[block].is_above_zero]
    if not clear:
        place_text(axes, x, middle, "–", 9, MUTED, "center")
        return
    most = max(clear, key=lambda one: one.blocks[block].value)
    place_text(axes, x, middle - 12, most.title.removeprefix("class "), 9, INK, "center", "bold")
    place_text(axes, x, middle + 17, signed(most.blocks[block].value, 0.1), 6, MUTED, "center")
