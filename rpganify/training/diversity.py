"""Block diversity: how far the blocks of a bucket are apart, and the losses that keep them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from rpganify.plan import Plan
from rpganify.routing.layout import in_memory_order

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
    value = _BlockDiversity.apply(weights)
    assert isinstance(value, Tensor)
    return value


class _BlockDiversity(torch.autograd.Function):
    """The value and its gradient in closed form: two passes over the weights, and one for the gradient.

    With C the blocks minus their mean block, b = mean(C²) and v = b + var(mean block), the value is 2m²·b/v.
    """

    @staticmethod
    def forward(ctx: Any, weights: Tensor) -> Tensor:
        blocks = in_memory_order(weights).reshape(len(weights), -1)
        mean, between, variance = _moments(blocks)
        ctx.save_for_backward(weights, mean, between, variance)
        return 2 * len(blocks) ** 2 * between / variance.clamp_min(STD_FLOOR**2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        weights, mean, between, variance = ctx.saved_tensors
        floored = variance.clamp_min(STD_FLOOR**2)
        of_variance = torch.where(variance >= STD_FLOOR**2, between / floored.square(), 0.0)
        of_between = 1 / floored - of_variance
        scale = gradient * 4 * len(weights) / mean.numel()
        row = -of_between * mean - of_variance * (mean - mean.mean())
        ordered = in_memory_order(weights)
        values = ordered.reshape(len(weights), -1)
        changes = torch.addcmul(scale * row, scale * of_between, values).view(ordered.shape)
        return changes.movedim(-1, 2) if ordered is not weights else changes


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
        distances = [(w[first] - w[second]).square().mean() / _variance(w) for w in bucket]
        distance = torch.stack(distances).mean()
        total = total.to(distance.device) - torch.where(distance < margin, distance, 0.0)
    return total


def _moments(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The mean block `(entries,)`, the variance between blocks (mean over entries), and that of all values.

    By a matrix product and a scalar product: on the CPU a tenth of the time of `var_mean` along the blocks. Blocks are
    compared with their mean, not squared apart, so that blocks which are alike are exactly so.
    """
    mean = blocks.new_ones(len(blocks)) @ blocks / len(blocks)
    apart = (blocks - mean).flatten()
    between = apart @ apart / len(apart)
    return mean, between, between + mean.var(correction=0)


def _variance(weights: Tensor) -> Tensor:
    """The variance of all values of a parameter with a block axis, with its floor."""
    return _moments(in_memory_order(weights).reshape(len(weights), -1))[2].clamp_min(STD_FLOOR**2)


def _buckets_with_pairs(model: HasBuckets) -> list[list[nn.Parameter]]:
    """Parameters of each bucket that has more than one block, and any parameter."""
    buckets = [list(model.bucket_parameters(index).values()) for index in range(model.plan.num_buckets)]
    return [bucket for bucket in buckets if bucket and bucket[0].shape[0] > 1]
