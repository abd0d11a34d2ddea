"""Pictures of metrics: spectra with their spread, and how much positions agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from rpganify.analysis.geometry.homogeneity import pairs_of
from rpganify.analysis.geometry.measure import Series
from rpganify.analysis.geometry.spectrum import Band, band, spectra
from rpganify.report.style import COLOURS, HATCHES, INK, MUTED, RULE, new_drawing, plain_axes

# One for each network, readable without colour.
_LINES: tuple[str | tuple[int, tuple[int, ...]], ...] = ("solid", (0, (5, 2)), (0, (1, 1)))
# Eigenvalues below this share of the largest are rounding and left out of the logarithmic picture.
LEAST_SHOWN = 1e-12


def draw_spectra(all_series: Sequence[Series]) -> Drawing:
    """Eigenvalues by rank: of the model on a linear scale, and of all networks, as shares of the largest, on a log one.

    Args:
        all_series: the model first, then its controls.
    """
    drawing = new_drawing(8.4, 3.5)
    left, right = drawing.subplots(1, 2)
    model = band(spectra(all_series[0].metrics))
    _draw_band(left, model, 0, "", 1.0)
    left.set_ylabel("eigenvalue", fontsize=9, color=INK)
    left.set_ylim(bottom=0)
    # Beyond the axes that carry 99.9 % of the change there is nothing to see on a linear scale.
    sums = model.mean.cumsum(0)
    count = int((sums < 0.999 * sums[-1]).sum()) + 1
    left.set_xlim(1, max(min(10, len(sums)), min(len(sums), round(1.2 * count))))
    least = 1.0
    for index, series in enumerate(all_series):
        found = band(spectra(series.metrics))
        largest = float(found.mean[0])
        _draw_band(right, found, index, _count(series), largest)
        shares = found.mean / largest
        least = min(least, float(shares[shares > LEAST_SHOWN].min()))
    right.set_yscale("log")
    right.set_ylim(max(LEAST_SHOWN, least / 10), 3)
    right.set_ylabel("share of the largest mean", fontsize=9, color=INK)
    right.set_xlim(1, max(2, len(model.mean)))
    for axes in (left, right):
        plain_axes(axes)
        axes.set_xlabel("rank of the axis", fontsize=9, color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    right.tick_params(which="minor", left=False)
    drawing.tight_layout(pad=0.8, rect=(0, 0, 1, 0.92))
    drawing.legend(
        *right.get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(0.06, 1.0), ncols=3, frameon=False,
        fontsize=8.5, handlelength=2.8, columnspacing=1.8,
    )  # fmt: skip
    return drawing


def _draw_band(axes: Axes, found: Band, index: int, label: str, scale: float) -> None:
    ranks = torch.arange(1, len(found.mean) + 1).numpy()
    colour = COLOURS[index]
    mean, low, high = (
        (values / scale).clamp_min(LEAST_SHOWN / 10).numpy() for values in (found.mean, found.low, found.high)
    )
    axes.fill_between(ranks, low, high, color=colour, alpha=0.25, linewidth=0)
    axes.plot(ranks, mean, color=colour, linewidth=1.6, linestyle=_LINES[index], label=label)


def _count(series: Series) -> str:
    return f"{series.name} ({len(series.metrics)} positions)"


def draw_matrices(series: Series) -> Drawing:
    """Agreement of all pairs of positions, linear and logarithmic, with one scale of colours.

    Args:
        series: of the model.
    """
    drawing = new_drawing(8.4, 3.9)
    panels = drawing.subplots(1, 2)
    values = [series.agreement.linear, series.agreement.log]
    known = torch.cat([one[~one.isnan()] for one in values])
    least = min(0.0, float(known.min())) if len(known) else 0.0
    image = None
    for axes, matrix, title in zip(panels, values, ("linear", "logarithmic"), strict=True):
        image = axes.imshow(matrix.numpy(), cmap="cividis", vmin=least, vmax=1, interpolation="nearest")
        axes.set_title(title, fontsize=9, color=INK, loc="left")
        axes.set_xlabel("position j, whose metric is foretold", fontsize=9, color=INK)
        axes.set_ylabel("position i, whose axes are taken", fontsize=9, color=INK)
        axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=8, length=2)
        places = _ticks(len(matrix))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks(places, [str(place + 1) for place in places])
        for spine in axes.spines.values():
            spine.set_color(RULE)
    assert image is not None
    drawing.subplots_adjust(left=0.075, right=0.88, bottom=0.13, top=0.92, wspace=0.22)
    place = drawing.add_axes((0.905, 0.18, 0.016, 0.68))
    bar = drawing.colorbar(image, cax=place)
    bar.set_label("correlation", fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8, colors=MUTED, labelcolor=INK)
    bar.outline.set_edgecolor(RULE)
    return drawing


def _ticks(count: int) -> list[int]:
    """At most ten places, the first and every so many after it."""
    return list(range(0, count, max(1, -(-count // 10))))


def draw_agreement(all_series: Sequence[Series], measure: str) -> Drawing:
    """How often positions agree how much; and agreement against distance.

    Args:
        all_series: the model first, then its controls.
        measure: what the distance is, in words.
    """
    drawing = new_drawing(8.4, 3.4)
    left, right = drawing.subplots(1, 2)
    model = all_series[0]
    values = {"linear": _known(pairs_of(model.agreement.linear)), "logarithmic": _known(pairs_of(model.agreement.log))}
    least = min([0.9, *(float(one.min()) for one in values.values() if len(one))])
    edges = np.linspace(math.floor(10 * least) / 10, 1, 26)
    for index, (name, found) in enumerate(values.items()):
        left.hist(
            found.numpy(),
            bins=edges.tolist(),
            color=COLOURS[index],
            hatch=HATCHES[index],
            edgecolor="white",
            linewidth=0.4,
            alpha=0.8,
            label=f"{name}, mean {float(found.mean()):.3f}" if len(found) else name,
        )
    left.set_xlabel("correlation", fontsize=9, color=INK)
    left.set_ylabel("pairs of positions", fontsize=9, color=INK)
    distances = pairs_of(model.points.distances())
    _scatter(right, distances, model.agreement.linear, 0, "linear")
    _scatter(right, distances, model.agreement.log, 1, "logarithmic")
    right.set_xlabel(measure, fontsize=9, color=INK)
    right.set_ylabel("correlation, mean of both ways", fontsize=9, color=INK)
    right.set_ylim(top=1.02)
    for axes in (left, right):
        plain_axes(axes)
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False, fontsize=8.5, borderaxespad=0.2,
            handlelength=1.6, columnspacing=1.4,
        )  # fmt: skip
    drawing.tight_layout(pad=0.8)
    return drawing


def _scatter(axes: Axes, distances: Tensor, agreement: Tensor, index: int, label: str) -> None:
    found = pairs_of(agreement)
    is_known = ~found.isnan()
    # Numbers of buckets lie upon each other; a little to the side they can be seen.
    is_whole = bool((distances == distances.round()).all())
    aside = (
        torch.linspace(-0.16, 0.16, len(found), dtype=torch.float64)[
            torch.randperm(len(found), generator=torch.Generator().manual_seed(index))
        ]
        if is_whole
        else torch.zeros(len(found), dtype=torch.float64)
    )
    axes.scatter(
        (distances + aside)[is_known].numpy(), found[is_known].numpy(), s=9, marker=("o", "x")[index], color=COLOURS[index],
        linewidths=0.8, alpha=0.6, label=label,
    )  # fmt: skip
    if is_whole:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _known(values: Tensor) -> Tensor:
    return values[~values.isnan()]
