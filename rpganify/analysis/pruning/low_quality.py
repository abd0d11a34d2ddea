"""Which blocks to drop so that a model's images come nearer to real ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.generation import evaluating
from rpganify.analysis.pruning.scores import MAX_FEATURES, BlockScore, Reduction, score_blocks
from rpganify.analysis.pruning.wishes import by_bucket, check_keep, check_one_wish, no_drop_error
from rpganify.analysis.quality.measure import require_data, require_extractor
from rpganify.analysis.quality.samples import (
    SampledModel,
    conditions_for,
    describe_images,
    generated_batches,
    real_batches,
    real_indices,
    require_same_shape,
    require_samples,
)
from rpganify.errors import AnalysisError, PlanError
from rpganify.paths import PathSpace
from rpganify.routing.generator import RandomPathGenerator

MIN_PER_BLOCK = 20
_ASKER = "A choice of blocks by quality"


@dataclass(frozen=True, slots=True)
class QualityPruning:
    """Blocks to drop for quality.

    Args:
        drops: in the order in which they go, each with its score among the blocks that were left then.
        rest: scores of the blocks that stay, among themselves.
        num_images: of paths through blocks that are left, at least half as many at any time.
        num_real: compared with.
    """

    drops: tuple[BlockScore, ...]
    rest: tuple[BlockScore, ...]
    num_images: int
    num_real: int

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


@dataclass(frozen=True, slots=True)
class _Wish:
    """How many blocks are to go; no number at all means those that do harm."""

    keep: Sequence[int] | None
    min_paths: int | None
    worst: int | None

    @property
    def is_given(self) -> bool:
        return not (self.keep is None and self.min_paths is None and self.worst is None)

    def allows(self, score: BlockScore, left: Sequence[Sequence[int]], num_gone: int) -> bool:
        """Whether this block may be the next to go."""
        here = len(left[score.bucket])
        if here == 1 or (not self.is_given and not score.is_harmful):
            return False
        if self.worst is not None:
            return num_gone < self.worst
        if self.min_paths is not None:
            others = math.prod(len(blocks) for bucket, blocks in enumerate(left) if bucket != score.bucket)
            return others * (here - 1) >= self.min_paths
        return self.keep is None or here > self.keep[score.bucket]


def choose_low_quality(
    model: RandomPathGenerator,
    context: AnalysisContext,
    *,
    keep: Sequence[int] | None = None,
    min_paths: int | None = None,
    worst: int | None = None,
) -> QualityPruning:
    """Which blocks to drop by their scores (`scores.DEFINITION`).

    Without a wish: those that do harm, beyond chance. With one: always the block that the model is best without.

    Args:
        model: not changed.
        context: real images, extractor, `num_images` to draw, seed, conditions.
        keep: how many blocks each bucket keeps.
        min_paths: drop blocks, of any bucket, as long as so many paths are left.
        worst: drop so many blocks, of any bucket.
    Raises:
        AnalysisError: there is nothing to drop, more than one wish, no data or extractor, images of another shape, or too
            few of them.
        PlanError: the numbers do not fit the buckets, or leave one without a block.
    """
    check_one_wish(keep, min_paths, worst)
    _check_numbers(model, keep, worst)
    extractor, data = require_extractor(context), require_data(context, _ASKER)
    sampled = require_samples(model, _ASKER)
    require_same_shape(sampled.image_shape, data, _ASKER)
    _check_num_images(model, context.num_images)
    num_real = min(context.num_images, len(data))

    def features_of(batches: Iterable[Tensor]) -> Tensor:
        (features,) = describe_images(lambda images: (extractor(images),), batches)
        return features

    real = features_of(real_batches(data, real_indices(len(data), num_real, context.seed)))
    reduce = Reduction.of(real)
    if min(num_real, context.num_images) < 4 * len(reduce.real.mean):
        raise AnalysisError(
            f"{min(num_real, context.num_images)} images say little of distances between distributions of "
            f"{len(reduce.real.mean)} features, {MAX_FEATURES} at most. Take {4 * len(reduce.real.mean)} or more of both: "
            f"--num-images {10 * len(reduce.real.mean)}."
        )
    images = _Images(model, sampled, context, data.labels, lambda batches: reduce(features_of(batches)))
    wish, gone = _Wish(keep, min_paths, worst), list[BlockScore]()
    left = [list(range(m)) for m in model.plan.num_blocks]
    with evaluating(model, context.seed):
        while True:
            scores = score_blocks(*images.through(left), reduce.real, left, images.chance)
            allowed = [score for score in scores if wish.allows(score, left, len(gone))]
            context.progress("quality of blocks", len(gone), len(gone) + bool(allowed))
            if not allowed:
                break
            # Of equal ones the later block goes.
            gone.append(min(allowed, key=lambda score: (score.change.value, -score.block)))
            left[gone[-1].bucket].remove(gone[-1].block)
    if not gone:
        raise no_drop_error(keep, min_paths, _why_none(scores))
    return QualityPruning(tuple(gone), scores, context.num_images, num_real)


@dataclass(slots=True)
class _Images:
    """Features of images of random paths through blocks that are left; drawn anew where fewer than half are left.

    Args:
        model: in eval mode when it is used.
        sampled: the same.
        context: how many images, seed, conditions.
        labels: of real images, to draw class labels from.
        describe: images in batches to reduced features.
    """

    model: RandomPathGenerator
    sampled: SampledModel
    context: AnalysisContext
    labels: Tensor | None
    describe: Callable[[Iterable[Tensor]], Tensor]
    chance: torch.Generator = field(init=False)
    paths: Tensor = field(init=False)
    features: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.chance = torch.Generator().manual_seed(self.context.seed)
        self.paths = torch.empty((0, self.model.plan.num_buckets), dtype=torch.int64)
        self.features = torch.empty(0)

    def through(self, left: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Paths through these blocks alone, and the features of their images."""
        is_left = torch.ones(len(self.paths), dtype=torch.bool)
        for bucket, blocks in enumerate(left):
            is_left &= torch.isin(self.paths[:, bucket], torch.tensor(blocks))
        self.paths, self.features = self.paths[is_left], self.features[is_left]
        if 2 * len(self.paths) < self.context.num_images:
            self._draw(left)
        return self.paths, self.features

    def _draw(self, left: Sequence[Sequence[int]]) -> None:
        space = PathSpace(tuple(map(len, left)))
        places = space.sample_equally(self.context.num_images, generator=self.chance)
        columns = [torch.tensor(blocks)[places[:, bucket]] for bucket, blocks in enumerate(left)]
        self.paths = torch.stack(columns, dim=1)
        given = conditions_for(self.sampled, len(self.paths), self.context.conditions, self.labels, self.chance)
        self.features = self.describe(generated_batches(self.sampled, self.paths, given, self.context.batch_pixels))


