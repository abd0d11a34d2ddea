"""Axes as a part of a report: strips of images along them, at home and elsewhere, and how even their steps came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from rpganify.analysis.geometry.axes import Axes, choose_axes
from rpganify.analysis.geometry.points import Point
from rpganify.analysis.geometry.strips import LINEAR, REACH, SPHERICAL, Describe, Strip, make_strips
from rpganify.analysis.geometry.strips_figure import StripRow, draw_strips
from rpganify.analysis.latents import LatentMap
from rpganify.report.report import Cell, Column, Figure, Table

# Of the distance between two random images, so that a strip of four steps to each side goes about half as far as that.
STEP_SHARE = 0.12
NUM_SHARED, NUM_PLACES = 3, 4
_NUM_PAIRS = 64


@dataclass(frozen=True, slots=True)
class AxesSection:
    """What a report shows of axes.

    Args:
        tables: how even the steps are.
        figures: strips along the axes of one position, along the mean ones, along those elsewhere, and on the sphere.
        notes: what to know of them.
        definition: a paragraph on how steps are chosen.
    """

    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]
    definition: str


DEFINITION = (
    "Strips show images along an axis. Their steps are equal in image distance, by the metric: the speed of the image along "
    "the way, a Jacobian-vector product, is summed up, and images are taken after equal lengths of its own way. A step is "
    "{share:g} % of the distance between two random images, and smaller where an axis changes the image so little that it "
    "would have to go farther than {reach} to a side, four standard deviations of a draw. `spherical` goes along the great "
    "circle through the position, on which the latent keeps its length. `off` is how far measured distances between "
    "neighbouring images are from equal steps (root mean square, as a share of a step); they fall a little short where the "
    "image's way is bent. `off, even in z` is the same where the latent's steps are equal instead. How the steps are chosen is "
    "ours."
)


def axes_section(
    points: Sequence[Point],
    describe: Describe,
    own: Axes,
    mean: Axes,
    *,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda what, done, of: None,
) -> AxesSection:
    """Strips along axes, as tables and figures.

    Args:
        points: positions, each with images of the latents around it; the first is that of the axes' own strips, and the
            others show the mean axes elsewhere.
        describe: images to the features whose Euclidean distance is the image distance.
        own: axes of the first position.
        mean: axes of the mean metric; those of `own` again are not shown twice.
        seed: of the random images that a step is measured by.
        progress: told what is under way, how much is done, and of how much.
    """
    first, others = points[0], points[1 : 1 + NUM_PLACES]
    step, reach = step_size(first.space, describe, seed), reach_in(first.space, seed)
    shown = choose_axes(len(mean))
    is_mean = mean is not own
    jobs: list[tuple[str, Point, Axes, Sequence[int], str]] = [("own", first, own, choose_axes(len(own)), LINEAR)]
    if is_mean:
        jobs.append(("mean", first, mean, shown, LINEAR))
    if float(first.position.norm()) > 0:
        jobs.append(("sphere", first, mean, shown, SPHERICAL))
    jobs += [("places", point, mean, range(min(NUM_SHARED, len(mean))), LINEAR) for point in others]
    made: list[tuple[str, Point, list[Strip]]] = []
    for done, (figure, point, axes, indices, kind) in enumerate(jobs):
        progress("strips along axes", done, len(jobs))
        strips = make_strips(point.space, describe, axes, indices, point.position, step=step, kind=kind, reach=reach)
        made.append((figure, point, strips))
    progress("strips along axes", len(jobs), len(jobs))
    return AxesSection(
        (_table(made, is_mean),),
        tuple(_figures(made, is_mean)),
        tuple(_notes(made)),
        DEFINITION.format(share=100 * STEP_SHARE, reach=_short(reach)),
    )


def step_size(space: LatentMap, describe: Describe, seed: int = 0) -> float:
    """A step between neighbouring images: 12 % of the median distance between images of random latents."""
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        one, other = (describe(space.images(space.draw(_NUM_PAIRS, chance))).double().flatten(1) for _ in range(2))
    return STEP_SHARE * float((one - other).norm(dim=1).median())


def reach_in(space: LatentMap, seed: int = 0) -> float:
    """How far to go to a side at most: four standard deviations of a random latent's values, 4 of a normal z."""
    drawn = space.draw(_NUM_PAIRS, torch.Generator().manual_seed(seed)).double()
    spread = float(drawn.var(dim=0).mean().sqrt())
    # Sixty-four draws give a normal z within a few hundredths of 1.
    return REACH * (1.0 if abs(spread - 1) < 0.05 else spread)


