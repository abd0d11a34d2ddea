"""Bootstrap intervals: how far a number made of independent rows could have come out otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LEVEL = 0.95
NUM_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval.

    Args:
        value: as computed from all rows.
        low: the lower end, 2.5 % of the resamples lie below it.
        high: the upper end.
    """

    value: float
    low: float
    high: float

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low > 0


def resample(rows: Tensor, generator: torch.Generator, num_resamples: int = NUM_RESAMPLES) -> Tensor:
    """The means of `rows` drawn again, with repetition, as many as there are: float64 `(num_resamples, ...)`.

    What is computed from several columns of the means is resampled consistently, as each resample takes whole rows.

    Args:
        rows: one row per independent draw, `(n, ...)`, finite.
        generator: of the choice of rows, on the CPU.
        num_resamples: how often.
    """
    num_rows = len(rows)
    chosen = torch.randint(num_rows, (num_resamples, num_rows), generator=generator)
    counts = torch.zeros(num_resamples, num_rows, dtype=torch.float64)
    counts.scatter_add_(1, chosen, torch.ones_like(chosen, dtype=torch.float64))
    means = counts @ rows.double().reshape(num_rows, -1) / num_rows
    return means.reshape(num_resamples, *rows.shape[1:])


def interval(values: Tensor, resampled: Tensor) -> list[Estimate | None]:
    """Each value with the range of the middle 95 % of its resamples.

    Args:
        values: `(k,)`; NaN for what has no value.
        resampled: `(num_resamples, k)`; what is NaN there is left out.
    Returns:
        One estimate per value; None for NaN, and where no resample has a value.
    """
    known = ~(values.isnan() | resampled.isnan().all(dim=0))
    ends = torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.float64)
    low, high = torch.nanquantile(resampled.double(), ends, dim=0).tolist() if len(resampled) else ([], [])
    return [
        Estimate(value, min(low[index], value), max(high[index], value)) if known[index] else None
        for index, value in enumerate(values.tolist())
    ]


def mean_interval(rows: Tensor, generator: torch.Generator, num_resamples: int = NUM_RESAMPLES) -> Estimate | None:
    """The mean of what is not NaN in `(n,)`, with its bootstrap interval; None if all is NaN."""
    known = rows[~rows.isnan()].double()
    if not len(known):
        return None
    (estimate,) = interval(known.mean()[None], resample(known[:, None], generator, num_resamples))
    return estimate
