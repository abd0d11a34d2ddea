"""The chart of cost against the number of blocks: a panel per generator and batch size."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import NullLocator

from rpganify.bench.case import CaseResult
from rpganify.bench.subjects import BACKWARD
from rpganify.report.style import COLOURS, INK, MUTED, new_drawing, plain_axes, shorten

_MAX_COLUMNS = 2
_PLAIN = "the plain generator"


def draw_blocks(results: Sequence[CaseResult]) -> Drawing:
    """Time of a routed pass in multiples of the plain generator's, and the bound, against the blocks per bucket.

    Points are medians over the rounds, whiskers their quarters. Where buckets differ, the largest counts.

    Args:
        results: at least one, in any order.
    """
    panels: dict[tuple[str, int], list[CaseResult]] = {}
    for result in results:
        panels.setdefault((result.generator, result.batch_size), []).append(result)
    columns = min(len(panels), _MAX_COLUMNS)
    rows = -(-len(panels) // columns)
    drawing = new_drawing(5.8 * columns, 4.1 * rows)
    places = drawing.subplots(rows, columns, squeeze=False).flatten()
    for axes, ((generator, batch_size), cases) in zip(places, panels.items(), strict=False):
        _draw_panel(axes, sorted(cases, key=lambda case: max(case.num_blocks)))
        title = f"{shorten(generator, 36)}, batch {batch_size}"
        axes.set_title(title, fontsize=10, color=INK, loc="left", pad=10, parse_math=False)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    drawing.tight_layout(pad=1.0, w_pad=2.5)
    return drawing


def _draw_panel(axes: Axes, cases: Sequence[CaseResult]) -> None:
    plain_axes(axes)
    blocks = [max(case.num_blocks) for case in cases]
    for is_both, colour, marker, aside in ((True, COLOURS[5], "s", 1.02), (False, COLOURS[0], "o", 1 / 1.02)):
        places = [one * aside for one in blocks]  # beside each other, so that no whisker covers another
        suffix = BACKWARD * is_both
        name = "forward + backward" if is_both else "forward"
        ratios, low, high, bounds = [], [], [], []
        for case in cases:
            routed, plain = case.timings["routed" + suffix], case.timings["plain" + suffix]
            ratio, spread = routed.ratio(plain), routed.ratio_spread(plain)
            ratios.append(ratio)
            low.append(max(ratio - spread[0], 0.0))
            high.append(max(spread[1] - ratio, 0.0))
            bounds.append(case.bound_s(is_both) / plain.median_s)
        axes.errorbar(
            places,
            ratios,
            yerr=[low, high],
            color=colour,
            marker=marker,
            markersize=5,
            linewidth=1.6,
            elinewidth=1.0,
            capsize=3,
            label=name,
            zorder=4,
        )
        # Hollow marks, so that the two bounds keep apart in grey print as well.
        axes.plot(
            places,
            bounds,
            color=colour,
            linewidth=1.1,
            linestyle=(0, (4, 2)),
            marker=marker,
            markersize=3.5,
            markerfacecolor="white",
            label=f"{name}: bound",
            zorder=3,
        )
    axes.axhline(1, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=2, label=_PLAIN)
    axes.set_xscale("log", base=2)
    axes.set_xticks(blocks, [str(one) for one in blocks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("blocks per bucket", fontsize=9, color=INK)
    axes.set_ylabel("time, in multiples of the plain generator's", fontsize=9, color=INK)
    drawn = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    order = [f"{name}{bound}" for name in ("forward + backward", "forward") for bound in ("", ": bound")]
    labels = [*order, _PLAIN]
    axes.legend(
        [drawn[label] for label in labels],
        labels,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.17),  # below the chart, where no whisker is
        ncols=3,
        fontsize=8,
        frameon=False,
        labelcolor=INK,
    )
