"""How good the images of each block are: how many of them are like real ones, beside the other blocks of its bucket."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.bootstrap import LEVEL, Estimate
from rpganify.analysis.features import FeatureExtractor
from rpganify.analysis.generation import evaluating
from rpganify.analysis.pruning.manifold import is_inside, neighbour_radii
from rpganify.analysis.quality.measure import require_data, require_extractor
from rpganify.analysis.quality.samples import (
    conditions_for,
    describe_images,
    generated_batches,
    real_batches,
    real_indices,
    require_same_shape,
    require_samples,
)
from rpganify.errors import AnalysisError
from rpganify.routing.generator import RandomPathGenerator

MIN_PER_BLOCK = 20
SIGNIFICANT = 0.05

DEFINITION = """
Ours. Images of random paths are drawn in which every block of a bucket occurs equally often. A block's score is the share
of the images through it that lie inside the real images' manifold: nearer to some real image than that one's third nearest
real neighbour is to it (the k-NN precision of Kynkäänniemi et al. 2019, of this block's images alone), in the features of
the extractor; with the 95 % interval of Wilson. It is compared with the share among the images through the other blocks of
its bucket, by Fisher's exact test to one side; the p-values of all blocks of the model are adjusted together after
Benjamini and Hochberg. A block is of low quality where the adjusted one is below 5 %.
"""


@dataclass(frozen=True, slots=True)
class BlockScore:
    """How good one block's images are.

    Args:
        bucket, block: which, both from 0.
        share: of its images, how many are like real ones, in [0, 1].
        others_share: of the images through the other blocks of its bucket.
        p_value: that it came out so low by chance, adjusted for all blocks.
        num_images: through it.
    """

    bucket: int
    block: int
    share: Estimate
    others_share: float
    p_value: float
    num_images: int

    @property
    def deficit(self) -> float:
        """How far it is below the others; negative where it is above them."""
        return self.others_share - self.share.value

    @property
    def is_low(self) -> bool:
        """Whether it is below the others beyond chance."""
        return self.p_value < SIGNIFICANT


@dataclass(frozen=True, slots=True)
class BlockScores:
    """The scores of all blocks of buckets that have several.

    Args:
        blocks: bucket by bucket.
        share: of all images, how many are like real ones.
        num_images: drawn.
        num_real: compared with.
    """

    blocks: tuple[BlockScore, ...]
    share: float
    num_images: int
    num_real: int


def score_blocks(model: RandomPathGenerator, context: AnalysisContext) -> BlockScores:
    """The score of each block, by `DEFINITION`.

    Args:
        model: not changed.
        context: real images, extractor, `num_images` to draw, seed, conditions.
    Raises:
        AnalysisError: no data or extractor, images of another shape, or too few for the number of blocks.
    """
    extractor, data = require_extractor(context), require_data(context, "A score of blocks")
    sampled = require_samples(model, "A score of blocks")
    require_same_shape(sampled.image_shape, data, "A score of blocks")
    _check_num_images(model, context.num_images)
    num_real = min(context.num_images, len(data))
    total = num_real + context.num_images
    real = _features(extractor, real_batches(data, real_indices(len(data), num_real, context.seed)), context, 0, total)
    chance = torch.Generator().manual_seed(context.seed)
    paths = model.paths.sample_equally(context.num_images, generator=chance)
    conditions = conditions_for(sampled, len(paths), context.conditions, data.labels, chance)
    with evaluating(model, context.seed):
        images = generated_batches(sampled, paths, conditions, context.batch_pixels)
        generated = _features(extractor, images, context, num_real, total)
    inside = is_inside(generated, real, neighbour_radii(real))
    return scores_of(paths, inside, model.plan.num_blocks, num_real)


def scores_of(paths: Tensor, inside: Tensor, num_blocks: tuple[int, ...], num_real: int) -> BlockScores:
    """The scores from what is known of each image.

    Args:
        paths: int64 `(N, num_buckets)`.
        inside: whether each path's image is like real ones, bool `(N,)`.
        num_blocks: of each bucket; those of one block are left out.
        num_real: for the record.
    """
    places = [(bucket, block) for bucket, m in enumerate(num_blocks) if m > 1 for block in range(m)]
    num_all, num_inside = len(inside), int(inside.sum())
    counts = [(int((mask := paths[:, b] == block).sum()), int(inside[mask].sum())) for b, block in places]
    # The chance of so few hits among so many draws without replacement.
    p_values = [float(stats.hypergeom.cdf(hits, num_all, num_inside, count)) for count, hits in counts]
    adjusted = stats.false_discovery_control(np.clip(p_values, 0, 1)) if p_values else []
    blocks = tuple(
        BlockScore(bucket, block, share_estimate(hits, count), (num_inside - hits) / (num_all - count), float(p), count)
        for (bucket, block), (count, hits), p in zip(places, counts, adjusted, strict=True)
    )
    return BlockScores(blocks, num_inside / num_all, num_all, num_real)


def share_estimate(hits: int, count: int) -> Estimate:
    """A share with its 95 % interval after Wilson."""
    found = stats.binomtest(hits, count).proportion_ci(LEVEL, method="wilson")
    return Estimate(hits / count, float(found.low), float(found.high))


def _features(
    extractor: FeatureExtractor, batches: Iterable[Tensor], context: AnalysisContext, before: int, total: int
) -> Tensor:
    (features,) = describe_images(
        lambda images: (extractor(images),),
        batches,
        lambda done: context.progress("quality of blocks", before + done, total),
    )
    return features


def _check_num_images(model: RandomPathGenerator, num_images: int) -> None:
    bucket = max(model.plan.buckets, key=lambda spec: spec.num_blocks)
    if bucket.num_blocks == 1:
        raise AnalysisError("Every bucket of this model has one block, so none is of lower quality than others.")
    if num_images < MIN_PER_BLOCK * bucket.num_blocks:
        raise AnalysisError(
            f"{num_images} images show each of the {bucket.num_blocks} blocks of bucket {bucket.name!r} "
            f"{num_images // bucket.num_blocks} times, and a share of fewer than {MIN_PER_BLOCK} images is chance. Draw "
            f"{100 * bucket.num_blocks:,} or more: --num-images {100 * bucket.num_blocks}."
        )
