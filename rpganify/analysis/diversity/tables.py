"""The tables of bucket diversity: relative to bucket 1, as plain distances, channel by channel, and path by path."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.analyzer import PathModel
from rpganify.analysis.bootstrap import Estimate, interval, mean_interval, resample
from rpganify.analysis.distances import ColourDistance
from rpganify.analysis.diversity.measure import ALL, BOUNDS, BucketDistances
from rpganify.report.report import Cell, Column, Table


@dataclass(frozen=True, slots=True)
class Summary:
    """Many paths' values of one number.

    Args:
        mean: with its 95 % bootstrap interval.
        std: the paths' standard deviation (of a sample, n − 1); None of a single path.
    """

    mean: Estimate
    std: float | None


@dataclass(frozen=True, slots=True)
class Diversity:
    """The measured distances, averaged over the paths; each list has the buckets, then the two bounds.

    Args:
        measured: path by path.
        ratios: for each part of the distances, `D(l→1)`; None where it has no value.
        means: for each part, the plain mean distance; None for a bucket of one block.
        of_all: for each part, a bucket's mean distance over that of all buckets varied; None where either has no value.
    """

    measured: BucketDistances
    ratios: dict[str, list[Summary | None]]
    means: dict[str, list[Summary | None]]
    of_all: dict[str, list[Estimate | None]]


def average(measured: BucketDistances, seed: int) -> Diversity:
    """Means, standard deviations and bootstrap intervals over the paths.

    Args:
        measured: path by path.
        seed: of the resamples.
    """
    chance = torch.Generator().manual_seed(seed)
    means = measured.means.clone()
    means[:, torch.tensor(measured.num_images) < 2] = torch.nan
    tables = (
        torch.cat([measured.ratios, measured.bound_ratios], dim=1),
        torch.cat([means, measured.bounds], dim=1),
    )
    ratios, plain = (
        {
            part: [summarise(table[:, row, index], chance) for row in range(table.shape[1])]
            for index, part in enumerate(measured.parts)
        }
        for table in tables
    )
    whole = measured.bounds[:, BOUNDS.index(ALL)]  # (num_paths, parts)
    of_all = {
        part: [_ratio_of_means(means[:, bucket, index], whole[:, index], chance) for bucket in range(means.shape[1])]
        for index, part in enumerate(measured.parts)
    }
    return Diversity(measured, ratios, plain, of_all)


def _ratio_of_means(values: Tensor, whole: Tensor, chance: torch.Generator) -> Estimate | None:
    """The ratio of two means over the same paths, with its interval; None where it has no value."""
    rows = torch.stack([values, whole], dim=1)
    if rows.isnan().any() or not whole.any():
        return None
    resampled = resample(rows, chance)
    (estimate,) = interval((values.mean() / whole.mean())[None], resampled[:, :1] / resampled[:, 1:])
    return estimate


def summarise(values: Tensor, chance: torch.Generator) -> Summary | None:
    """Mean, interval and standard deviation of what is not NaN; None where all is."""
    mean = mean_interval(values, chance)
    if mean is None:
        return None
    known = values[~values.isnan()]
    return Summary(mean, float(known.std(correction=1)) if len(known) > 1 else None)


def diversity_tables(found: Diversity, names: tuple[str, ...], rp: PathModel) -> tuple[Table, ...]:
    """All tables of the report.

    Args:
        found: the averages.
        names: of the buckets.
        rp: the model, for its paths and numbers of blocks.
    """
    measured = found.measured
    main = [distance.parts[0] for distance in measured.distances]
    labels: list[list[Cell]] = [
        [index + 1, name, rp.paths.num_blocks[index], measured.num_images[index]] for index, name in enumerate(names)
    ]
    labels += [[None, bound, None, count] for bound, count in zip(BOUNDS, (2, max(measured.num_images)), strict=True)]
    short = [row[:2] for row in labels]
    heads = (Column("bucket"), Column("name"), Column("blocks"), Column("images per path"))
    relative = [(f"D {part}", found.ratios[part]) for part in main]
    plain = [(f"{part} distance", found.means[part]) for part in main]
    tables = [
        _table("buckets", "Diversity of each bucket, relative to bucket 1", heads, labels, relative),
        _table("distances", "Diversity of each bucket, as plain distances", heads[:2], short, plain),
    ]
    parts = [part for part in measured.parts if part not in main]
    if parts:
        made = [distance for distance in measured.distances if len(distance.parts) > 1]
        is_colour = all(isinstance(distance, ColourDistance) for distance in made)
        title = "Colour, each channel on its own" if is_colour else f"What is in {', '.join(d.title for d in made)}"
        both = [
            pair
            for part in parts
            for pair in ((f"D {part}", found.ratios[part]), (f"{part} distance", found.means[part]))
        ]
        tables.append(_table("channels", title, heads[:2], short, both, has_intervals=False))
    return (*tables, _raw_table(measured, rp))


def _table(
    name: str,
    title: str,
    heads: tuple[Column, ...],
    labels: list[list[Cell]],
    groups: list[tuple[str, list[Summary | None]]],
    has_intervals: bool = True,
) -> Table:
    columns, rows = list(heads), [list(row) for row in labels]
    for heading, values in groups:
        columns += [Column(heading), Column(f"{heading} std", is_error=True)]
        columns += [Column(f"{heading}, from"), Column(f"{heading}, to")] * has_intervals
        for row, value in zip(rows, values, strict=True):
            cells: list[Cell] = [None] * 4
            if value is not None:
                cells = [value.mean.value, value.std, value.mean.low, value.mean.high]
            row += cells if has_intervals else cells[:2]
    return Table(name, title, tuple(columns), tuple(tuple(row) for row in rows))


def _raw_table(measured: BucketDistances, rp: PathModel) -> Table:
    columns = (Column("path"), Column("bucket"), *(Column(f"{part} distance") for part in measured.parts))
    rows: list[tuple[Cell, ...]] = []
    for path, means, bounds in zip(
        measured.paths.tolist(), measured.means.tolist(), measured.bounds.tolist(), strict=True
    ):
        printed = rp.paths.format(path)
        rows += [(printed, bucket + 1, *of_bucket) for bucket, of_bucket in enumerate(means)]
        rows += [(printed, bound, *of_bound) for bound, of_bound in zip(BOUNDS, bounds, strict=True)]
    return Table("paths", "mean distance of each path and bucket", columns, tuple(rows), is_raw=True)
