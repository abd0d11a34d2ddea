"""What each block does for a model's quality: the distance to real images without it, beside that without random images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from rpganify.analysis.bootstrap import LEVEL, Estimate
from rpganify.analysis.quality.frechet import FeatureStatistics, feature_statistics, frechet_distance

SIGNIFICANT = 0.05
NUM_RANDOM = 100
# Of InceptionV3's 2048 features a distance takes seconds, of these a millisecond, and there are hundreds to take.
MAX_FEATURES = 64

DEFINITION = """
Ours. Images of random paths are drawn in which every block of a bucket occurs equally often. A block's score is by how much
the Fréchet distance between all of them and real images changes where the images through that block are left out, less the
mean change where as many random images are left out, a hundred times; its 95 % interval is ± 1.96 standard deviations of
those. Below 0 the model is better without the block. The one-sided p-values (normal) of all blocks are adjusted together
after Benjamini and Hochberg. The distance is taken of the features' first 64 principal components among the real images.

Blocks go one by one, always the one that the model is best without, and after each all scores are taken anew from the images
that are left, or from new ones where fewer than half are. Without a wish it ends where no block's adjusted p-value is below
5 %. The share of a block's images that are like single real ones (a k-NN precision) is no such score: blocks that draw what
other blocks do not are below the others there, and on a DCGAN of MNIST dropping those nearly doubled the distance.
"""


@dataclass(frozen=True, slots=True)
class BlockScore:
    """What a block does for quality, beside the blocks that were left then.

    Args:
        bucket, block: which, both from 0.
        change: of the distance without it, less that without as many random images; below 0 it does harm.
        p_value: that it came out so low by chance, adjusted for all blocks.
        num_images: through it.
    """

    bucket: int
    block: int
    change: Estimate
    p_value: float
    num_images: int

    @property
    def is_harmful(self) -> bool:
        """Whether the distance is lower without it, beyond chance."""
        return self.p_value < SIGNIFICANT


@dataclass(frozen=True, slots=True)
class Reduction:
    """Features reduced to their first principal components among the real images.

    Args:
        directions: orthonormal, float64 `(D, K)`; None takes features as they are.
        real: statistics of the reduced features of the real images.
    """

    directions: Tensor | None
    real: FeatureStatistics

    @classmethod
    def of(cls, real: Tensor) -> Reduction:
        """From the real images' features `(N, D)`."""
        whole = feature_statistics(real)
        if real.shape[1] <= MAX_FEATURES:
            return cls(None, whole)
        directions = torch.linalg.eigh(whole.covariance).eigenvectors[:, -MAX_FEATURES:]
        return cls(directions, feature_statistics(real.double() @ directions))

    def __call__(self, features: Tensor) -> Tensor:
        """Reduced features, float64 `(N, K)`."""
        exact = features.double()
        return exact if self.directions is None else exact @ self.directions


@dataclass(frozen=True, slots=True)
class _Moments:
    """Sums over some images, of centred features: how many, `Σ x` and `Σ x xᵀ`."""

    count: int
    first: Tensor
    second: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> _Moments:
        return cls(len(rows), rows.sum(dim=0), rows.T @ rows)

    def without(self, other: _Moments) -> FeatureStatistics:
        """Statistics of the images that are not among the others."""
        count = self.count - other.count
        mean = (self.first - other.first) / count
        covariance = (self.second - other.second - count * torch.outer(mean, mean)) / (count - 1)
        return FeatureStatistics(mean, covariance, count)


def score_blocks(
    paths: Tensor, features: Tensor, real: FeatureStatistics, left: Sequence[Sequence[int]], chance: torch.Generator
) -> tuple[BlockScore, ...]:
    """The score of each block that is left, bucket by bucket; those of a bucket of one block have none.

    Args:
        paths: int64 `(N, num_buckets)`, all through blocks that are left.
        features: of their images, reduced, `(N, K)`.
        real: of the real images, reduced in the same way.
        left: of each bucket, its blocks.
        chance: draws the random images that are left out.
    """
    centre = features.mean(dim=0)
    rows = features - centre
    target = FeatureStatistics(real.mean - centre, real.covariance, real.num_samples)
    whole = _Moments.of(rows)
    found: list[tuple[int, int, int, float, float]] = []
    for bucket, blocks in enumerate(left):
        if len(blocks) < 2:
            continue
        count = round(len(rows) / len(blocks))
        random = np.array([_distance(target, whole, rows[_some(len(rows), count, chance)]) for _ in range(NUM_RANDOM)])
        for block in blocks:
            mine = rows[paths[:, bucket] == block]
            change = _distance(target, whole, mine) - float(random.mean())
            found.append((bucket, block, len(mine), change, float(random.std(ddof=1))))
    p_values = [float(stats.norm.cdf(change / std)) for *_, change, std in found]
    adjusted = stats.false_discovery_control(p_values) if found else []
    reach = float(stats.norm.ppf((1 + LEVEL) / 2))
    return tuple(
        BlockScore(bucket, block, Estimate(change, change - reach * std, change + reach * std), float(p), count)
        for (bucket, block, count, change, std), p in zip(found, adjusted, strict=True)
    )


def _some(num_all: int, count: int, chance: torch.Generator) -> Tensor:
    return torch.randperm(num_all, generator=chance)[:count]


def _distance(real: FeatureStatistics, whole: _Moments, left_out: Tensor) -> float:
    return frechet_distance(real, whole.without(_Moments.of(left_out)))
