"""Heat maps of class by class: how often images of one become another, and what raising one does to the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle

from rpganify.analysis.responsibility.figure import DARK, SHADES
from rpganify.report.style import INK, MUTED, PAPER, RULE, new_drawing, shorten

# What rises is blue, what falls is orange; in grey the printed sign tells them apart.
CHANGES = LinearSegmentedColormap.from_list(
    "changes", ["#7a3b00", "#c46a12", "#eba64f", "#f8dfc0", "#ffffff", "#d3e4f1", "#8fbfe0", "#3f8fc6", "#0b5c97"]
)

# Lengths in inches.
CELL = 0.46
LABEL = 0.95
HEAD = 0.62
MARGIN = 0.12

Matrix = Sequence[Sequence[float | None]]


def draw_rates(
    concepts: Sequence[str], rates: Matrix, row_title: str, column_title: str, is_own_muted: bool = True
) -> Drawing:
    """Shares of 0 to 1 as per cent; the diagonal, what stays, is framed.

    Args:
        concepts: names of the classes.
        rates: a row per source, a column per target; None for what has no value.
        row_title, column_title: of the axes.
        is_own_muted: whether the diagonal is framed.
    """
    return _draw(
        concepts, rates, row_title, column_title, lambda value: SHADES(value),
        lambda value: f"{100 * value:.0f}", lambda value: value > DARK, is_own_muted,
    )  # fmt: skip


def draw_changes(concepts: Sequence[str], changes: Matrix, row_title: str, column_title: str) -> Drawing:
    """Changes of −1 to 1 in percentage points, with their signs.

    Args:
        concepts: names of the classes.
        changes: a row per raised class, a column per class; None for what has no value.
        row_title, column_title: of the axes.
    """

    # The square root shows a few points beside the many of the class that is raised.
    def place(value: float) -> float:
        return 0.5 + math.copysign(0.5 * math.sqrt(abs(value)), value)

    return _draw(
        concepts, changes, row_title, column_title, lambda value: CHANGES(place(value)), _signed,
        lambda value: _luminance(CHANGES(place(value))) < 0.4, True,
    )  # fmt: skip


def _draw(
    concepts: Sequence[str],
    values: Matrix,
    row_title: str,
    column_title: str,
    colour: Callable[[float], tuple[float, float, float, float]],
    text: Callable[[float], str],
    is_dark: Callable[[float], bool],
    is_framed: bool,
) -> Drawing:
    num = len(concepts)
    width, height = 2 * MARGIN + LABEL + num * CELL, 2 * MARGIN + HEAD + num * CELL
    drawing = new_drawing(max(width, 3.0), height)
    axes = drawing.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, max(width, 3.0))
    axes.set_ylim(height, 0)
    axes.axis("off")
    left, top = MARGIN + LABEL, MARGIN + HEAD
    axes.text(left, MARGIN + 0.13, column_title, fontsize=9, color=INK, va="center", parse_math=False)
    axes.text(MARGIN, MARGIN + HEAD - 0.15, row_title, fontsize=9, color=INK, va="center", parse_math=False)
    label = partial(axes.text, fontsize=8.5, color=INK, weight="bold", va="center", parse_math=False)
    for index, name in enumerate(concepts):
        middle = (index + 0.5) * CELL
        label(left + middle, top - 0.15, shorten(name, 7), ha="center")
        label(left - 0.12, top + middle, shorten(name, 11), ha="right")
    for row, of_row in enumerate(values):
        for column, value in enumerate(of_row):
            x, y = left + column * CELL, top + row * CELL
            face = PAPER if value is None else colour(value)
            axes.add_patch(
                Rectangle((x + 0.01, y + 0.01), CELL - 0.02, CELL - 0.02, facecolor=face, edgecolor=RULE, linewidth=0.6)
            )
            shown = "–" if value is None else text(value)
            ink = MUTED if value is None else PAPER if is_dark(value) else INK
            axes.text(
                x + CELL / 2, y + CELL / 2, shown, fontsize=8, color=ink, ha="center", va="center", parse_math=False
            )
            if is_framed and row == column:
                axes.add_patch(
                    Rectangle((x + 0.02, y + 0.02), CELL - 0.04, CELL - 0.04, fill=False, edgecolor=INK, linewidth=1.1)
                )
    return drawing


def _signed(value: float) -> str:
    points = round(100 * value)
    return "0" if points == 0 else f"{points:+d}".replace("-", "−")


def _luminance(colour: tuple[float, float, float, float]) -> float:
    red, green, blue, _ = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue
