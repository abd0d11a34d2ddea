"""Two methods on the same targets: which comes nearer, by how much, and whether chance could do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.bootstrap import Estimate, interval, resample


@dataclass(frozen=True, slots=True)
class Paired:
    """A method against another one, target by target.

    Args:
        num_pairs: targets.
        num_nearer: targets to which the method comes nearer than the other.
        num_equal: targets to which both come equally near; they enter neither p nor effect.
        ratio: of the mean final distances, method to other, with its bootstrap interval; None where the other's is 0.
        p: of the two-sided Wilcoxon signed-rank test; 1 where all pairs are equal.
        effect: matched-pairs rank-biserial correlation, in [-1, 1]: the share of signed ranks that speak for the method,
            less those that speak for the other.
    """

    num_pairs: int
    num_nearer: int
    num_equal: int
    ratio: Estimate | None
    p: float
    effect: float


def compare(method: Tensor, other: Tensor, generator: torch.Generator) -> Paired:
    """Compares final distances of two methods to the same targets.

    Args:
        method, other: float `(T,)`, the same targets in the same order.
        generator: of the bootstrap, which draws whole targets.
    """
    ours, theirs = method.double(), other.double()
    p, effect = signed_rank(ours, theirs)
    ratio = None
    if float(theirs.mean()) > 0:
        means = resample(torch.stack([ours, theirs], dim=1), generator)
        (ratio,) = interval((ours.mean() / theirs.mean())[None], (means[:, 0] / means[:, 1])[:, None])
    return Paired(len(ours), int((ours < theirs).sum()), int((ours == theirs).sum()), ratio, p, effect)


def signed_rank(method: Tensor, other: Tensor) -> tuple[float, float]:
    """p of the two-sided Wilcoxon signed-rank test, and the effect, above 0 where the method has the smaller values.

    Args:
        method, other: float `(T,)`; pairs that are equal are left out.
    Source:
        Wilcoxon 1945, by `scipy.stats.wilcoxon`: exact up to 50 pairs without ties, else the normal approximation.
        Effect: Kerby 2014, the simple difference formula.
    """
    from scipy.stats import rankdata, wilcoxon

    differences = (other.double() - method.double()).numpy()
    unequal = differences[differences != 0]
    if not len(unequal):
        return 1.0, 0.0
    ranks = rankdata(abs(unequal))
    effect = (ranks[unequal > 0].sum() - ranks[unequal < 0].sum()) / ranks.sum()
    return float(wilcoxon(unequal).pvalue), float(effect)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's corrected p-values, in the given order: below α where the family's error rate is held at α.

    Source:
        Holm 1979.
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda one: p_values[one])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
