"""Charts of controlling sets: success beside the baselines, and success by the number of changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.controls.found import OPTIMISED, SEQUENTIAL, Controls, FoundSet
from rpganify.analysis.controls.growth import Growth
from rpganify.report.style import COLOURS, INK, MUTED, PAPER, RULE, new_drawing, plain_axes, shorten

MARKERS = {SEQUENTIAL: "o", OPTIMISED: "s"}
WAY_COLOURS = {SEQUENTIAL: COLOURS[0], OPTIMISED: COLOURS[5]}
_RANDOM = "#c3c9d0"
MAX_LINEAR = 16


def draw_sets(measured: Controls) -> Drawing:
    """Success of each concept's sets, with whiskers, beside random sets of the same size and all coordinates.

    Args:
        measured: the sets.
    """
    concepts = range(len(measured.concepts))
    ways = [way for way in (SEQUENTIAL, OPTIMISED) if measured.of_method(way)]
    step = 0.30
    drawing = new_drawing(6.9, 1.75 + len(concepts) * 0.25 * (1 + len(ways)))
    axes = drawing.add_subplot()
    for concept in concepts:
        mine = [one for one in measured.sets if one.concept == concept]
        for number, one in enumerate(mine):
            row = concept + (number - (len(mine) - 1) / 2) * step
            _draw_set(axes, one, row)
            axes.text(104, row, str(one.size), fontsize=7.5, color=WAY_COLOURS[one.method], ha="right", va="center")
    unit = "dimensions" if measured.is_latent else "blocks"
    axes.text(104, -0.85, unit, fontsize=7.5, color=MUTED, ha="right", va="center")
    axes.set_xlim(-2, 105)
    axes.set_ylim(len(concepts) - 0.45, -0.6)
    axes.set_yticks(list(concepts))
    axes.set_yticklabels([shorten(name, 18) for name in measured.concepts], parse_math=False)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("images of other classes that become the class, %", fontsize=9, color=INK)
    axes.set_ylabel("class that is raised", fontsize=9, color=INK)
    plain_axes(axes)
    axes.grid(axis="x", color=RULE, linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    handles: list[Line2D | Patch] = [
        Line2D(
            [], [], marker=MARKERS[way], color=WAY_COLOURS[way], linewidth=1.4, markersize=5, label=_way(way, measured)
        )
        for way in ways
    ]
    handles.append(Patch(color=_RANDOM, label="random sets of that size, 95 % of them"))
    if any(one.everything is not None for one in measured.sets):
        handles.append(
            Line2D([], [], marker="D", mfc=PAPER, mec=MUTED, linestyle="", markersize=5, label="all dimensions")
        )
    _legend(axes, handles, 2, False)
    drawing.tight_layout(pad=0.8)
    return drawing


@dataclass(frozen=True, slots=True)
class Line:
    """A curve of success by number of changes.

    Args:
        label: in the legend.
        growth: the curve.
        style: index of colour, marker and dashes; curves of one model share the colour's index.
    """

    label: str
    growth: Growth
    style: int


_STYLES = (
    (COLOURS[0], "o", "-"), (COLOURS[5], "s", (0, (5, 2))), (INK, "^", (0, (1.5, 1.5))),
)  # fmt: skip


def draw_growth(sets: Sequence[Line], images: Sequence[Line], unit: str) -> Drawing:
    """Two panels: one set for all images, and each image on its own; mean over concepts, with whiskers.

    Args:
        sets: of the left panel; at least one.
        images: of the right panel; without any there is only the left one.
        unit: what is changed.
    """
    panels = [("One set for all images", sets)] + ([("Each image on its own", images)] if images else [])
    drawing = new_drawing(3.5 * len(panels) + 0.3, 3.5)
    for number, (title, lines) in enumerate(panels):
        axes = drawing.add_subplot(1, len(panels), number + 1)
        plain_axes(axes)
        largest = max(size for line in lines for size in line.growth.sizes)
        for line in lines:
            _draw_line(axes, line, from_0=largest <= MAX_LINEAR)
        axes.set_ylim(-2, 104)
        if largest > MAX_LINEAR:  # the first few changes do most, and stand at the left edge otherwise
            axes.set_xscale("log", base=2)
            axes.set_xlim(0.9, 1.1 * largest)
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        else:
            axes.set_xlim(-0.02 * largest, 1.03 * largest)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(title, fontsize=9.5, color=INK, loc="left", weight="bold", pad=8)
        axes.set_xlabel(f"changed {unit}", fontsize=9, color=INK)
        if number == 0:
            axes.set_ylabel("images that become the class, %", fontsize=9, color=INK)
        _legend(axes, None, 1, True)
    drawing.tight_layout(pad=0.8, w_pad=2)
    return drawing


def _draw_line(axes: Axes, line: Line, *, from_0: bool) -> None:
    colour, marker, dashes = _STYLES[line.style]
    known = [(s, e) for s, e in zip(line.growth.sizes, line.growth.success, strict=True) if e is not None]
    sizes, values = [size for size, _ in known], [100 * one.value for _, one in known]
    below = [100 * (one.value - one.low) for _, one in known]
    above = [100 * (one.high - one.value) for _, one in known]
    if from_0:  # no change, no success; a logarithmic axis has no place for it
        sizes.insert(0, 0)
        for column in (values, below, above):
            column.insert(0, 0.0)
    axes.errorbar(
        sizes, values, yerr=[below, above], color=colour, marker=marker, markersize=4, linestyle=dashes, linewidth=1.4,
        elinewidth=0.9, capsize=2, label=line.label, zorder=3,
    )  # fmt: skip


def _draw_set(axes: Axes, one: FoundSet, row: float) -> None:
    if one.random is not None:
        low, high = 100 * one.random.low, 100 * one.random.high
        axes.barh(row, max(high - low, 0.4), left=low, height=0.2, color=_RANDOM, zorder=1)
        axes.plot([100 * one.random.value] * 2, [row - 0.1, row + 0.1], color=MUTED, linewidth=1.2, zorder=2)
    if one.everything is not None:
        axes.plot(100 * one.everything.value, row, "D", mfc=PAPER, mec=MUTED, markersize=4.2, zorder=3, clip_on=False)
    if one.outcome.success is not None:
        _whisker(axes, one.outcome.success, row, WAY_COLOURS[one.method], MARKERS[one.method])


def _whisker(axes: Axes, estimate: Estimate, row: float, colour: str, marker: str) -> None:
    low, value, high = (100 * number for number in (estimate.low, estimate.value, estimate.high))
    axes.plot([low, high], [row, row], color=colour, linewidth=1.5, solid_capstyle="butt", zorder=4)
    axes.plot(value, row, marker, color=colour, markersize=4.6, zorder=5, clip_on=False)


def _way(way: str, measured: Controls) -> str:
    if not measured.is_latent:
        return "best set of blocks"
    return "set one after another" if way == SEQUENTIAL else "shift, optimised"


def _legend(axes: Axes, handles: Sequence[Artist] | None, num_columns: int, is_inside: bool) -> None:
    shown = axes.get_legend_handles_labels()[0] if handles is None else handles
    legend = axes.legend(
        handles=shown, loc="lower right" if is_inside else "lower left",
        bbox_to_anchor=(1.0, 0.0) if is_inside else (-0.02, 1.04), ncols=num_columns, fontsize=8, frameon=False,
        handlelength=2.6, borderaxespad=0.2, columnspacing=1.6,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
        text.set_color(INK)
