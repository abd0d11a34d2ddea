"""A smaller model: without blocks that are named, redundant, or of low quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.pruning.low_quality import choose_low_quality
from rpganify.analysis.pruning.redundancy import choose_blocks
from rpganify.analysis.pruning.wishes import keep_of_each, min_paths_of
from rpganify.errors import AnalysisError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.drop import drop_blocks


def prune(
    model: RandomPathGenerator,
    *,
    drop: Mapping[int, Sequence[int]] | None = None,
    keep: int | Sequence[int] | None = None,
    target_coverage: float | None = None,
    num_images: int | None = None,
    low_quality: bool = False,
    worst: int | None = None,
    keeps_buckets: bool = False,
    context: AnalysisContext | None = None,
    seed: int = 0,
) -> RandomPathGenerator:
    """A new model without some blocks; `surgery.drop.paths_after` renumbers paths.

    Without a wish, dead blocks and duplicates go; see `redundancy.choose_blocks`. A bucket that is left with one block
    becomes an ordinary layer, and paths are shorter.

    Args:
        model: not changed.
        drop: bucket index -> blocks, in place of a choice by images.
        keep: how many blocks each bucket keeps at most, one number for all or one each.
        target_coverage: drop blocks as long as there are so many paths for each of `num_images` training images.
        num_images: of the data set.
        low_quality: drop blocks without which images are nearer to real ones; see `scores.DEFINITION`. Needs a context with
            real images and an extractor.
        worst: of these, drop so many, chance or not.
        keeps_buckets: a bucket of one block stays one, and paths keep their length.
        context: what blocks are compared on; None takes random paths of `seed`.
        seed: of the random paths that blocks are compared on.
    Raises:
        PlanError: a bucket would be left without a block, or numbers do not fit.
        PathError: a block to drop does not exist.
        AnalysisError: nothing to drop, or wishes that exclude each other.
    """
    if drop is not None:
        if keep is not None or target_coverage is not None or low_quality or worst is not None:
            raise AnalysisError(
                "Blocks to drop are named or chosen, not both: leave out drop, or keep, target_coverage, low_quality and worst."
            )
        return drop_blocks(model, drop, keeps_buckets=keeps_buckets)
    if worst is not None and not low_quality:
        raise AnalysisError("The worst blocks are those of the lowest quality: worst goes with low_quality=True.")
    context = context or AnalysisContext(seed=seed)
    kept, min_paths = keep_of_each(model, keep), min_paths_of(target_coverage, num_images)
    if low_quality:
        found = choose_low_quality(model, context, keep=kept, min_paths=min_paths, worst=worst).by_bucket
    else:
        found = choose_blocks(model, keep=kept, min_paths=min_paths, context=context).by_bucket
    return drop_blocks(model, found, keeps_buckets=keeps_buckets)