def _figures(made: Sequence[tuple[str, Point, list[Strip]]], is_mean: bool) -> list[Figure]:
    captions = {
        "own": "Images along the axes of the metric at one position, in the middle of each row.",
        "mean": "Images along the axes of the mean metric over all positions, at the same position.",
        "sphere": f"The same axes{' of the mean metric' if is_mean else ''}, along great circles.",
        "places": f"The first axes{' of the mean metric' if is_mean else ''}, at other positions.",
    }
    figures = []
    for name, caption in captions.items():
        rows = [(_where(point), strip) for found, point, strips in made if found == name for strip in strips]
        if not rows:
            continue
        is_elsewhere = name == "places"
        if is_elsewhere:
            rows.sort(key=lambda row: row[1].axis_index)
        indices = [strip.axis_index for _, strip in rows]
        # A rule goes above another axis where rows are positions, and above the contrasts where rows are axes.
        groups = [is_elsewhere and one != before for one, before in pairwise(indices)]
        if not is_elsewhere and indices != list(range(len(indices))):
            groups[next(row for row, index in enumerate(indices) if index != row) - 1] = True
        drawn = [
            _row(strip, where if is_elsewhere else "", starts)
            for (where, strip), starts in zip(rows, [False, *groups], strict=True)
        ]
        how = "Steps are equal in image distance; rows whose step is smaller go as far as the reach allows."
        figures.append(Figure(f"axes-{name}", f"{caption} λ is the axis' eigenvalue. {how}", draw_strips(drawn)))
    return figures


def _where(point: Point) -> str:
    return f"at position {point.label}" if point.label.isdigit() else f"at {point.label}"


def _row(strip: Strip, where: str, starts_group: bool) -> StripRow:
    value, step = f"λ = {_short(strip.eigenvalue)}", f"step {_short(strip.wanted)}"
    details = (where, f"{value}, {step}" if strip.is_cut else value) if where else (value, step)
    return StripRow(f"Axis {strip.axis_index + 1}", details, strip, starts_group)


def _table(made: Sequence[tuple[str, Point, list[Strip]]], is_mean: bool) -> Table:
    columns = (
        *(Column("axes"), Column("at"), Column("way"), Column("axis"), Column("eigenvalue"), Column("step")),
        *(Column("measured"), Column("off", "%"), Column("off, even in z", "%"), Column("from"), Column("to")),
    )
    rows: list[tuple[Cell, ...]] = []
    for figure, point, strips in made:
        for strip in strips:
            offs = (strip.deviation, strip.deviation_even)
            rows.append(
                (
                    "mean metric" if is_mean and figure != "own" else f"metric {_where(made[0][1])}",
                    *(point.label, strip.kind, strip.axis_index + 1),
                    *(strip.eigenvalue, strip.wanted, float(strip.measured.mean())),
                    *(None if off is None else 100 * off for off in offs),
                    *(float(strip.offsets[0]), float(strip.offsets[-1])),
                )
            )
    return Table("strips", "Steps along axes, and what was measured of them", columns, tuple(rows))


def _notes(made: Sequence[tuple[str, Point, list[Strip]]]) -> list[str]:
    pairs = [
        (strip.deviation, strip.deviation_even)
        for _, _, strips in made
        for strip in strips
        if strip.deviation is not None and strip.deviation_even is not None
    ]
    if not pairs:
        return []
    worst, even = (max(pair[side] for pair in pairs) for side in (0, 1))
    return [
        f"Steps of strips are off by at most {100 * worst:.2g} % of the step that the metric promises, measured on the images; "
        f"with steps that are even in the latent it would be up to {100 * even:.2g} %."
    ]


def _short(value: float) -> str:
    return f"{value:.3g}"
