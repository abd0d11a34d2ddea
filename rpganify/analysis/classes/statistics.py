"""Shares of counted classes: their intervals, and how far two sets of shares are from each other."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from rpganify.analysis.bootstrap import NUM_RESAMPLES, Estimate

_NORMAL_97_5 = 1.959963984540054  # quantile of the normal distribution: 95 % lie within


def share_interval(count: int, total: int) -> Estimate:
    """A share and its 95 % interval by Wilson's score, which holds for small counts and for 0 too.

    Args:
        count: 0 to `total`.
        total: independent draws, >= 1.
    Source:
        Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    share, z2 = count / total, _NORMAL_97_5**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _NORMAL_97_5 * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    # Rounding may leave an end beyond the share itself where that is 0 or 1.
    return Estimate(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def total_variation(counts: Tensor, reference: Tensor, generator: torch.Generator) -> Estimate:
    """Half the summed differences of two sets of shares, in [0, 1], with a bootstrap interval over the counted draws.

    Args:
        counts: int64 `(num_classes,)`, of independent draws.
        reference: shares that it is held against, `(num_classes,)`, sum 1; taken as exact.
        generator: of the resamples, on the CPU.
    """
    shares = counts.double() / counts.sum()
    value = float(_distance(shares, reference.double()))
    resampled = _distance(_redrawn(shares, int(counts.sum()), generator), reference.double())
    low, high = torch.quantile(resampled, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Estimate(value, min(low, value), max(high, value))


def expected_variation(reference: Tensor, num_draws: int, generator: torch.Generator) -> float:
    """The mean total variation distance of shares from so many draws of the reference itself: what chance alone gives."""
    reference = reference.double()
    return float(_distance(_redrawn(reference, num_draws, generator), reference).mean())


def _distance(shares: Tensor, reference: Tensor) -> Tensor:
    return (shares - reference).abs().sum(dim=-1) / 2


def _redrawn(shares: Tensor, num_draws: int, generator: torch.Generator) -> Tensor:
    """Shares of classes drawn again and again: float64 `(num_resamples, num_classes)`."""
    # Counts at once: drawing each image of 1000 sets of 50 000 would take 400 MB.
    chance = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    probabilities = shares.double().numpy()
    drawn = chance.multinomial(num_draws, probabilities / probabilities.sum(), size=NUM_RESAMPLES)
    return torch.from_numpy(drawn).double() / num_draws
