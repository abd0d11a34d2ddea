"""Blocks: what each block of a bucket does, which look alike, which are dead, and which are there twice."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel, require_paths
from rpganify.analysis.blocks.effects import measure_blocks
from rpganify.analysis.blocks.report import blocks_report
from rpganify.analysis.blocks.verdicts import BlocksOfBucket, judge
from rpganify.analysis.blocks.weights import compare_weights
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.responsibility.statistics import available_statistics
from rpganify.errors import AnalysisError
from rpganify.report.report import Report

# 100 paths, the default, are then 3000 images: about a minute for sngan32 with its 256 channels on 2 cores.
IMAGES_PER_PATH = 30
MIN_CONTEXTS = 8
NUM_SHOWN = 6  # images per block: with the effects beside them, as wide as a page


class Blocks:
    """The analyzer `blocks`.

    Args:
        num_contexts: settings of the other buckets under which all blocks are seen; None takes as many as 30 images for
            each of the context's paths allow, eight at least, and no more than its paths.
    """

    name = "blocks"

    def __init__(self, num_contexts: int | None = None) -> None:
        if num_contexts is not None and num_contexts < 2:
            raise AnalysisError(
                f"Blocks are compared under at least 2 settings of the other buckets, got {num_contexts}; "
                f"from {MIN_CONTEXTS} on the intervals mean something."
            )
        self.num_contexts = num_contexts

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        """How many images an analysis makes, for those who plan its time."""
        rp = require_paths(model, self.name)
        return (_num_blocks(rp) + 2) * self._num_contexts(rp, context)

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """Per bucket: images and mean effects of every block, how alike they are, dead blocks and duplicates.

        Raises:
            AnalysisError: the model has no buckets, or none of more than one block.
        """
        rp = require_paths(model, self.name)
        if _num_blocks(rp) == 0:
            raise AnalysisError(
                "Every bucket of this model has one block, so there are no blocks to compare. Convert with more: "
                "`rpganify convert SOURCE --blocks 10`."
            )
        # A vector whose values have no names, such as pixels, has no effect that could be told in a number.
        statistics = tuple(one for one in available_statistics(rp.image_shape, context) if one.unit or one.parts)
        num_contexts = self._num_contexts(rp, context)
        contexts = rp.paths.sample(num_contexts, generator=torch.Generator().manual_seed(context.seed))
        total, done, found = self.num_images(model, context), 2 * num_contexts, []
        with evaluating(model, context.seed):
            maker = ImageMaker(rp, context)
            noise = _noise(maker, contexts)
            for bucket, m in enumerate(rp.paths.num_blocks):
                if m > 1:
                    tell = _progress(context, done, total)
                    effects = measure_blocks(rp, maker, context, statistics, bucket, contexts, NUM_SHOWN, tell)
                    weights = compare_weights(model, bucket)
                    found.append(BlocksOfBucket(effects, weights, judge(effects, weights, noise)))
                    done += m * num_contexts
        return blocks_report(tuple(found), noise, statistics, model, rp, context, notes=maker.notes())

    def _num_contexts(self, rp: PathModel, context: AnalysisContext) -> int:
        if self.num_contexts is not None:
            return self.num_contexts
        if sum(m > 1 for m in rp.paths.num_blocks) == 1:  # there are no other buckets whose settings could differ
            return 2
        affordable = IMAGES_PER_PATH * context.num_paths // max(1, _num_blocks(rp))
        return max(MIN_CONTEXTS, min(context.num_paths, affordable))


def _num_blocks(rp: PathModel) -> int:
    """Of all buckets that have more than one."""
    return sum(m for m in rp.paths.num_blocks if m > 1)


def _progress(context: AnalysisContext, before: int, total: int) -> Callable[[int], None]:
    return lambda images: context.progress("blocks", before + images, total)


def _noise(maker: ImageMaker, contexts: Tensor) -> float:
    """Root mean squared difference of two images of the same path, made in different batches, in grey levels."""
    there, back = maker(contexts), maker(contexts.flip(0)).flip(0)
    return float((there.double() - back.double()).square().mean().sqrt())
