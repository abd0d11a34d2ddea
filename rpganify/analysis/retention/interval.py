"""A Fréchet distance with an interval, from one set of generated images."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.quality.frechet import FeatureStatistics, feature_statistics, frechet_distance

NUM_PARTS = 8
_T_97_5 = 2.364624  # quantile of Student's t with 7 degrees of freedom


def frechet_estimate(generated: Tensor, real: FeatureStatistics) -> Estimate | None:
    """The distance and its 95 % interval over the generated images, by leaving out an eighth of them at a time.

    The distance falls as sets grow, so only those of equal numbers of images are compared. A bootstrap would repeat images,
    which the distance takes for less diversity; the jackknife does not. The real images are taken as they are.

    Args:
        generated: features `(N, D)` of independent images, in random order.
        real: statistics of the real images' features.
    Returns:
        None where an eighth less than the images, or the real ones, are no more than the features: their covariance would
        not be of full rank.
    """
    num_images, num_features = generated.shape
    if min(num_images - math.ceil(num_images / NUM_PARTS), real.num_samples) <= num_features:
        return None
    value = frechet_distance(real, feature_statistics(generated))
    part = torch.arange(num_images) % NUM_PARTS
    without = [frechet_distance(real, feature_statistics(generated[part != left])) for left in range(NUM_PARTS)]
    spread = torch.tensor(without, dtype=torch.float64)
    variance = (NUM_PARTS - 1) / NUM_PARTS * (spread - spread.mean()).square().sum()
    half = _T_97_5 * math.sqrt(float(variance))
    return Estimate(value, max(0.0, value - half), value + half)
