"""The picture of how alike a bucket's blocks are: by their images, and by their weights."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from rpganify.analysis.blocks.verdicts import BlocksOfBucket
from rpganify.analysis.responsibility.figure import SHADES
from rpganify.report.style import INK, MUTED, PAPER, RULE, new_drawing

MAX_NUMBERED = 14  # from more blocks on, numbers in the cells would be too small to read
MAX_LABELLED = 60
ALIKE = SHADES.reversed().with_extremes(bad=RULE)


def similarity_order(distances: Tensor) -> list[int]:
    """The blocks in an order in which those with like images stand side by side."""
    if len(distances) < 3:
        return list(range(len(distances)))
    exact = distances.numpy().copy()
    np.fill_diagonal(exact, 0)
    tree = linkage(squareform((exact + exact.T) / 2, checks=False), "average", optimal_ordering=True)
    return [int(leaf) for leaf in leaves_list(tree)]


def draw_alike(found: BlocksOfBucket) -> Drawing:
    """One matrix of distances, or two side by side; dark is alike.

    Args:
        found: of a bucket of at least three blocks.
    """
    order = similarity_order(found.effects.distances)
    panels = [("by their images", "grey levels, root mean square", found.effects.distances)]
    if found.weights is not None:
        panels.append(("by their weights", "standard deviations, root mean square", found.weights.distances))
    side = min(4.6, max(3.1, 0.14 * len(order) + 1.2))
    drawing = new_drawing(len(panels) * (side + 0.75), side + 0.35)
    for axes, (title, unit, distances) in zip(
        drawing.subplots(1, len(panels), squeeze=False).flatten(), panels, strict=True
    ):
        _matrix(drawing, axes, distances[order][:, order], order, title, unit)
    _outline(drawing.axes[0], found, order)
    drawing.tight_layout(pad=0.9, w_pad=1.8)
    return drawing


def _matrix(drawing: Drawing, axes: Axes, distances: Tensor, order: list[int], title: str, unit: str) -> None:
    m = len(order)
    values = distances.numpy().copy()
    np.fill_diagonal(values, np.nan)  # a block is no distance from itself, which says nothing
    top = float(np.nanmax(values)) or 1.0
    image = axes.imshow(values, cmap=ALIKE, vmin=0, vmax=top, interpolation="nearest")
    axes.set_title(title, fontsize=10, color=INK, loc="left", pad=8)
    size = 8 if m <= 20 else 6 if m <= 40 else 4.5
    places = range(0, m, 1 + m // MAX_LABELLED)
    axes.set_xticks(places, [str(order[place]) for place in places], fontsize=size, rotation=90 if m > 10 else 0)
    axes.set_yticks(places, [str(order[place]) for place in places], fontsize=size)
    axes.set_xlabel("block", fontsize=8.5, color=INK)
    axes.tick_params(length=0, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = drawing.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.set_label(unit, fontsize=7.5, color=INK)
    bar.ax.tick_params(labelsize=7, colors=MUTED, labelcolor=INK, length=2)
    bar.outline.set_visible(False)
    if m > MAX_NUMBERED:
        return
    decimals = 0 if top >= 10 else 1 if top >= 2 else 2
    for row in range(m):
        for column in range(m):
            if row != column:
                ink = PAPER if values[row, column] < 0.48 * top else INK
                told = f"{values[row, column]:.{decimals}f}"
                axes.text(column, row, told, fontsize=6, color=ink, ha="center", va="center")


def _outline(axes: Axes, found: BlocksOfBucket, order: list[int]) -> None:
    """A frame around each pair of duplicates."""
    place = {block: index for index, block in enumerate(order)}
    limit = found.verdicts.duplicate_limit
    for one, other in (found.effects.distances <= limit).nonzero().tolist():
        if one != other:
            corner = (place[other] - 0.5, place[one] - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="#d55e00", linewidth=1.4))
