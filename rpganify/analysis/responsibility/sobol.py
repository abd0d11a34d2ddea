"""Sobol indices of buckets: what share of an image statistic's variance a bucket decides alone, and with others.

A path is a vector of independent uniform categorical variables, so the variance V of a statistic is exactly a sum of
parts, one for each set of buckets. Everything here is computed from half squared distances: half the mean squared
difference of two images whose paths agree in the buckets u, and are independent elsewhere, is V less all parts of sets
within u.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from rpganify.analysis.bootstrap import Estimate, interval, resample

# A variance below this share of the mean square is what rounding leaves of a constant.
CONSTANT = 1e-12


@dataclass(frozen=True, slots=True)
class SobolIndices:
    """Shares of one statistic's variance, each with its 95 % interval; None throughout if the statistic is constant.

    Args:
        std: of the statistic over all paths, in its own unit: the root of V.
        first: per bucket, what it decides alone (S_i).
        total: per bucket, what it decides alone or together with any others (T_i).
        joint: per bucket, the part that it decides only together with others (T_i − S_i).
        pairs: for `i < j`, what the two decide together beyond what each decides alone (S_ij).
        alone: what is decided by buckets one at a time, Σ S_i; the rest is decided by combinations.
    """

    std: float
    first: tuple[Estimate | None, ...]
    total: tuple[Estimate | None, ...]
    joint: tuple[Estimate | None, ...]
    pairs: dict[tuple[int, int], Estimate | None]
    alone: Estimate | None


def saltelli_paths(one: Tensor, other: Tensor, varied: Sequence[int]) -> Tensor:
    """Paths A, B, then A with each bucket from B, then B with each bucket from A.

    Args:
        one: independent random paths A, int64 `(n, num_buckets)`.
        other: as many others, B.
        varied: the k buckets that are exchanged.
    Returns:
        int64 `(n, 2k + 2, num_buckets)`.
    Source:
        Saltelli, "Making best use of model evaluations to compute sensitivity indices", 2002: with both halves,
        `n (2k + 2)` images give first-order, second-order and total indices.
    """
    mixed = [torch.stack([one, other], dim=1)]
    for base, donor in ((one, other), (other, one)):
        exchanged = base[:, None].repeat(1, len(varied), 1)
        for place, bucket in enumerate(varied):
            exchanged[:, place, bucket] = donor[:, bucket]
        mixed.append(exchanged)
    return torch.cat(mixed, dim=1)


def half_squared_distances(values: Tensor) -> Tensor:
    """`½‖y_a − y_b‖²` within each row: `(n, s, d)` to float64 `(n, s, s)`."""
    # The quick form of cdist subtracts large squares; equal values would differ.
    exact = torch.cdist(values.double(), values.double(), compute_mode="donot_use_mm_for_euclid_dist")
    return exact.square() / 2


def row_terms(half: Tensor, num_varied: int) -> Tensor:
    """What each row of Saltelli's scheme says of V, V_i, V_Ti and V_ij; their means are unbiased.

    With A_i for A with bucket i from B, and h for half the squared distance:

    - V: the mean of h(A, B) and all h(A_i, B_i), which agree in no bucket;
    - V_Ti: the mean of h(A, A_i) and h(B, B_i), which differ in bucket i only (Jansen);
    - V_i: `½ (A − A_i)·(B_i − B)`, the same change of bucket i under two independent settings of the others. For a
      bucket without effect it is 0 in every row, not only in the mean (Owen, "Better estimation of small Sobol'
      sensitivity indices", 2013);
    - V_ij: h_i + h_j − h_ij − h_0, where h_i compares pairs that agree in bucket i only, h_ij those that agree in i and
      j only, such as A_i and B_j, and h_0 those that agree in none. Of these, h(A, B) counts 2/3 and h(A_i, B_i) and
      h(A_j, B_j) 1/6 each, which leaves the least noise where the two do not interact (ours).

    Args:
        half: `½‖y_a − y_b‖²` of the images of `saltelli_paths`, `(n, 2k + 2, 2k + 2)`.
        num_varied: k.
    Returns:
        float64 `(n, 1 + 2k + k(k−1)/2)`: V, all V_i, all V_Ti, all V_ij.
    """
    k = num_varied
    a, b = 0, 1
    of_a, of_b = range(2, 2 + k), range(2 + k, 2 + 2 * k)  # A_i and B_i
    none = torch.stack([half[:, a, b], *(half[:, i, j] for i, j in zip(of_a, of_b, strict=True))], dim=1)  # (n, 1 + k)
    shares = torch.stack([half[:, b, of_a], half[:, a, of_b]]).mean(dim=0)  # (n, k): agree in bucket i only
    total = torch.stack([half[:, a, of_a], half[:, b, of_b]]).mean(dim=0)
    first = (none[:, :1] + none[:, 1:]) / 2 - shares
    pairs = [
        shares[:, i]
        + shares[:, j]
        - (half[:, of_a[i], of_b[j]] + half[:, of_a[j], of_b[i]]) / 2
        - (4 * none[:, 0] + none[:, 1 + i] + none[:, 1 + j]) / 6
        for i, j in combinations(range(k), 2)
    ]
    return torch.cat([none.mean(dim=1, keepdim=True), first, total, *(pair[:, None] for pair in pairs)], dim=1)


def exact_terms(values: Tensor) -> Tensor:
    """V, V_i, V_Ti and V_ij of a statistic known for every path, in the order of `row_terms`.

    Args:
        values: `(m_1, …, m_k, d)`.
    Returns:
        float64 `(1, 1 + 2k + k(k−1)/2)`.
    """
    exact, k = values.double(), values.dim() - 1
    exact = exact - exact.reshape(-1, exact.shape[-1]).mean(dim=0)

    def closed(kept: tuple[int, ...]) -> Tensor:
        """Variance of the mean over all buckets but these."""
        others = tuple(axis for axis in range(k) if axis not in kept)
        mean = exact.mean(dim=others) if others else exact
        return mean.square().sum(dim=-1).mean()

    everything = closed(tuple(range(k)))
    first = [closed((i,)) for i in range(k)]
    total = [everything - closed(tuple(j for j in range(k) if j != i)) for i in range(k)]
    pairs = [closed((i, j)) - first[i] - first[j] for i, j in combinations(range(k), 2)]
    terms = torch.stack([everything, *first, *total, *pairs])
    return torch.where(terms.abs() <= CONSTANT * everything, 0.0, terms)[None]  # what rounding leaves of a 0


def sobol_indices(
    terms: Tensor, varied: Sequence[int], num_buckets: int, mean_square: float, generator: torch.Generator
) -> SobolIndices:
    """Indices from the terms of all rows, with bootstrap intervals over the rows.

    Args:
        terms: as `row_terms` or `exact_terms` give them; the one row of the latter has no spread, so its intervals are
            points.
        varied: the k buckets that the terms are of.
        num_buckets: of the model; a bucket that is not varied (it has one block) has index None.
        mean_square: of the statistic, the scale against which a variance counts as 0.
        generator: of the resamples.
    """
    k = len(varied)
    pairs = list(combinations(range(k), 2))
    means, resampled = terms.mean(dim=0), resample(terms, generator)
    variance = float(means[0])
    is_constant = variance <= CONSTANT * mean_square or k == 0
    estimates: list[Estimate | None] = [None] * (3 * k + len(pairs) + 1)
    if not is_constant:
        estimates = interval(_shares(means[None], k)[0], _shares(resampled, k))
    first, total, joint = (_placed(estimates[n * k : (n + 1) * k], varied, num_buckets) for n in range(3))
    of_pairs = dict(zip(((varied[i], varied[j]) for i, j in pairs), estimates[3 * k : -1], strict=True))
    return SobolIndices(0.0 if is_constant else variance**0.5, first, total, joint, of_pairs, estimates[-1])


def _shares(terms: Tensor, k: int) -> Tensor:
    """Terms `(R, 1 + 2k + …)` over V: first, total, joint, pairs, alone; NaN where a resample has no variance."""
    variance = torch.where(terms[:, :1] > 0, terms[:, :1], torch.nan)
    first, total, pairs = torch.split(terms[:, 1:], [k, k, terms.shape[1] - 1 - 2 * k], dim=1)
    return torch.cat([first, total, total - first, pairs, first.sum(dim=1, keepdim=True)], dim=1) / variance


def _placed(estimates: list[Estimate | None], varied: Sequence[int], num_buckets: int) -> tuple[Estimate | None, ...]:
    found = dict(zip(varied, estimates, strict=True))
    return tuple(found.get(bucket) for bucket in range(num_buckets))
