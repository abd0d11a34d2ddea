"""The heat map of effects, intervention × concept, and the sorted curve of importance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import FuncNorm, LinearSegmentedColormap
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from rpganify.analysis.concepts.measured import Group, Measured
from rpganify.report.style import COLOURS, INK, MUTED, PAPER, RULE, new_drawing, plain_axes, shorten

# What rises is blue, what falls is orange and has a bar across, so that grey print tells them apart as well.
_SHADES = LinearSegmentedColormap.from_list(
    "effects", ["#7a3b00", "#c46a12", "#eba64f", "#f8dfc0", "#ffffff", "#d3e4f1", "#8fbfe0", "#3f8fc6", "#0b5c97"]
)
MAX_COLUMNS = 128
_MARKERS = ("o", "s", "^", "D", "v", "P")
_NUM_NAMED = 6

# Lengths in inches.
_CELL_HEIGHT = 0.2
_MAX_WIDTH = 9.6
_MARGIN = 0.12
_LETTER = 0.078
_HEAD = 0.32
_TICKS = 0.3
_BAR = 0.75
_GAP = 0.14


def shown_rows(measured: Measured, group: Group) -> list[int]:
    """The rows of a group in the order in which they are drawn.

    Variables that change the same concept most stand side by side, the strongest first; those of which nothing is told
    come last. Of more than 128 the most important are taken.
    """
    rank = {variable: place for place, variable in enumerate(measured.importance.order.tolist())}
    kept = sorted(group.rows, key=lambda row: rank[measured.variables[row]])[:MAX_COLUMNS]
    return sorted(kept, key=lambda row: _place(measured, measured.variables[row]))


def draw_effects(measured: Measured, *, is_stacked: bool) -> Drawing:
    """A panel per group, a row per concept, a column per intervention.

    Args:
        measured: the effects.
        is_stacked: whether the groups hold the same variables and stand above one another; else they stand side by side.
    """
    orders = [shown_rows(measured, group) for group in measured.groups]
    height = len(measured.concepts) * max(_CELL_HEIGHT, 0.1)
    columns = max(map(len, orders)) if is_stacked else sum(map(len, orders))
    label = 0.12 + _LETTER * max(len(shorten(name, 14)) for name in measured.concepts)
    gaps = 0.0 if is_stacked else _GAP * (len(orders) - 1)
    cell = min(0.24, (_MAX_WIDTH - label - _BAR - 2 * _MARGIN - gaps) / columns)
    # A group of few blocks still has to hold its title.
    widths = [max(len(order) * cell, 0.55) for order in orders]
    inner = max(widths) if is_stacked else sum(widths) + gaps
    width = 2 * _MARGIN + label + inner + _BAR
    panel = _HEAD + height + _TICKS
    total = 2 * _MARGIN + 0.12 + (panel * len(orders) if is_stacked else panel)
    drawing = new_drawing(width, total)
    peak = max(1e-6, float(measured.effects.mean.abs().max()))
    # The square root shows effects of a few points beside one of fifty.
    norm = FuncNorm((lambda x: np.sign(x) * np.sqrt(np.abs(x)), lambda y: np.sign(y) * y**2), -100 * peak, 100 * peak)
    left, top, first = _MARGIN + label, _MARGIN, None
    for number, (group, order) in enumerate(zip(measured.groups, orders, strict=True)):
        box = (left / width, 1 - (top + _HEAD + height) / total, widths[number] / width, height / total)
        axes = drawing.add_axes(box)
        first = first or axes
        is_named = is_stacked or number == 0
        _draw_panel(axes, measured, group, order, norm, cell, is_named=is_named)
        if is_stacked:
            top += panel
        else:
            left += widths[number] + _GAP
    assert first is not None
    bar_box = ((_MARGIN + label + inner + 0.16) / width, first.get_position().y0, 0.11 / width, height / total)
    bar = drawing.colorbar(first.images[0], cax=drawing.add_axes(bar_box))
    marks = [mark for mark in (0.2, 0.5, 1, 2, 5, 10, 20, 50) if mark <= 100 * peak][::-2][:3]
    ticks = [*(-mark for mark in marks), 0, *marks[::-1]]
    bar.set_ticks(ticks, labels=[f"{tick:+g}".replace("-", "\N{MINUS SIGN}") if tick else "0" for tick in ticks])
    bar.ax.minorticks_off()
    bar.outline.set_edgecolor(RULE)
    bar.ax.tick_params(labelsize=6.5, colors=MUTED, labelcolor=INK, length=2)
    bar.ax.set_title("points", fontsize=7, color=MUTED, pad=4)
    drawing.text(
        (_MARGIN + label) / width,
        0.1 / total,
        "white: no effect told   ·   with a bar: the probability falls",
        fontsize=7.5,
        color=MUTED,
    )
    return drawing


def draw_importance(measured: Measured, groups_are_buckets: bool) -> Drawing:
    """How much variables matter, sorted, beside what variables without effect would seem to: for all concepts, and for each.

    Args:
        measured: the importance of each variable.
        groups_are_buckets: whether each bucket gets a mark of its own.
    """
    drawing = new_drawing(8.4, 3.3)
    whole, each = drawing.subplots(1, 2, width_ratios=(1.35, 1))
    _draw_whole(whole, measured, groups_are_buckets)
    _draw_each(each, measured)
    for axes in (whole, each):
        axes.set_xlabel(
            "blocks, sorted (bucket:block)" if groups_are_buckets else "numbers of z, sorted", fontsize=9, color=INK
        )
        axes.set_ylim(0, None)
    drawing.tight_layout(pad=0.8, w_pad=1.6)
    return drawing


def _draw_whole(axes: Axes, measured: Measured, groups_are_buckets: bool) -> None:
    found = measured.importance
    order, ranks = found.order.tolist(), np.arange(1, len(found.values) + 1)
    values = 100 * found.values[found.order].numpy()
    plain_axes(axes)
    band = (100 * found.null_low.numpy(), 100 * found.null_high.numpy())
    axes.fill_between(ranks, *band, color=RULE, linewidth=0, zorder=1)
    axes.plot(ranks, values, color=MUTED, linewidth=1, zorder=2)
    handles: list[Line2D | Patch] = []
    groups = measured.groups if groups_are_buckets else measured.groups[:1]
    for number, group in enumerate(groups):
        mine = {measured.variables[row] for row in group.rows}
        places = [place for place, variable in enumerate(order) if variable in mine]
        marker, colour = _MARKERS[number % len(_MARKERS)], COLOURS[number % len(COLOURS)]
        look = {"marker": marker, "color": colour, "mec": PAPER, "mew": 0.3}
        size = 4.5 if groups_are_buckets else 3.4
        (line,) = axes.plot(ranks[places], values[places], linestyle="", markersize=size, zorder=3, **look)  # type: ignore[arg-type]
        line.set_label(shorten(group.title, 22) if groups_are_buckets else "a number of z")
        handles.append(line)
    handles.append(Patch(color=RULE, label="without any mean effect (95 %)"))
    reach, last = values[0] if len(values) else 1.0, float("inf")
    for place in range(min(_NUM_NAMED, found.num_above_null)):
        if last - values[place] < 0.05 * reach:  # the next name would lie on the one before
            continue
        last = values[place]
        name = measured.names[order[place]] if groups_are_buckets else f"z{measured.names[order[place]]}"
        axes.annotate(
            name, (ranks[place], last), xytext=(5, 1), textcoords="offset points", fontsize=7, color=INK, va="center"
        )
    axes.set_xlim(0, len(ranks) + max(1.0, 0.04 * len(ranks)))
    axes.set_ylabel("probability moved [points]", fontsize=9, color=INK)
    legend = axes.legend(handles=handles, fontsize=7.5, frameon=False, labelcolor=INK)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _draw_each(axes: Axes, measured: Measured) -> None:
    found = measured.importance
    sizes = 100 * found.of_concepts.sort(dim=0, descending=True).values.numpy()  # (num_variables, num_concepts)
    ranks = np.arange(1, len(sizes) + 1)
    plain_axes(axes)
    axes.fill_between(ranks, 0, 100 * found.null_of_concepts.numpy(), color=RULE, linewidth=0, zorder=1)
    axes.plot(ranks, sizes, color=COLOURS[0], linewidth=0.9, alpha=0.75, zorder=2)
    last = float("inf")
    for concept in np.argsort(-sizes[0], kind="stable"):
        if last - sizes[0, concept] < 0.05 * sizes.max():
            continue
        last = sizes[0, concept]
        axes.annotate(
            shorten(measured.concepts[concept], 12),
            *((1, last),),
            xytext=(-4, 0), textcoords="offset points", fontsize=7, color=INK, ha="right", va="center", parse_math=False,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(0.6, len(ranks) * 1.1)
    marks = [mark for mark in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if mark <= len(ranks)]
    axes.set_xticks(marks, [str(mark) for mark in marks])
    axes.minorticks_off()
    axes.set_ylabel("effect on one class [points]", fontsize=9, color=INK)


def _place(measured: Measured, variable: int) -> tuple[int, float]:
    """Where a variable stands: by the concept that it is told to change most, then by how much; untold ones last."""
    rows = [row for row, one in enumerate(measured.variables) if one == variable]
    told = (measured.effects.mean * measured.effects.is_significant)[rows].abs().amax(dim=0)
    concept = int(told.argmax())
    if told[concept] == 0:
        return len(measured.concepts), -float(measured.importance.values[variable])
    return concept, -float(told[concept])


def _draw_panel(
    axes: Axes,
    measured: Measured,
    group: Group,
    order: Sequence[int],
    norm: FuncNorm,
    cell: float,
    *,
    is_named: bool,
) -> None:
    effects = measured.effects.mean[list(order)].T.numpy()  # (num_concepts, columns)
    peak = 100 * float(measured.effects.mean.abs().max())
    is_told = measured.effects.is_significant[list(order)].T.numpy()
    axes.imshow(np.where(is_told, 100 * effects, 0.0), cmap=_SHADES, norm=norm, aspect="auto", interpolation="nearest")
    rows, columns = np.nonzero(is_told & (effects < 0))
    reach = 0.28
    if len(rows):
        ink = [
            PAPER if 100 * effects[row, column] < -0.55 * peak else INK
            for row, column in zip(rows, columns, strict=True)
        ]
        axes.hlines(rows, columns - reach, columns + reach, colors=ink, linewidth=0.6)
    axes.set_xticks(range(len(order)))
    size = max(3.4, min(6.5, 60 * cell))
    names = [measured.names[measured.variables[row]].rpartition(":")[2] for row in order]
    axes.set_xticklabels(names, rotation=90, fontsize=size, parse_math=False)
    axes.set_yticks(range(len(measured.concepts)))
    labels = [shorten(name, 14) for name in measured.concepts] if is_named else [""] * len(measured.concepts)
    axes.set_yticklabels(labels, fontsize=8, parse_math=False)
    axes.tick_params(colors=MUTED, labelcolor=INK, length=0, pad=2)
    axes.set_yticks(np.arange(0.5, len(measured.concepts) - 1), minor=True)
    axes.grid(which="minor", axis="y", color=RULE, linewidth=0.4)
    axes.tick_params(which="minor", length=0)
    for side in axes.spines.values():
        side.set_color(RULE)
    axes.set_title(
        shorten(group.title, max(8, int(len(order) * cell / 0.075))),
        fontsize=8.5,
        color=INK,
        loc="left",
        pad=4,
        parse_math=False,
    )
