"""Three panels on a growth: what each bucket does among old blocks, old paths, and all paths (RPGAN, figure 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure as Drawing
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.generation import ImageMaker
from rpganify.analysis.variations.figure import place_text
from rpganify.paths import PathSpace
from rpganify.report.style import COLOURS, DPI, INK, MUTED, new_drawing, shorten
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.new_paths import is_new, sample_old_paths
from rpganify.surgery.restack import old_blocks

NUM_COLUMNS = NUM_ROWS = 8
MARK = COLOURS[1]

# All lengths are pixels of the saved picture, at 200 per inch.
MARGIN, GAP, PANEL_GAP = 30, 10, 64
HEAD, LABEL = 104, 46
CELL, MAX_CELL = 80, 96


@dataclass(frozen=True, slots=True)
class Panels:
    """Images of the three panels.

    Args:
        varied: rows of the left one: a bucket, and images of other blocks of it, uint8 `(n, C, H, W)`.
        old: images of old paths.
        every: images of all paths, old and new.
        is_new: which of `every` were made with a new block, bool `(N,)`.
        bucket_names: of the model.
    """

    varied: tuple[tuple[int, Tensor], ...]
    old: Tensor
    every: Tensor
    is_new: Tensor
    bucket_names: tuple[str, ...]


def make_panels(model: RandomPathGenerator, maker: ImageMaker, context: AnalysisContext) -> Panels:
    """The images, of random paths.

    Args:
        model: grown, in eval mode.
        maker: of its images.
        context: its seed draws the paths; the first of its `paths` that is old is varied.
    """
    chance = torch.Generator().manual_seed(context.seed)
    old = old_blocks(model)
    assert old is not None
    before = PathSpace(old, model.paths.bucket_names)
    given = [torch.tensor(path) for path in context.paths if all(b < m for b, m in zip(path, old, strict=True))]
    rows: list[tuple[int, Tensor]] = []
    num_bases = max(1, NUM_ROWS // len(old))
    bases = [*given[:num_bases], *sample_old_paths(model, num_bases, chance)][:num_bases]
    for base in bases:
        for bucket, num_blocks in enumerate(old):
            blocks = torch.randperm(num_blocks, generator=chance)[:NUM_COLUMNS].sort().values
            rows.append((bucket, before.vary(base, bucket)[blocks]))
    num_samples = NUM_ROWS * NUM_COLUMNS
    old_paths = sample_old_paths(model, num_samples, chance)
    every = model.paths.sample(num_samples, generator=chance)
    made = maker(torch.cat([*(paths for _, paths in rows), old_paths, every]))
    parts = torch.split(made, [*(len(paths) for _, paths in rows), num_samples, num_samples])
    varied = tuple((bucket, part) for (bucket, _), part in zip(rows, parts, strict=False))
    return Panels(varied, parts[-2], parts[-1], is_new(model, every), model.paths.bucket_names)


def draw_panels(panels: Panels) -> Drawing:
    """The figure: variations on the left, old paths in the middle, all paths on the right, those with a new block framed."""
    height, width = _cell(*panels.old.shape[2:])
    panel_width = NUM_COLUMNS * (width + GAP) - GAP
    num_rows = max(NUM_ROWS, len(panels.varied))
    lefts = [MARGIN + LABEL + index * (panel_width + PANEL_GAP) for index in range(3)]
    total_width = lefts[-1] + panel_width + MARGIN
    total_height = HEAD + num_rows * (height + GAP) + MARGIN
    drawing = new_drawing(total_width / DPI, total_height / DPI)
    axes = drawing.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, total_width)
    axes.set_ylim(total_height, 0)
    axes.axis("off")
    share = 100 * float(panels.is_new.double().mean())
    heads = (
        ("Old blocks, one bucket at a time", "each row: other old blocks of the bucket at its left"),
        ("Random old paths", "through old blocks only"),
        ("Random paths of all", f"framed: with a new block, {share:.0f} % of these"),
    )
    for left, (title, told) in zip(lefts, heads, strict=True):
        place_text(axes, left, 30, title, 10, INK, weight="bold")
        place_text(axes, left, 66, told, 8, MUTED)
    for row, (bucket, _) in enumerate(panels.varied):
        middle = HEAD + row * (height + GAP) + height / 2
        place_text(axes, lefts[0] - 14, middle, str(bucket + 1), 9, INK, align="right", weight="bold")
    rows = [images for _, images in panels.varied]
    _place(axes, rows, lefts[0], height, width)
    _place(axes, list(panels.old.split(NUM_COLUMNS)), lefts[1], height, width)
    _place(axes, list(panels.every.split(NUM_COLUMNS)), lefts[2], height, width, panels.is_new)
    return drawing


def caption(panels: Panels) -> str:
    """What the figure shows."""
    names = ", ".join(f"{number} {shorten(name, 24)}" for number, name in enumerate(panels.bucket_names, 1))
    return (
        "What a growth does (RPGAN, figure 6). Left: a path through old blocks, and in each row other old blocks of "
        f"one bucket ({names}), all others frozen. Middle: random paths through old blocks only. Right: random paths through "
        "all blocks; images made with a new block are framed. Where only new blocks were trained, left and middle are the "
        "model before it grew."
    )


def _place(
    axes: Axes, rows: Sequence[Tensor], left: float, height: int, width: int, marked: Tensor | None = None
) -> None:
    """Puts rows of images on the axes as one picture, transparent between them: hundreds of pictures are slow to draw."""
    canvas = np.zeros((len(rows) * (height + GAP), NUM_COLUMNS * (width + GAP), 4), dtype=np.uint8)
    border = GAP // 2
    for row, images in enumerate(rows):
        for column, image in enumerate(_sized(images, height, width)):
            top, start = row * (height + GAP), column * (width + GAP)
            if marked is not None and marked[row * NUM_COLUMNS + column]:
                canvas[top : top + height + GAP, start : start + width + GAP] = _mark_rgba()
            inside = canvas[top + border : top + border + height, start + border : start + border + width]
            inside[..., :3], inside[..., 3] = image, 255
    upper = HEAD - border
    axes.imshow(
        canvas,
        extent=(left - border, left - border + canvas.shape[1], upper + canvas.shape[0], upper),
        interpolation="nearest",
        aspect="auto",
    )


def _mark_rgba() -> np.ndarray:
    return np.round(np.array(to_rgba(MARK)) * 255).astype(np.uint8)


def _sized(images: Tensor, height: int, width: int) -> np.ndarray:
    """Images, uint8 `(N, C, H, W)`, at the size in which they are shown: `(N, height, width, C)`."""
    is_enlarged = height >= images.shape[2]
    values = images.float()
    if is_enlarged:
        values = F.interpolate(values, (height, width), mode="nearest")
    else:
        values = F.interpolate(values, (height, width), mode="bilinear", antialias=True)
    return values.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def _cell(image_height: int, image_width: int) -> tuple[int, int]:
    """Height and width in pixels at which an image is shown: a whole multiple of it where it is small."""
    longer = max(image_height, image_width)
    factor: float = max(1, round(CELL / longer)) if longer <= MAX_CELL else MAX_CELL / longer
    return max(1, round(image_height * factor)), max(1, round(image_width * factor))