def _check_numbers(model: RandomPathGenerator, keep: Sequence[int] | None, worst: int | None) -> None:
    num_blocks = model.plan.num_blocks
    if keep is not None:
        check_keep(model, keep)
    spare = sum(num_blocks) - len(num_blocks)
    if worst is not None and not 1 <= worst <= spare:
        raise PlanError(
            f"The worst {worst} blocks cannot be dropped: there are {sum(num_blocks)} in {len(num_blocks)} buckets, and every "
            f"bucket keeps one. Give a number from 1 to {spare}."
        )


def _check_num_images(model: RandomPathGenerator, num_images: int) -> None:
    bucket = max(model.plan.buckets, key=lambda spec: spec.num_blocks)
    if bucket.num_blocks == 1:
        raise AnalysisError("Every bucket of this model has one block, so there is none that could be dropped.")
    if num_images < MIN_PER_BLOCK * bucket.num_blocks:
        raise AnalysisError(
            f"{num_images} images show each of the {bucket.num_blocks} blocks of bucket {bucket.name!r} "
            f"{num_images // bucket.num_blocks} times, and fewer than {MIN_PER_BLOCK} say nothing. Draw "
            f"{100 * bucket.num_blocks:,} or more: --num-images {100 * bucket.num_blocks}."
        )


def _why_none(scores: Sequence[BlockScore]) -> str:
    lowest = min(scores, key=lambda score: score.p_value)
    return (
        "no block does harm beyond chance. The lowest adjusted p-value is "
        f"{lowest.p_value:.2g}, of block {lowest.block} of bucket {lowest.bucket + 1}, without which the distance to real "
        f"images changes by {lowest.change.value:+.3g} [{lowest.change.low:+.3g}, {lowest.change.high:+.3g}]. More images show "
        "smaller differences (--num-images); --worst NUMBER drops the worst, chance or not."
    )
