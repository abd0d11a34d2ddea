"""The quality of a generator while it trains: one number, always of the same images, that leaves no trace."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from rpganify.analysis.features import FeatureExtractor
from rpganify.analysis.generation import evaluating
from rpganify.analysis.quality.frechet import FeatureStatistics, feature_statistics, frechet_distance, frechet_name
from rpganify.analysis.quality.samples import (
    SampledModel,
    drawn_images,
    extract_features,
    real_batches,
    real_indices,
    require_same_shape,
    require_samples,
)
from rpganify.data.images import ImageData, to_float
from rpganify.errors import AnalysisError


class QualityMonitor:
    """Fréchet distance between a generator's images and real ones, as a callable for the trainer.

    The real statistics are computed once, here. Each call draws the same codes, so that the numbers of one training differ
    by the generator alone; with other sample counts, extractors or seeds they are not comparable.

    Args:
        data: real images of the generator's shape; `num_images` distinct ones are taken, by `seed`.
        extractor: gives the features.
        num_images: generated, and real, images that are compared: more than the extractor has features.
        seed: of the real images' choice and the generator's codes.
    Raises:
        AnalysisError: there are too few real images, or no more images than features.
    """

    is_lower_better = True

    def __init__(self, data: ImageData, extractor: FeatureExtractor, num_images: int = 1000, seed: int = 0) -> None:
        if num_images > len(data):
            raise AnalysisError(
                f"The quality metric was to compare {num_images} images, and {data.name} holds {len(data)}; "
                f"compare {len(data)} at most."
            )
        self.name = frechet_name(extractor)
        self.num_images = num_images
        self._data = data
        self._extractor = extractor
        self._seed = seed
        # A probe says how many features there are before thousands of images are read in vain.
        num_features = extractor(to_float(data.images(torch.zeros(2, dtype=torch.int64)))).shape[1]
        if num_images <= num_features:
            raise AnalysisError(
                f"{self.name} of {num_images} images says little: {extractor.name} gives {num_features} features, and "
                f"their covariance needs more images than that. {_way_out(len(data), num_features)}"
            )
        self._real = self._statistics(real_batches(data, real_indices(len(data), num_images, seed)))

    def __call__(self, generator: SampledModel) -> float:
        """The distance, >= 0, of the generator as it is now.

        It runs in eval mode without gradients; afterwards training flags and the global random states are as before.

        Raises:
            AnalysisError: it makes images of another shape than the data's, or images that hold NaN or infinity.
        """
        require_same_shape(require_samples(generator, self.name).image_shape, self._data, self.name)
        assert isinstance(generator, nn.Module)
        with evaluating(generator, self._seed):
            images = drawn_images(generator, self.num_images, self._seed, given={}, labels=self._data.labels)
            return frechet_distance(self._real, self._statistics(images))

    def _statistics(self, batches: Iterable[Tensor]) -> FeatureStatistics:
        return feature_statistics(extract_features(self._extractor, batches))


def _way_out(num_data: int, num_features: int) -> str:
    if num_data > num_features:
        return (
            f"Compare at least {num_features + 1}, or name an extractor of fewer features, such as `classifier:FILE`."
        )
    return f"The data set has only {num_data}, so name an extractor of fewer features, such as `classifier:FILE` (64 features)."
