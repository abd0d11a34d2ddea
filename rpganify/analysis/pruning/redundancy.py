"""Which blocks a model can do without: dead ones, duplicates, and those that another block comes closest to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.blocks.effects import measure_blocks
from rpganify.analysis.blocks.verdicts import Verdicts, judge
from rpganify.analysis.blocks.weights import compare_weights
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.pruning.wishes import by_bucket, check_keep, check_one_wish, no_drop_error
from rpganify.routing.generator import RandomPathGenerator

NUM_CONTEXTS = 30


@dataclass(frozen=True, slots=True)
class Drop:
    """One block that goes.

    Args:
        bucket, block: which, both from 0.
        reason: "dead", "duplicate", or "closest" for one that has to make room.
        nearest: the block that comes closest to it of those that stay.
        distance: of their images under the same settings of the other buckets, root mean square, in grey levels.
    """

    bucket: int
    block: int
    reason: str
    nearest: int
    distance: float


@dataclass(frozen=True, slots=True)
class Pruning:
    """Blocks to drop, and what that costs and wins.

    Args:
        drops: in the order in which they were chosen.
        changed_share: of random paths, how many go through one of them.
        image_distance: root mean squared difference of the images of random paths and of the same paths through the
            nearest blocks that stay, in grey levels.
        random_distance: the same between images of independent random paths, for comparison.
    """

    drops: tuple[Drop, ...]
    changed_share: float
    image_distance: float
    random_distance: float

    @property
    def by_bucket(self) -> dict[int, list[int]]:
        """Bucket -> its blocks that go."""
        return by_bucket((drop.bucket, drop.block) for drop in self.drops)


@dataclass(slots=True)
class _Bucket:
    """What the choice knows of one bucket: distances of its blocks' images, and which are left."""

    index: int
    distances: Tensor
    verdicts: Verdicts
    left: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.left = list(range(len(self.distances)))

    def weakest(self) -> tuple[float, int]:
        """What it costs to drop the block that is missed least, and which one that is; dead blocks cost nothing."""
        dead = [block for block in self.left if block in self.verdicts.dead]
        if dead:
            return 0.0, dead[-1]
        costs = {block: self.nearest(block)[1] for block in self.left}
        least = min(costs.values())
        # Of the two blocks of the closest pair the later one goes.
        return least, max(block for block, cost in costs.items() if cost == least)

    def nearest(self, block: int) -> tuple[int, float]:
        """Of the others that are left, the one with the closest images, and how far they are."""
        others = [other for other in self.left if other != block]
        best = min(others, key=lambda other: float(self.distances[block, other]))
        return best, float(self.distances[block, best])


def choose_blocks(
    model: RandomPathGenerator,
    *,
    keep: Sequence[int] | None = None,
    min_paths: int | None = None,
    context: AnalysisContext | None = None,
    num_contexts: int = NUM_CONTEXTS,
) -> Pruning:
    """Which blocks to drop, measured on images.

    Without a wish: dead blocks, and of each group of duplicates all but the first (`block_verdicts.judge`). With one:
    always the block that is missed least, which is a dead one, or the later of the two whose images are closest.

    Args:
        model: not changed.
        keep: how many blocks each bucket keeps.
        min_paths: drop blocks, of any bucket, as long as so many paths are left.
        context: seed, conditions, batch size.
        num_contexts: settings of the other buckets under which blocks are compared.
    Raises:
        AnalysisError: there is nothing to drop, or both wishes.
        PlanError: `keep` does not fit the buckets, or leaves one without a block.
    """
    context = context or AnalysisContext()
    check_one_wish(keep=keep, min_paths=min_paths)
    num_blocks = model.plan.num_blocks
    if keep is not None:
        check_keep(model, keep)
    with evaluating(model, context.seed):
        maker = ImageMaker(cast(PathModel, model), context)
        buckets = _measure(model, maker, context, num_contexts)
        if keep is not None:
            chosen = [
                (bucket, block, reason) for bucket in buckets for block, reason in _down_to(bucket, keep[bucket.index])
            ]
        elif min_paths is not None:
            chosen = _down_to_paths(buckets, num_blocks, min_paths)
        else:
            chosen = [(bucket, block, reason) for bucket in buckets for block, reason in _redundant(bucket)]
        if not chosen:
            raise no_drop_error(keep, min_paths, "no block is dead, and no two blocks of a bucket draw the same.")
        drops = tuple(Drop(bucket.index, block, reason, *bucket.nearest(block)) for bucket, block, reason in chosen)
        return _cost(model, maker, drops, context)


