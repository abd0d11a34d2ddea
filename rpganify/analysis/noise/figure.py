"""Pictures of noise against blocks: what both make of an image, how much they change, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from torch import Tensor

from rpganify.analysis.quality.figure import in_two_lines
from rpganify.analysis.variations.figure import place_picture, place_text
from rpganify.report.style import COLOURS, DPI, HATCHES, INK, MUTED, RULE, new_drawing, plain_axes, shorten

# Pixels of the saved picture, at 200 per inch.
MARGIN = 30
GAP = 6
ROW_GAP = 22
PANEL_GAP = 30
LABEL_WIDTH = 230
HEAD = 92
CELL = 88
MIN_ROW = 84


@dataclass(frozen=True, slots=True)
class GridPanel:
    """A column of small pictures: the image as it is on top, and a row of changed ones per bucket.

    Args:
        title: what changes the images.
        told: more of it, in small print.
        base: uint8 `(C, H, W)`.
        rows: per bucket, uint8 `(k, C, H, W)`; None where there is nothing to show.
        remarks: per bucket, a word below the row; empty for none.
    """

    title: str
    told: str
    base: Tensor
    rows: tuple[Tensor | None, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Bars of one colour, one per bucket.

    Args:
        label: in the legend.
        values: None leaves a bar out.
        errors: half the whisker; None draws none.
    """

    label: str
    values: tuple[float | None, ...]
    errors: tuple[float | None, ...]


def draw_grid(names: Sequence[str], panels: Sequence[GridPanel]) -> Drawing:
    """Panels side by side, a row per bucket; small images are enlarged by whole factors.

    Args:
        names: of the buckets.
        panels: at least one, each with the same number of buckets.
    """
    base = panels[0].base
    longer = max(base.shape[1:])
    factor = max(1, round(CELL / longer)) if longer <= 2 * CELL else CELL / longer
    height, width = (max(1, round(size * factor)) for size in base.shape[1:])
    columns = max(len(row) for panel in panels for row in panel.rows if row is not None)
    panel_width = max(columns * (width + GAP) - GAP, 276)
    row_height = max(height + ROW_GAP, MIN_ROW) + 8
    first_row = MARGIN + HEAD + height + ROW_GAP + 14
    total_width = 2 * MARGIN + LABEL_WIDTH + len(panels) * (panel_width + PANEL_GAP) - PANEL_GAP
    total_height = first_row + len(names) * row_height + MARGIN // 2
    drawing = new_drawing(total_width / DPI, total_height / DPI)
    axes = drawing.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, total_width)
    axes.set_ylim(total_height, 0)
    axes.axis("off")
    place_text(axes, MARGIN, MARGIN + HEAD + height / 2, "unchanged", 8.5, MUTED)
    for index, name in enumerate(names):
        middle = first_row + index * row_height + height / 2
        place_text(axes, MARGIN, middle - 16, f"Bucket {index + 1}", 9.5, INK, weight="bold")
        place_text(axes, MARGIN, middle + 16, shorten(name, 18), 8.5, INK)
    for number, panel in enumerate(panels):
        left = MARGIN + LABEL_WIDTH + number * (panel_width + PANEL_GAP)
        place_text(axes, left, MARGIN + 16, panel.title, 9.5, INK, weight="bold")
        place_text(axes, left, MARGIN + 50, panel.told, 7.5, MUTED)
        place_picture(axes, panel.base, left, MARGIN + HEAD, width, height, frame=INK)
        for index, row in enumerate(panel.rows):
            top = first_row + index * row_height
            for column, image in enumerate(() if row is None else row):
                place_picture(axes, image, left + column * (width + GAP), top, width, height)
            if row is None:
                place_text(axes, left, top + height / 2, panel.remarks[index], 7.5, MUTED)
            elif panel.remarks[index]:
                place_text(axes, left, top + height + 12, panel.remarks[index], 6.5, MUTED)
    return drawing


def draw_bars(
    names: Sequence[str], series: Sequence[Series], title: str, levels: Sequence[tuple[str, float]] = ()
) -> Drawing:
    """Groups of bars, one group per bucket, with whiskers.

    Args:
        names: of the buckets.
        series: bars of one colour each.
        title: of the vertical axis.
        levels: lines across, each with its label; the first goes with the first series' colour, and so on.
    """
    drawing = new_drawing(max(4.6, 1.0 + 0.95 * len(names)), 3.4 + 0.19 * (len(series) + len(levels)))
    axes = drawing.add_subplot()
    plain_axes(axes)
    step = 0.8 / len(series)
    for number, one in enumerate(series):
        colour, hatch = COLOURS[number % len(COLOURS)], HATCHES[number % len(HATCHES)]
        for bucket, (value, error) in enumerate(zip(one.values, one.errors, strict=True)):
            x = bucket - 0.4 + (number + 0.5) * step
            if value is None:
                axes.text(x, 0, "–", ha="center", va="bottom", color=MUTED, fontsize=9)
                continue
            label = one.label if bucket == min(b for b, v in enumerate(one.values) if v is not None) else None
            axes.bar(
                x,
                value,
                width=0.9 * step,
                color=colour,
                hatch=hatch,
                edgecolor="white",
                linewidth=0,
                zorder=2,
                label=label,
            )
            if error is not None:
                whisker = [[min(error, value)], [error]]
                axes.errorbar(x, value, yerr=whisker, color=INK, linewidth=0.9, capsize=2.5, capthick=0.9, zorder=4)
    for number, (label, level) in enumerate(levels):
        dashes = (0, (5, 2)) if number == 0 else (0, (1.5, 1.5))
        axes.axhline(level, color=INK, linewidth=1.1, linestyle=dashes, label=label, zorder=3)
    _finish(axes, names, title)
    drawing.tight_layout(pad=1.0)
    return drawing


def _finish(axes: Axes, names: Sequence[str], title: str) -> None:
    axes.axhline(0, color=RULE, linewidth=0.6)
    axes.set_ylim(bottom=0)
    axes.set_xlim(-0.6, len(names) - 0.4)
    labels = [shorten(name, 14) for name in names]
    is_long = max(map(len, labels)) > 8
    axes.set_xticks(range(len(names)))
    axes.set_xticklabels(
        [f"{number} {label}" if is_long else f"{number}\n{label}" for number, label in enumerate(labels, start=1)],
        rotation=32 if is_long else 0,
        ha="right" if is_long else "center",
        rotation_mode="anchor" if is_long else None,
        parse_math=False,
    )
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("bucket", fontsize=9, color=INK)
    axes.set_ylabel(in_two_lines(title), fontsize=9, color=INK, parse_math=False)
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.01), fontsize=8, frameon=False, handlelength=2.4, borderaxespad=0.2
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
        text.set_color(INK)
