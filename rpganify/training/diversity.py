"""Block diversity: how far the blocks of a bucket are apart, and the losses that keep them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from rpganify.plan import Plan

# Standard deviations are taken to be at least this. Biases are born zero in many generators: divided by their
# true standard deviation, their first gradients would be infinite, and Adam's second moment would not forget it.
STD_FLOOR = 1e-3


class HasBuckets(Protocol):
    """What of a converted generator these losses read."""

    @property
    def plan(self) -> Plan:
        """How many buckets there are."""

    def bucket_parameters(self, bucket_index: int) -> Mapping[str, nn.Parameter]:
        """Parameters of one bucket by name, block axis first, `(num_blocks, ...)`."""


def block_diversity(weights: Tensor) -> Tensor:
    """Squared distance between blocks, each divided by the common std, summed over all ordered pairs.

    It is at most 2·num_blocks², reached when the blocks' mean is constant; independent blocks of one distribution give
    2·num_blocks·(num_blocks - 1). Scaling all blocks together changes nothing. The std is that of the population, and
    is differentiated too.

    Args:
        weights: one parameter of a bucket, block axis first, `(num_blocks, ...)`.
    Returns:
        Scalar >= 0, differentiable; 0 for a single block and for blocks that are all alike.
    Raises:
        ValueError: the parameter has no block axis.
    Source:
        RPGAN, section 3.2. Computed as 2m Σ‖w_i - mean‖², from the variance over blocks: O(m), and exact where
        blocks are close.
    """
    if weights.dim() == 0:
        raise ValueError("A scalar has no block axis; pass a parameter of shape (num_blocks, ...).")
    num_blocks = weights.shape[0]
    between, variance = _spread(weights)
    return 2 * num_blocks**2 * between / variance


def diversity_loss(model: HasBuckets) -> Tensor:
    """Minus the block diversity of every parameter, summed: the paper's form.

    Source: RPGAN, section 3.2. The paper gives no weight for it; `TrainConfig.diversity_weight` has ours.
    """
    buckets = _buckets_with_pairs(model)
    values = [block_diversity(weights) for bucket in buckets for weights in bucket]
    return -torch.stack(values).sum() if values else torch.zeros(())


def margin_diversity_loss(model: HasBuckets, generator: torch.Generator, margin: float = 1.5) -> Tensor:
    """Minus the distance of one random pair of blocks per bucket, as far as it is under the margin.

    The distance is the squared difference of the two blocks, each parameter divided by its std over all blocks,
    averaged over the bucket's parameters. Independent blocks are at 2, so a margin of 1.5 lets them be.

    Args:
        generator: a CPU generator; two numbers are drawn per bucket that has more than one block.
        margin: pairs at this distance or farther contribute nothing.
    Source:
        The form of RPGAN's public code as PROTOCOLS.md describes it: scale 1.0, margin 1.5.
    """
    total = torch.zeros(())
    for bucket in _buckets_with_pairs(model):
        num_blocks = bucket[0].shape[0]
        first = int(torch.randint(num_blocks, (), generator=generator))
        second = (first + 1 + int(torch.randint(num_blocks - 1, (), generator=generator))) % num_blocks
        distances = [(w[first] - w[second]).square().mean() / _spread(w)[1] for w in bucket]
        distance = torch.stack(distances).mean()
        total = total.to(distance.device) - torch.where(distance < margin, distance, 0.0)
    return total


def _spread(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Variance between blocks (mean over entries), and variance of all values with its floor; both scalars.

    The latter is the former plus the variance of the mean block, so the large tensor is read once.
    """
    between, mean_block = torch.var_mean(weights.reshape(len(weights), -1), dim=0, correction=0)  # (entries,) each
    variance = between.mean() + mean_block.var(correction=0)
    return between.mean(), variance.clamp_min(STD_FLOOR**2)


def _buckets_with_pairs(model: HasBuckets) -> list[list[nn.Parameter]]:
    """Parameters of each bucket that has more than one block, and any parameter."""
    buckets = [list(model.bucket_parameters(index).values()) for index in range(model.plan.num_buckets)]
    return [bucket for bucket in buckets if bucket and bucket[0].shape[0] > 1]
