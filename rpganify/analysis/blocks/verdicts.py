"""Which blocks are dead and which are duplicates, by thresholds that are stated."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.blocks.effects import BucketEffects
from rpganify.analysis.blocks.weights import BucketWeights

# Of what is usual in the bucket. Images a fifth as far apart as usual share 96 % of what blocks change, in squares.
SAME, DEAD = 0.2, 0.1
NOISE = 1.25  # of what two images of the same path differ by: both are measured, so a little more than all of it


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was found out about one bucket's blocks.

    Args:
        constant: blocks whose image hardly changes with the other buckets, where other blocks' images do.
        silent: blocks whose weights are next to 0.
        duplicates: groups of blocks whose images hardly differ from each other, each in rising order.
        median_distance: of the images of two blocks, over all pairs, in grey levels.
        duplicate_limit: the largest distance at which two blocks count as duplicates, in grey levels.
        constant_limit: the largest spread at which a block counts as constant, in grey levels; None if spreads tell
            nothing, as all blocks' images hardly change.
    """

    constant: tuple[int, ...]
    silent: tuple[int, ...]
    duplicates: tuple[tuple[int, ...], ...]
    median_distance: float
    duplicate_limit: float
    constant_limit: float | None

    @property
    def dead(self) -> tuple[int, ...]:
        """Constant or silent."""
        return tuple(sorted({*self.constant, *self.silent}))


@dataclass(frozen=True, slots=True)
class BlocksOfBucket:
    """All that was found out about one bucket.

    Args:
        effects: of its blocks on images.
        weights: compared; None if the model does not tell them.
        verdicts: dead blocks and duplicates.
    """

    effects: BucketEffects
    weights: BucketWeights | None
    verdicts: Verdicts


def judge(found: BucketEffects, weights: BucketWeights | None, noise: float) -> Verdicts:
    """Dead blocks and duplicates.

    Two blocks are duplicates if their images are at most a fifth as far apart as those of half of all pairs in the
    bucket, or no farther than two images of the same path (1.25 times, as both are measured). A block is constant if its
    images under different contexts are at most a tenth as far apart as those of the median block, and silent if its
    weights are at most a tenth as large.

    Args:
        found: of the bucket.
        weights: of the same.
        noise: root mean squared difference of two images of the same path, in grey levels.
    """
    m = found.num_blocks
    one, other = torch.triu_indices(m, m, 1)
    median = float(found.distances[one, other].median())
    limit = max(SAME * median, NOISE * noise)
    spread = float(found.spreads.median())
    constant_limit = None if spread <= NOISE * noise else max(DEAD * spread, NOISE * noise)
    constant = () if constant_limit is None else _indices(found.spreads <= constant_limit)
    silent = () if weights is None else _indices(weights.sizes <= DEAD * weights.sizes.median())
    return Verdicts(constant, silent, _groups(found.distances <= limit), median, limit, constant_limit)


def _indices(mask: Tensor) -> tuple[int, ...]:
    return tuple(int(index) for index in mask.nonzero().flatten())


def _groups(alike: Tensor) -> tuple[tuple[int, ...], ...]:
    """Blocks that are joined by pairs that are alike: the connected parts of more than one block."""
    groups: list[set[int]] = []
    for one, other in alike.nonzero().tolist():
        if one < other:
            touched = [group for group in groups if one in group or other in group]
            groups = [group for group in groups if group not in touched] + [{one, other}.union(*touched)]
    return tuple(sorted(tuple(sorted(group)) for group in groups))
