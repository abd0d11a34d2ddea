"""Bars of class shares, each with its interval, beside those of real images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Patch

from rpganify.analysis.bootstrap import Estimate
from rpganify.report.style import COLOURS, HATCHES, INK, MUTED, PAPER, RULE, new_drawing, plain_axes, shorten

MAX_CLASSES = 20
_BAR_IN, _GAP_IN = 0.13, 0.2


@dataclass(frozen=True, slots=True)
class Bars:
    """One set of bars.

    Args:
        label: whose they are.
        shares: one per class.
        is_reference: of real images: drawn white, what the others are held against.
    """

    label: str
    shares: tuple[Estimate, ...]
    is_reference: bool = False


def draw_shares(bars: Sequence[Bars], class_names: Sequence[str], new_classes: Sequence[int] = ()) -> Drawing:
    """A group of bars for each class, with 95 % intervals.

    Args:
        bars: in the order of a group.
        class_names: one per class.
        new_classes: those that came with a growth; their names are marked.
    """
    num_classes = len(class_names)
    step = len(bars) * _BAR_IN + _GAP_IN
    drawing = new_drawing(max(4.6, 0.9 + num_classes * step), 3.1 + 0.2 * len(bars))
    axes = drawing.add_subplot()
    plain_axes(axes)
    places = np.arange(num_classes)
    width = _BAR_IN / step
    number = 0
    handles = []
    for index, one in enumerate(bars):
        values = np.array([100 * share.value for share in one.shares])
        ends = np.array([[100 * share.low, 100 * share.high] for share in one.shares]).T
        colour, hatch = (PAPER, "") if one.is_reference else (COLOURS[number % 6], HATCHES[number % 6])
        number += not one.is_reference
        x = places + (index - (len(bars) - 1) / 2) * width
        edge = INK if one.is_reference else PAPER
        axes.bar(x, values, width=width * 0.94, facecolor=colour, hatch=hatch, edgecolor=edge, linewidth=0.7, zorder=2)
        errors = np.abs(ends - values)
        axes.errorbar(x, values, yerr=errors, fmt="none", ecolor=INK, elinewidth=0.8, capsize=1.5, zorder=3)
        label = shorten(one.label, 48)
        handles.append(Patch(facecolor=colour, hatch=hatch, edgecolor=edge, linewidth=0.7, label=label))
    for new in new_classes:
        axes.axvspan(new - 0.5, new + 0.5, color=RULE, alpha=0.45, linewidth=0, zorder=0)
    axes.set_xticks(places, [_tick(name, index in new_classes) for index, name in enumerate(class_names)])
    for tick in axes.get_xticklabels():
        tick.set_parse_math(False)
    axes.set_xlim(-0.5, num_classes - 0.5)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("class, by the classifier" + (" (shaded: new)" if new_classes else ""), fontsize=9, color=INK)
    axes.set_ylabel("share of the images, %", fontsize=9, color=INK)
    legend = axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1.01), fontsize=8, frameon=False, borderaxespad=0.2
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
        text.set_color(INK)
    axes.tick_params(axis="x", length=0, labelcolor=INK, color=MUTED)
    drawing.tight_layout(pad=1.0)
    return drawing


def _tick(name: str, is_new: bool) -> str:
    return f"{shorten(name, 12)}\nnew" if is_new else shorten(name, 12)
