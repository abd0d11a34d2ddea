"""Responsibility: the share of each image statistic's variance that a bucket decides, alone and with others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel, require_paths
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.responsibility.decomposition import decompose_all_paths, decompose_rows
from rpganify.analysis.responsibility.report import responsibility_report
from rpganify.analysis.responsibility.shares import Responsibilities, Share
from rpganify.analysis.responsibility.sobol import saltelli_paths, sobol_indices
from rpganify.analysis.responsibility.statistics import Statistic, available_statistics
from rpganify.errors import AnalysisError
from rpganify.report.report import Report

# 100 paths, the default, are then 3000 images: about a minute for sngan32 with its 256 channels on 2 cores.
IMAGES_PER_PATH = 30
MIN_ROWS = 8
# The pixels of all paths may be a statistic; as float64, 2**24 of them are 128 MB, of which a few copies are made.
MAX_EXACT_VALUES = 2**24
NUM_REPEATED = 8


class Responsibility:
    """The analyzer `responsibility`: Sobol indices of the buckets.

    Args:
        statistics: keys of image statistics; empty takes all that can be taken.
        max_images: about how many images may be made; None takes 30 for each of the context's paths. A model with no
            more paths than that is measured on all of them, exactly.
    """

    name = "responsibility"

    def __init__(self, statistics: Sequence[str] = (), max_images: int | None = None) -> None:
        self.statistics = tuple(statistics)
        self.max_images = max_images

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        """How many images an analysis makes, for those who plan its time."""
        sizes = _sizes(require_paths(model, self.name), self._max_images(context))
        return sizes.num_images + 2 * NUM_REPEATED

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """Tables of shares with intervals, a heat map of buckets × statistics, and a sentence per bucket.

        Raises:
            AnalysisError: the model has no buckets, a statistic cannot be taken, or there are too few images.
        """
        rp = require_paths(model, self.name)
        statistics = available_statistics(rp.image_shape, context, self.statistics)
        with evaluating(model, context.seed):
            maker = ImageMaker(rp, context)
            measured = measure_responsibility(rp, maker, context, statistics, self._max_images(context))
        return responsibility_report(measured, model, rp, context, notes=maker.notes())

    def _max_images(self, context: AnalysisContext) -> int:
        return IMAGES_PER_PATH * context.num_paths if self.max_images is None else self.max_images


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How many images are made, and in how many rows; 0 rows if they are of all paths."""

    num_images: int
    num_rows: int
    varied: tuple[int, ...]


def measure_responsibility(
    rp: PathModel, maker: ImageMaker, context: AnalysisContext, statistics: tuple[Statistic, ...], max_images: int
) -> Responsibilities:
    """Sobol indices of all statistics, from the same images.

    Args:
        rp: the model, in eval mode.
        maker: makes its images.
        context: seed and progress.
        statistics: what is decomposed.
        max_images: about how many images may be made; all paths are taken if there are no more.
    Raises:
        AnalysisError: so few images that there would be less than eight rows.
    """
    space, chance = rp.paths, torch.Generator().manual_seed(context.seed)
    sizes = _sizes(rp, max_images)
    if sizes.num_rows == 0:
        decomposed = decompose_all_paths(space, maker, context, statistics, sizes.varied)
    else:
        one, other = (space.sample(sizes.num_rows, generator=chance) for _ in range(2))
        decomposed = decompose_rows(saltelli_paths(one, other, sizes.varied), maker, context, statistics)
    shares = [
        Share(
            found.statistic,
            found.part,
            found.mean,
            sobol_indices(found.terms, sizes.varied, space.num_buckets, found.mean_square, chance),
        )
        for found in decomposed
    ]
    # Once more, in other batches: noise that the generator draws shows as a difference beyond rounding.
    repeated = space.sample(NUM_REPEATED, generator=chance)
    there, back = maker(repeated).int(), maker(repeated.flip(0)).flip(0).int()
    return Responsibilities(tuple(shares), sizes.num_rows, sizes.num_images, int((there - back).abs().max()))


def _sizes(rp: PathModel, max_images: int) -> _Sizes:
    """All paths if there are few; otherwise rows of Saltelli's scheme, `2k + 2` images for k buckets that vary.

    Raises:
        AnalysisError: fewer than eight rows.
    """
    varied = tuple(bucket for bucket, m in enumerate(rp.paths.num_blocks) if m > 1)
    if rp.paths.cardinality <= min(max_images, MAX_EXACT_VALUES // math.prod(rp.image_shape)):
        return _Sizes(rp.paths.cardinality, 0, varied)
    per_row = 2 * len(varied) + 2
    num_rows = max_images // per_row
    if num_rows < MIN_ROWS:
        raise AnalysisError(
            f"{max_images} images make {num_rows} rows of Saltelli's scheme, {per_row} images each for {len(varied)} "
            f"buckets, and shares from fewer than {MIN_ROWS} rows mean nothing. At least {MIN_ROWS * per_row} images are "
            f"needed: `--paths {math.ceil(MIN_ROWS * per_row / IMAGES_PER_PATH)}` or more; 100 is the default."
        )
    return _Sizes(num_rows * per_row, num_rows, varied)
