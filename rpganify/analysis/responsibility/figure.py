"""The heat map of responsibility, bucket × statistic, and the pairs of buckets that decide most together."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.responsibility.shares import Responsibilities, Share
from rpganify.analysis.responsibility.words import numbers
from rpganify.report.style import COLOURS, INK, MUTED, PAPER, RULE, new_drawing, shorten

# One hue whose luminance falls evenly, so that it reads the same in grey; the darkest still differs from the ink.
SHADES = LinearSegmentedColormap.from_list("shares", ["#ffffff", "#d3e4f1", "#8fbfe0", "#3f8fc6", "#0b5c97", "#07345a"])
PALE, DARK = 0.3, 0.52  # up to here muted text can be read; from here on white stands out more than ink
MAX_PAIRS = 10

# Lengths in inches.
CELL_WIDTH = 0.86
CELL_HEIGHT = 0.5
LABEL_WIDTH = 1.75
HEAD_HEIGHT = 0.62
PANEL_GAP = 0.42
MARGIN = 0.14


def draw_shares(measured: Responsibilities, names: Sequence[str]) -> Drawing:
    """Two panels: what each bucket decides alone, and what it decides alone or with others.

    Args:
        measured: the shares.
        names: of the buckets.
    """
    rows, shares = len(names), measured.main
    panel = rows * CELL_HEIGHT
    width = 2 * MARGIN + LABEL_WIDTH + max(len(shares) * CELL_WIDTH, 3.6)
    height = 2 * MARGIN + HEAD_HEIGHT + 2 * (panel + PANEL_GAP)
    drawing = new_drawing(width, height)
    axes = drawing.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    for column, share in enumerate(shares):
        x = MARGIN + LABEL_WIDTH + (column + 0.5) * CELL_WIDTH
        _text(axes, x, MARGIN + 0.16, shorten(share.title, 13), 8.5, INK, "center", "bold")
        _text(axes, x, MARGIN + 0.36, _spread(share), 6.5, MUTED, "center")
        _text(axes, x, MARGIN + 0.52, _unit(share), 6.5, MUTED, "center")
    top = MARGIN + HEAD_HEIGHT
    for title, told in (("alone", "first-order index"), ("alone or with others", "total index")):
        top += PANEL_GAP
        _text(axes, MARGIN, top - 0.13, title, 9.5, INK, "left", "bold")
        _text(axes, MARGIN + LABEL_WIDTH, top - 0.13, f"{told}, % of the variance", 7.5, MUTED, "left")
        for row, name in enumerate(names):
            y = top + (row + 0.5) * CELL_HEIGHT
            _text(axes, MARGIN, y, f"{row + 1}  {shorten(name, 18)}", 8.5, INK, "left")
            for column, share in enumerate(shares):
                indices = share.indices.first if title == "alone" else share.indices.total
                _cell(axes, indices[row], MARGIN + LABEL_WIDTH + column * CELL_WIDTH, y, measured.is_exact)
        top += panel
    return drawing


def draw_pairs(measured: Responsibilities, names: Sequence[str]) -> Drawing | None:
    """The pairs that decide most together beyond what each decides alone, with whiskers; None if there is no pair."""
    found = [
        (estimate, pair, share)
        for share in measured.main
        for pair, estimate in share.indices.pairs.items()
        if estimate is not None
    ]
    found = sorted(found, key=lambda one: -one[0].value)[:MAX_PAIRS]
    if not found:
        return None
    drawing = new_drawing(6.6, 0.95 + 0.27 * len(found))
    axes = drawing.add_subplot()
    labels = []
    for row, (estimate, (one, two), share) in enumerate(found):
        low, value, high = (100 * number for number in (estimate.low, estimate.value, estimate.high))
        colour = COLOURS[0] if estimate.is_above_zero else MUTED
        axes.plot([low, high], [row, row], color=colour, linewidth=1.6, solid_capstyle="butt", zorder=2)
        for end in (low, high):
            axes.plot([end, end], [row - 0.16, row + 0.16], color=colour, linewidth=1.2, zorder=2)
        axes.plot(
            value, row, "o", markersize=5, color=colour if estimate.is_above_zero else PAPER, mec=colour, zorder=3
        )
        pair = f"{one + 1} {shorten(names[one], 10)} × {two + 1} {shorten(names[two], 10)}"
        labels.append(f"{share.title}:  {pair}")
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_yticks(range(len(found)))
    axes.set_yticklabels(labels, parse_math=False)
    axes.set_xlabel("second-order index, % of the variance", fontsize=9, color=INK)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=8, length=3)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    drawing.tight_layout(pad=0.8)
    return drawing


def _cell(axes: Axes, estimate: Estimate | None, x: float, y: float, is_exact: bool) -> None:
    share = 0.0 if estimate is None else min(1.0, max(0.0, estimate.value))
    axes.add_patch(
        Rectangle(
            (x + 0.015, y - CELL_HEIGHT / 2 + 0.015),
            CELL_WIDTH - 0.03,
            CELL_HEIGHT - 0.03,
            facecolor=SHADES(share),
            edgecolor=RULE,
            linewidth=0.6,
        )
    )
    middle = x + CELL_WIDTH / 2
    if estimate is None:
        _text(axes, middle, y, "–", 9, MUTED, "center")
        return
    is_dark = share > DARK
    ink = PAPER if is_dark else INK if estimate.is_above_zero else MUTED
    value, low, high = numbers(estimate)
    _text(axes, middle, y if is_exact else y - 0.075, value, 10.5, ink, "center", "bold")
    if not is_exact:
        _text(
            axes,
            middle,
            y + 0.12,
            f"{low} … {high}",
            6.5,
            INK if 0.3 < share <= DARK else ink if is_dark else MUTED,
            "center",
        )


def _spread(share: Share) -> str:
    if share.is_constant:
        return "constant"
    std = f"{share.indices.std:.3g}"
    return f"std {std}" if share.mean is None else f"{share.mean:.3g} ± {std}"


def _unit(share: Share) -> str:
    return {"grey levels per pixel": "grey levels/px"}.get(share.statistic.unit, share.statistic.unit)


def _text(
    axes: Axes, x: float, y: float, text: str, size: float, colour: str, align: str, weight: str = "normal"
) -> None:
    # parse_math: a bucket may be called by any name, and "$" in it is no formula.
    axes.text(x, y, text, fontsize=size, color=colour, ha=align, va="center", weight=weight, parse_math=False)
