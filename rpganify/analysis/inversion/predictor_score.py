"""How well a block predictor does on paths that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.bootstrap import Estimate, mean_interval

TOP = 5


@dataclass(frozen=True, slots=True)
class BucketScore:
    """What the predictor knows of one bucket.

    Args:
        num_blocks: that the bucket has.
        top1: share of images whose block it names.
        top5: share of images whose block is among the five it holds likeliest, or among all where there are fewer.
        bits: of what an image tells of its block: log₂ of the number of blocks, less the mean of −log₂ of the probability
            that was given to the right one. A lower bound of their mutual information; below 0 where the predictor is
            surer than it should be.
    """

    num_blocks: int
    top1: Estimate
    top5: Estimate
    bits: Estimate

    @property
    def chance1(self) -> float:
        """What guessing gives for `top1`."""
        return 1 / self.num_blocks

    @property
    def chance5(self) -> float:
        """What guessing gives for `top5`."""
        return min(TOP, self.num_blocks) / self.num_blocks


def score_buckets(scores: Sequence[Tensor], paths: Tensor, generator: torch.Generator) -> tuple[BucketScore, ...]:
    """One score per bucket, with bootstrap intervals over the images.

    Args:
        scores: log probabilities per bucket, `(N, num_blocks)`.
        paths: the true ones, int64 `(N, num_buckets)`.
        generator: of the bootstrap.
    """
    return tuple(_score(one, paths[:, bucket], generator) for bucket, one in enumerate(scores))


def _score(scores: Tensor, truth: Tensor, generator: torch.Generator) -> BucketScore:
    right = scores.gather(1, truth[:, None])  # (N, 1)
    rank = (scores > right).sum(dim=1)
    bits = math.log2(scores.shape[1]) + right[:, 0] / math.log(2)
    estimates = [mean_interval(rows.double(), generator) for rows in (rank == 0, rank < TOP, bits)]
    top1, top5, told = (estimate for estimate in estimates if estimate is not None)
    return BucketScore(scores.shape[1], top1, top5, told)
