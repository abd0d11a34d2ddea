"""How unequal the directions of a latent space are: what the eigenvalues of a metric say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.geometry.metric import Metric

SHARES = (0.9, 0.99, 0.999)
LOW, HIGH = 0.05, 0.95


@dataclass(frozen=True, slots=True)
class Band:
    """Mean, and the middle 90 % of several positions.

    Args:
        mean, low, high: float64 `(k,)`; the ends are the 5 and 95 % quantiles.
    """

    mean: Tensor
    low: Tensor
    high: Tensor


def band(values: Tensor) -> Band:
    """Of `(n, k)`, over its rows."""
    ends = torch.tensor([LOW, HIGH], dtype=torch.float64)
    low, high = values.double().quantile(ends, dim=0)
    return Band(values.double().mean(dim=0), low, high)


def spectra(metrics: Sequence[Metric]) -> Tensor:
    """Sorted sizes of the eigenvalues, falling: float64 `(n, k)`."""
    return torch.stack([metric.eigenvalues.abs().sort(descending=True).values for metric in metrics])


def dims(metric: Metric, share: float) -> int | None:
    """The fewest axes whose eigenvalues sum to that share of the trace; None if more are needed than were found."""
    sums = metric.eigenvalues.clamp_min(0).cumsum(0)
    # A share of 1 - 1e-16 is a share of 1: sums of many numbers are not exact.
    enough = (sums >= share * metric.trace * (1 - 1e-12)).nonzero()
    return int(enough[0]) + 1 if len(enough) else None


def participation_ratio(metric: Metric) -> float:
    """(Σλ)² / Σλ²: how many equal axes would be spread out as much; from 1 to the dimension.

    Of Lanczos, the squares of eigenvalues that were not found are left out, so that it is a little too large.
    """
    return metric.trace**2 / float(metric.eigenvalues.square().sum())
