"""The chart of bucket diversity: a panel per distance, a bar per bucket, whiskers of one standard deviation."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from rpganify.analysis.diversity.tables import Diversity, Summary
from rpganify.report.style import COLOURS, HATCHES, INK, MUTED, PAPER, new_drawing, plain_axes, shorten

MAX_LABEL = 16


def draw_diversity(found: Diversity, names: tuple[str, ...]) -> Drawing:
    """Bars of `D(l→1)`, or of the plain mean distances where bucket 1 gives nothing to divide by.

    Args:
        found: the averages.
        names: of the buckets.
    """
    measured = found.measured
    num_panels = len(measured.distances)
    panel_width = max(3.4, 0.62 * len(names) + 1.3)
    is_stacked = num_panels > 1 and panel_width * num_panels > 11
    rows, columns = (num_panels, 1) if is_stacked else (1, num_panels)
    drawing = new_drawing(max(5.0, panel_width * columns), 3.1 * rows)
    panels = drawing.subplots(rows, columns, squeeze=False).flatten()
    for index, (axes, distance) in enumerate(zip(panels, measured.distances, strict=True)):
        is_relative = measured.is_relative(distance)
        values = (found.ratios if is_relative else found.means)[distance.parts[0]]
        *bars, _, whole = values
        _draw_panel(axes, bars, whole, names, index)
        axes.set_title(
            _title(distance.title, drawing.get_size_inches()[0] / columns),
            fontsize=10,
            color=INK,
            loc="left",
            pad=10,
            parse_math=False,
        )
        axes.set_ylabel("D(l→1)" if is_relative else f"{distance.key} distance", fontsize=9, color=INK)
        if is_relative:
            axes.axhline(1, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=3)
    drawing.tight_layout(pad=1.0, w_pad=2.5)
    return drawing


def _title(title: str, width: float) -> str:
    """What fits over a panel of that width in inches: the kind of extractor goes first, then the middle of its name."""
    limit = int((width - 0.8) / 0.08)
    return title if len(title) <= limit else shorten(title.replace("(classifier:", "("), limit)


def _draw_panel(
    axes: Axes, bars: list[Summary | None], whole: Summary | None, names: tuple[str, ...], index: int
) -> None:
    plain_axes(axes)
    tops = [bar.mean.value + (bar.std or 0.0) for bar in bars if bar] + ([whole.mean.value] if whole else [])
    top = max(tops, default=0.0) or 1.0
    if whole is not None:
        axes.axhline(whole.mean.value, color=MUTED, linewidth=1.1, linestyle=(0, (1, 2)), zorder=1)
        label = f"all {whole.mean.value:.2f}" if whole.mean.value < 100 else f"all {whole.mean.value:.0f}"
        axes.annotate(
            label,
            (1.0, whole.mean.value),
            (3, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=MUTED,
        )
    for bucket, bar in enumerate(bars):
        if bar is None:
            axes.text(bucket, 0.02 * top, "–", ha="center", va="bottom", color=MUTED, fontsize=10)
            continue
        mean, std = bar.mean.value, bar.std or 0.0
        axes.bar(
            bucket,
            mean,
            width=0.66,
            color=COLOURS[index % len(COLOURS)],
            hatch=HATCHES[index % len(HATCHES)],
            edgecolor="white",
            linewidth=0.0,
            zorder=2,
        )
        # A whisker ends at 0, below which no distance goes; its true length is in the table.
        axes.errorbar(
            bucket, mean, yerr=[[min(std, mean)], [std]], color=INK, linewidth=0.9, capsize=3, capthick=0.9, zorder=4
        )
        axes.plot(
            [bucket, bucket], [bar.mean.low, bar.mean.high], color=INK, linewidth=3.2, solid_capstyle="butt", zorder=5
        )
        axes.annotate(
            f"{mean:.2f}" if mean < 100 else f"{mean:.0f}",
            (bucket, mean + std),
            (0, 4),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=7.5,
            color=INK,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": PAPER, "edgecolor": "none"},  # a line may run behind it
            zorder=5,
        )
    axes.set_ylim(0, 1.16 * top)
    room = max(0, 3 - len(bars)) / 2  # one or two bars keep the width of three
    axes.set_xlim(-0.6 - room, len(bars) - 0.4 + room)
    labels = [shorten(name, MAX_LABEL) for name in names]
    is_long = max(len(label) for label in labels) > 7
    axes.set_xticks(range(len(bars)))
    axes.set_xticklabels(
        [f"{number + 1} {label}" if is_long else f"{number + 1}\n{label}" for number, label in enumerate(labels)],
        rotation=32 if is_long else 0,
        ha="right" if is_long else "center",
        rotation_mode="anchor" if is_long else None,
        parse_math=False,
    )
    axes.tick_params(axis="x", length=0)
    if not is_long:
        axes.set_xlabel("bucket", fontsize=9, color=INK)
