"""Whether the directions that move the image at one position do so at others: agreement of metrics over all pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rpganify.analysis.bootstrap import NUM_RESAMPLES, Estimate
from rpganify.analysis.geometry.metric import EXACT, FINITE, Metric
from rpganify.analysis.geometry.products import Products

# Below this share of a position's largest eigenvalue, values are rounding, and their logarithm is noise.
_FLOORS = {EXACT: 1e-10, FINITE: 1e-4}
_FLOORS_DOUBLE = {EXACT: 1e-14, FINITE: 1e-8}
_LANCZOS_FLOOR = 1e-6
FLOORS = (1e-4, 1e-6, 1e-8, 1e-10, 1e-12)  # to show how much the logarithmic agreement depends on it


@dataclass(frozen=True, slots=True)
class Homogeneity:
    """How well the metric at one position foretells that at another.

    For positions i and j: the correlation, over the axes of i, of the metric of j along them, diag(Vᵢᵀ Hⱼ Vᵢ), with the
    eigenvalues of j. 1 where both have the same axes.

    Args:
        linear: float64 `(n, n)`, row i, column j; NaN where it has no value.
        log: the same of logarithms.
        floor: smallest share of a position's largest eigenvalue that enters a logarithm; what is smaller counts as this.
        num_floored: values that did, of all that entered.
        num_values: that entered the logarithms.
        along: the metric of j along the axes of i, float64 `(n, n, k)`.
        own: the eigenvalues of j, float64 `(n, k)`.
    """

    linear: Tensor
    log: Tensor
    floor: float
    num_floored: int
    num_values: int
    along: Tensor = field(repr=False)
    own: Tensor = field(repr=False)


def homogeneity(metrics: Sequence[Metric], products: Sequence[Products]) -> Homogeneity:
    """Of all pairs of at least two positions.

    Args:
        metrics: all of one form and dimension.
        products: of each position's space; needed only where the metrics hold no matrix.
    Source:
        Wang and Ponce 2021. The floor is ours.
    """
    is_double = products[0].space.dtype == torch.float64
    floor = (_FLOORS_DOUBLE if is_double else _FLOORS).get(metrics[0].form, _LANCZOS_FLOOR)
    own = torch.stack([metric.eigenvalues for metric in metrics])
    found = torch.stack(
        [
            torch.stack(
                [
                    own[j] if i == j else along(other, products[j], metric.eigenvectors)
                    for j, other in enumerate(metrics)
                ]
            )
            for i, metric in enumerate(metrics)
        ]
    )
    linear = torch.tensor(
        [[correlation(one, own[j]) for j, one in enumerate(row)] for row in found], dtype=torch.float64
    )
    log, num_floored = log_agreement(found, own, floor)
    num = len(metrics)
    return Homogeneity(linear, log, floor, num_floored, 2 * num * (num - 1) * own.shape[1], found, own)


def log_agreement(found: Tensor, own: Tensor, floor: float) -> tuple[Tensor, int]:
    """The correlation of logarithms for all pairs, `(n, n)`, and how many values of different positions count as the floor.

    Args:
        found: metrics along the axes of others, `(n, n, k)`.
        own: their eigenvalues, `(n, k)`, falling.
        floor: share of a position's largest eigenvalue that smaller values count as.
    """
    least = floor * own[:, :1]  # (n, 1)
    rows = []
    for row in found:
        pairs = zip(row.clamp_min(least).log10(), own.clamp_min(least).log10(), strict=True)
        rows.append([correlation(one, other) for one, other in pairs])
    num = len(own)
    beside = ~torch.eye(num, dtype=torch.bool)
    num_floored = int((found < least)[beside].sum()) + (num - 1) * int((own < least).sum())
    return torch.tensor(rows, dtype=torch.float64), num_floored


def along(metric: Metric, products: Products, directions: Tensor) -> Tensor:
    """vᵀHv for each column of `directions`, `(dim, k)`: float64 `(k,)`."""
    if metric.matrix is None:
        return products.speeds(metric.position, directions.T)
    return ((metric.matrix @ directions) * directions).sum(dim=0)


def correlation(one: Tensor, other: Tensor) -> float:
    """Pearson's, of two vectors; NaN where one of them does not vary beyond rounding."""
    first, second = one.double() - one.double().mean(), other.double() - other.double().mean()
    spreads = float(first.norm()), float(second.norm())
    sizes = float(one.double().norm()), float(other.double().norm())
    if any(spread <= 1e-9 * size for spread, size in zip(spreads, sizes, strict=True)):
        return float("nan")
    return float(first @ second) / (spreads[0] * spreads[1])


def mean_of_pairs(values: Tensor, generator: torch.Generator) -> Estimate | None:
    """The mean over all pairs of different positions, and its 95 % bootstrap interval over positions.

    Pairs of one position are no independent draws, so that positions are drawn again, not pairs.

    Args:
        values: `(n, n)`; the diagonal and what is NaN are left out.
        generator: of the resamples, on the CPU.
    Returns:
        None where no pair has a value.
    """
    num = len(values)
    is_pair = ~torch.eye(num, dtype=torch.bool) & ~values.isnan()
    if not is_pair.any():
        return None
    counted = torch.where(is_pair, values, 0.0)
    chosen = torch.randint(num, (NUM_RESAMPLES, num), generator=generator)
    times = torch.zeros(NUM_RESAMPLES, num, dtype=torch.float64)
    times.scatter_add_(1, chosen, torch.ones_like(chosen, dtype=torch.float64))
    sums = ((times @ counted) * times).sum(dim=1)
    weights = ((times @ is_pair.double()) * times).sum(dim=1)
    means = sums[weights > 0] / weights[weights > 0]
    value = float(values[is_pair].mean())
    if not len(means):
        return Estimate(value, value, value)
    low, high = means.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Estimate(value, min(low, value), max(high, value))


def pairs_of(values: Tensor) -> Tensor:
    """The values of all pairs of different positions, i before j: their mean both ways, `(n (n − 1) / 2,)`."""
    both = (values + values.T) / 2
    rows, columns = torch.triu_indices(len(values), len(values), offset=1)
    return both[rows, columns]
