"""Agreement of paths that share a block: which bucket lays down the axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from rpganify.analysis.geometry.homogeneity import pairs_of
from rpganify.analysis.geometry.measure import Series
from rpganify.report.report import Column, Table


@dataclass(frozen=True, slots=True)
class Sharing:
    """Pairs of paths that have the same block of a bucket, and those that have not.

    Args:
        name: of the bucket.
        num_same, num_other: pairs of each kind.
        same, other: their mean agreement, linear and log; None where there is no such pair, or none with a value.
    """

    name: str
    num_same: int
    num_other: int
    same: tuple[float | None, float | None]
    other: tuple[float | None, float | None]


def sharing(series: Series, names: Sequence[str]) -> tuple[Sharing, ...]:
    """Of each bucket; empty where positions are no paths.

    Args:
        series: metrics under paths.
        names: of the buckets.
    """
    codes = [point.code for point in series.points.points if point.code is not None]
    if len(codes) < len(series.metrics):
        return ()
    paths = torch.stack(codes)
    rows, columns = torch.triu_indices(len(paths), len(paths), offset=1)
    both = [pairs_of(series.agreement.linear), pairs_of(series.agreement.log)]
    found = []
    for bucket, name in enumerate(names):
        is_same = paths[rows, bucket] == paths[columns, bucket]
        same = tuple(_mean(values[is_same]) for values in both)
        other = tuple(_mean(values[~is_same]) for values in both)
        found.append(Sharing(name, int(is_same.sum()), int((~is_same).sum()), (same[0], same[1]), (other[0], other[1])))
    return tuple(found)


def sharing_table(found: Sequence[Sharing]) -> Table:
    """A row per bucket."""
    columns = (
        Column("bucket"), Column("name"), Column("pairs that share its block"), Column("linear, shared"),
        Column("linear, not shared"), Column("log, shared"), Column("log, not shared"),
    )  # fmt: skip
    rows = tuple(
        (number, one.name, one.num_same, one.same[0], one.other[0], one.same[1], one.other[1])
        for number, one in enumerate(found, 1)
    )
    return Table("shared-blocks", "Mean agreement of paths that share a bucket's block, and of others", columns, rows)


def sharing_sentence(number: int, one: Sharing) -> str:
    """What sharing a bucket's block does for the agreement."""
    subject = f"Bucket {number} ({one.name})"
    if one.same[1] is None or one.other[1] is None:
        kind = "share" if one.same[1] is None else "differ in"
        return f"{subject}: no two of the paths {kind} its block."
    return (
        f"{subject}: two paths through one block of it agree on the axes of the latent to {one.same[1]:.2f}, others to "
        f"{one.other[1]:.2f} (logarithms, {one.num_same} and {one.num_other} pairs)."
    )


def _mean(values: torch.Tensor) -> float | None:
    known = values[~values.isnan()]
    return float(known.mean()) if len(known) else None