def _measure(
    model: RandomPathGenerator, maker: ImageMaker, context: AnalysisContext, num_contexts: int
) -> list[_Bucket]:
    """Distances and verdicts of every bucket that has more than one block."""
    contexts = model.paths.sample(num_contexts, generator=torch.Generator().manual_seed(context.seed))
    there, back = maker(contexts), maker(contexts.flip(0)).flip(0)
    noise = float((there.double() - back.double()).square().mean().sqrt())
    found = []
    for bucket, m in enumerate(model.plan.num_blocks):
        if m > 1:
            effects = measure_blocks(cast(PathModel, model), maker, context, (), bucket, contexts, 0, lambda done: None)
            found.append(_Bucket(bucket, effects.distances, judge(effects, compare_weights(model, bucket), noise)))
    return found


def _redundant(bucket: _Bucket) -> list[tuple[int, str]]:
    """Dead blocks, and of duplicates all but the first; at least one block stays."""
    reasons = {block: "duplicate" for group in bucket.verdicts.duplicates for block in group[1:]}
    reasons |= dict.fromkeys(bucket.verdicts.dead, "dead")
    if len(reasons) == len(bucket.distances):
        del reasons[min(reasons)]
    bucket.left = [block for block in bucket.left if block not in reasons]
    return sorted(reasons.items())


def _down_to(bucket: _Bucket, number: int) -> list[tuple[int, str]]:
    """The blocks that are missed least, until so many are left."""
    gone = []
    while len(bucket.left) > number:
        _, block = bucket.weakest()
        gone.append((block, "dead" if block in bucket.verdicts.dead else "closest"))
        bucket.left.remove(block)
    return gone


def _down_to_paths(
    buckets: Sequence[_Bucket], num_blocks: Sequence[int], min_paths: int
) -> list[tuple[_Bucket, int, str]]:
    """The blocks of any bucket that are missed least, as long as so many paths are left."""
    gone: list[tuple[_Bucket, int, str]] = []
    num_left = list(num_blocks)
    while True:
        affordable = []
        for bucket in buckets:
            others = math.prod(m for index, m in enumerate(num_left) if index != bucket.index)
            if len(bucket.left) > 1 and others * (len(bucket.left) - 1) >= min_paths:
                affordable.append((*bucket.weakest(), bucket))
        if not affordable:
            return gone
        _, block, bucket = min(affordable, key=lambda one: one[0])
        gone.append((bucket, block, "dead" if block in bucket.verdicts.dead else "closest"))
        bucket.left.remove(block)
        num_left[bucket.index] -= 1


def _cost(model: RandomPathGenerator, maker: ImageMaker, drops: tuple[Drop, ...], context: AnalysisContext) -> Pruning:
    """What images of random paths lose where the nearest block takes a dropped one's place."""
    chance = torch.Generator().manual_seed(context.seed + 1)
    paths, others = (model.paths.sample(context.num_paths, generator=chance) for _ in range(2))
    replaced = paths.clone()
    for drop in drops:
        replaced[:, drop.bucket] = torch.where(
            paths[:, drop.bucket] == drop.block, drop.nearest, replaced[:, drop.bucket]
        )
    images, substitutes, random = (maker(those).double() for those in (paths, replaced, others))
    return Pruning(
        drops,
        float((paths != replaced).any(dim=1).double().mean()),
        float((images - substitutes).square().mean().sqrt()),
        float((images - random).square().mean().sqrt()),
    )
