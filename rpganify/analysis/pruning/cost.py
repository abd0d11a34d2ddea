"""What pruning costs in quality: the Fréchet distance to real images before and after, each of several sets of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.bootstrap import LEVEL, Estimate
from rpganify.analysis.generation import evaluating, to_float
from rpganify.analysis.quality.frechet import feature_statistics, frechet_distance, frechet_name
from rpganify.analysis.quality.measure import draw_seed, require_data, require_extractor
from rpganify.analysis.quality.samples import (
    drawn_images,
    extract_features,
    real_batches,
    real_indices,
    require_same_shape,
    require_samples,
)
from rpganify.errors import AnalysisError
from rpganify.routing.generator import RandomPathGenerator

NUM_DRAWS = 5
_STREAM = 7  # of seeds: other images than those that blocks were scored on


@dataclass(frozen=True, slots=True)
class QualityCost:
    """The distance to real images before and after, lower being better, with 95 % intervals over sets of images.

    Args:
        name: of the distance; FID for the paper's extractor only.
        before, after: mean over the sets.
        difference: after less before.
        num_draws: sets of images of each model.
        num_images: in a set.
        num_real: real images; others than blocks are scored with, where there are enough.
    """

    name: str
    before: Estimate
    after: Estimate
    difference: Estimate
    num_draws: int
    num_images: int
    num_real: int


def measure_cost(
    before: RandomPathGenerator, after: RandomPathGenerator, context: AnalysisContext, num_draws: int = NUM_DRAWS
) -> QualityCost:
    """Both models' distances to the same real images.

    Args:
        before, after: not changed.
        context: real images, extractor, `num_images` in each set, seed, conditions.
        num_draws: sets, at least 2.
    Raises:
        AnalysisError: no data or extractor, another shape than the data's, or no more images than features.
    """
    extractor, data = require_extractor(context), require_data(context, "What pruning costs in quality")
    require_same_shape(require_samples(after, "Pruning").image_shape, data, "Pruning")
    num_real = min(context.num_images, len(data))
    num_features = extractor(to_float(data.images(torch.zeros(2, dtype=torch.int64)))).shape[1]
    if num_real <= num_features:
        raise AnalysisError(
            f"{frechet_name(extractor)} of {num_real} images says little: {extractor.name} gives {num_features} features, and "
            f"their covariance needs more images than that. Take --num-images {2 * num_features} or more, of a data set that "
            "has as many, or an extractor of fewer features, such as `classifier:FILE`."
        )
    skip = num_real if len(data) >= 2 * num_real else 0
    indices = real_indices(len(data), num_real, context.seed, skip)
    real = feature_statistics(extract_features(extractor, real_batches(data, indices)))
    total, distances = 2 * num_draws * context.num_images, np.zeros((2, num_draws))
    for row, model in enumerate((before, after)):
        for draw in range(num_draws):
            seed = draw_seed(context.seed, _STREAM, row, draw)
            with evaluating(model, seed):
                images = drawn_images(
                    require_samples(model, "Pruning"), context.num_images, seed, given=context.conditions,
                    labels=data.labels, batch_pixels=context.batch_pixels,
                )  # fmt: skip
                features = extract_features(extractor, images)
            distances[row, draw] = frechet_distance(feature_statistics(features), real)
            context.progress("cost in quality", (row * num_draws + draw + 1) * context.num_images, total)
    return QualityCost(
        frechet_name(extractor), mean_estimate(distances[0]), mean_estimate(distances[1]),
        mean_estimate(distances[1] - distances[0]), num_draws, context.num_images, num_real,
    )  # fmt: skip


def mean_estimate(values: Sequence[float] | np.ndarray) -> Estimate:
    """The mean of independent values with its 95 % interval after Student."""
    count = len(values)
    mean = float(np.mean(values))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, count - 1) * np.std(values, ddof=1) / np.sqrt(count))
    return Estimate(mean, mean - reach, mean + reach)
