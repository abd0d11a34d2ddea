"""Dots with whiskers: distance, precision and recall against real images of old, new and all classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.quality.figure import MARKERS, in_two_lines
from rpganify.report.style import COLOURS, INK, MUTED, new_drawing, plain_axes, shorten

_ROW_IN = 0.18


@dataclass(frozen=True, slots=True)
class Series:
    """One generator's numbers.

    Args:
        label: whose they are.
        frechet: by the classes' key.
        precision, recall: likewise.
        is_reference: of other real images: drawn grey and hollow.
    """

    label: str
    frechet: Mapping[str, Estimate]
    precision: Mapping[str, float]
    recall: Mapping[str, float]
    is_reference: bool = False


def draw_quality(series: Sequence[Series], groups: Sequence[tuple[str, str]], distance: str) -> Drawing:
    """Three panels side by side, a place on the axis for each group of classes.

    Args:
        series: in the order of the legend.
        groups: key and words of each.
        distance: what the Fréchet distance is called.
    """
    has_distance = any(one.frechet for one in series)
    num_panels = 2 + has_distance
    legend_in = 0.1 + _ROW_IN * len(series)
    drawing = new_drawing(3.1 * num_panels, 3.1 + legend_in)
    panels = drawing.subplots(1, num_panels, squeeze=False)[0]
    styles = _styles(series)
    if has_distance:
        _draw(panels[0], [one.frechet for one in series], styles, groups)
        panels[0].set_ylabel(f"{in_two_lines(distance)}", fontsize=9, color=INK, parse_math=False)
        panels[0].set_title("lower is better", fontsize=8, color=MUTED, loc="left")
    for axes, name in zip(panels[-2:], ("precision", "recall"), strict=True):
        values = [{key: Estimate(v, v, v) for key, v in getattr(one, name).items()} for one in series]
        _draw(axes, values, styles, groups)
        told = {
            "precision": "share of images like real ones",
            "recall": "share of real ones reached",
        }
        axes.set_ylabel(f"{name}:\n{told[name]}", fontsize=9, color=INK)
        axes.set_ylim(0, 1.02)
        axes.set_title("higher is better", fontsize=8, color=MUTED, loc="left")
    handles = [
        Line2D(
            [],
            [],
            linestyle="",
            markersize=6,
            label=shorten(one.label, 60),
            color=style.colour,
            marker=style.marker,
            markerfacecolor=style.fill,
        )
        for one, style in zip(series, styles, strict=True)
    ]
    legend = drawing.legend(handles=handles, loc="upper left", fontsize=8, frameon=False, borderaxespad=0.2)
    for text in legend.get_texts():
        text.set_parse_math(False)
        text.set_color(INK)
    drawing.tight_layout(pad=1.0, rect=(0, 0, 1, 3.1 / (3.1 + legend_in)))
    return drawing


@dataclass(frozen=True, slots=True)
class _Style:
    colour: str
    marker: str
    is_hollow: bool

    @property
    def fill(self) -> str:
        return "none" if self.is_hollow else self.colour


def _styles(series: Sequence[Series]) -> list[_Style]:
    styles, number = [], 0
    for one in series:
        if one.is_reference:
            styles.append(_Style(MUTED, "o", True))
            continue
        styles.append(_Style(COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)], False))
        number += 1
    return styles


def _draw(
    axes: Axes,
    values: Sequence[Mapping[str, Estimate]],
    styles: Sequence[_Style],
    groups: Sequence[tuple[str, str]],
) -> None:
    plain_axes(axes)
    step = 0.72 / max(1, len(values))
    for index, (one, style) in enumerate(zip(values, styles, strict=True)):
        for place, (key, _) in enumerate(groups):
            if (found := one.get(key)) is None:
                continue
            errors = [[found.value - found.low], [found.high - found.value]]
            x = place + (index - (len(values) - 1) / 2) * step
            axes.errorbar(
                [x],
                [found.value],
                yerr=errors if found.high > found.low else None,
                color=style.colour,
                marker=style.marker,
                markerfacecolor=style.fill,
                markersize=6,
                capsize=3,
                elinewidth=1.2,
                linestyle="",
                zorder=3,
            )
    axes.set_xticks(range(len(groups)), [words for _, words in groups])
    axes.set_xlim(-0.5, len(groups) - 0.5)
    axes.set_xlabel("classes", fontsize=9, color=INK)
    axes.set_ylim(bottom=0)
    axes.tick_params(axis="x", length=0)
