"""Which blocks to drop for the quality of their images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.pruning.scores import BlockScore, BlockScores, score_blocks
from rpganify.analysis.pruning.wishes import by_bucket, check_keep, check_one_wish, no_drop_error
from rpganify.errors import PlanError
from rpganify.routing.generator import RandomPathGenerator


@dataclass(frozen=True, slots=True)
class QualityPruning:
    """Blocks to drop for the quality of their images.

    Args:
        drops: the scores of those that go, the worst first.
        scores: of all blocks.
    """

    drops: tuple[BlockScore, ...]
    scores: BlockScores

    @property
    def by_bucket(self) -> dict[int, list[int]]:
        """Bucket -> its blocks that go."""
        return by_bucket((drop.bucket, drop.block) for drop in self.drops)

    def changed_share(self, num_blocks: Sequence[int]) -> float:
        """Of random paths, how many go through a block that goes.

        Args:
            num_blocks: of each bucket before.
        """
        kept = [1 - len(blocks) / num_blocks[bucket] for bucket, blocks in self.by_bucket.items()]
        return 1 - math.prod(kept)


def choose_low_quality(
    model: RandomPathGenerator,
    context: AnalysisContext,
    *,
    keep: Sequence[int] | None = None,
    min_paths: int | None = None,
    worst: int | None = None,
) -> QualityPruning:
    """Which blocks to drop by their scores (`scores.DEFINITION`).

    Without a wish: those of low quality, beyond chance. With one: always the block that is farthest below the others of its
    bucket, chance or not; the later one where several are equally far.

    Args:
        model: not changed.
        context: real images, extractor, `num_images` to draw, seed, conditions.
        keep: how many blocks each bucket keeps.
        min_paths: drop blocks, of any bucket, as long as so many paths are left.
        worst: drop so many blocks, of any bucket.
    Raises:
        AnalysisError: there is nothing to drop, more than one wish, or as of `score_blocks`.
        PlanError: the numbers do not fit the buckets, or leave one without a block.
    """
    check_one_wish(keep, min_paths, worst)
    num_blocks = model.plan.num_blocks
    if keep is not None:
        check_keep(model, keep)
    if worst is not None and not 1 <= worst <= sum(num_blocks) - len(num_blocks):
        raise PlanError(
            f"The worst {worst} blocks cannot be dropped: of {sum(num_blocks)} in {len(num_blocks)} buckets every bucket keeps "
            f"one. Give a number from 1 to {sum(num_blocks) - len(num_blocks)}."
        )
    scores = score_blocks(model, context)
    ranked = sorted(scores.blocks, key=lambda score: (-score.deficit, -score.block))
    if keep is None and min_paths is None and worst is None:
        drops = [score for score in ranked if score.is_low]
    else:
        drops = _taken(ranked, num_blocks, keep, min_paths, worst)
    if not drops:
        raise no_drop_error(keep, min_paths, _why_none(scores))
    return QualityPruning(tuple(drops), scores)


def _taken(
    ranked: Sequence[BlockScore],
    num_blocks: Sequence[int],
    keep: Sequence[int] | None,
    min_paths: int | None,
    worst: int | None,
) -> list[BlockScore]:
    """The first of the ranked blocks that may go, as long as the wish allows."""
    left = list(num_blocks)
    taken: list[BlockScore] = []
    for score in ranked:
        here = left[score.bucket]
        if worst is not None and len(taken) == worst:
            break
        others = math.prod(m for bucket, m in enumerate(left) if bucket != score.bucket)
        is_kept = keep is not None and here <= keep[score.bucket]
        if here == 1 or is_kept or (min_paths is not None and others * (here - 1) < min_paths):
            continue
        left[score.bucket] -= 1
        taken.append(score)
    return taken


def _why_none(scores: BlockScores) -> str:
    lowest = min(scores.blocks, key=lambda score: score.p_value)
    return (
        f"no block's images are worse than those of the others of its bucket beyond chance. The lowest adjusted p-value is "
        f"{lowest.p_value:.2g}, of block {lowest.block} of bucket {lowest.bucket + 1}, where {lowest.share.value:.0%} are like "
        f"real ones, and {lowest.others_share:.0%} of the others'. More images show smaller differences (--num-images); "
        "--worst NUMBER drops the worst, chance or not."
    )
