"""How figures look: one ink, few colours, and a hatch beside every colour so that grey print works too."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing

DPI = 200
INK = "#1b1f24"
MUTED = "#636b74"
RULE = "#d9dde2"
PAPER = "#ffffff"
FONT = "DejaVu Sans"  # ships with Matplotlib, so a figure looks the same on every machine

# Okabe and Ito's colours, chosen so that their luminances differ as well; each goes with the hatch of its index.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++")


def new_drawing(width_in: float, height_in: float) -> Drawing:
    """An empty figure of that size in inches, without pyplot and its global state."""
    drawing = Drawing(figsize=(width_in, height_in), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(drawing)
    return drawing


def plain_axes(axes: Axes) -> None:
    """Leaves a chart only what it needs: two spines, light horizontal rules behind the data."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=8, length=3)
    axes.grid(axis="y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)


def shorten(text: str, limit: int) -> str:
    """`text`, its middle replaced by … where it is longer than `limit` characters; both ends tell names apart."""
    if len(text) <= limit:
        return text
    head = (limit - 1 + 1) // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"
