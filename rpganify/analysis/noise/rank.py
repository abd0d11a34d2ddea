"""Whether two models make the same buckets responsible: rank correlation, with an exact probability of chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

MAX_EXACT = 8  # 8! = 40 320 orders are tried in a second


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """Spearman's.

    Args:
        rho: in [-1, 1].
        p: probability of at least this |rho| if one side's order were chance.
        num_buckets: that were compared.
    """

    rho: float
    p: float
    num_buckets: int


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> RankCorrelation | None:
    """Spearman's rank correlation of two lists; equal values share their mean rank.

    Args:
        one, other: as long as each other.
    Returns:
        None for fewer than three values, or where a list holds one value only: nothing has an order then.
    """
    from scipy.stats import rankdata, spearmanr

    ranks = rankdata([one, other], axis=1)  # (2, n)
    if len(one) < 3 or (ranks == ranks[:, :1]).all(axis=1).any():
        return None
    if len(one) > MAX_EXACT:
        found = spearmanr(one, other)
        return RankCorrelation(float(found.statistic), float(found.pvalue), len(one))
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    scale = np.sqrt((centred**2).sum(axis=1).prod())
    rho = float(centred[0] @ centred[1] / scale)
    all_orders = np.array(list(permutations(centred[1]))) @ centred[0] / scale
    # Orders that give the same correlation come out with rounding of 1e-16.
    return RankCorrelation(rho, float((np.abs(all_orders) >= abs(rho) - 1e-9).mean()), len(one))
