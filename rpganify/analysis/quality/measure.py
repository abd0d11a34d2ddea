"""Measures the quality of a model, of its standard twin, and of other real images in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.features import FeatureExtractor, ScoresClasses
from rpganify.analysis.generation import evaluating
from rpganify.analysis.quality.metrics import METRICS, Estimate, QualityNumbers, quality_numbers
from rpganify.analysis.quality.samples import (
    describe_images,
    drawn_images,
    real_batches,
    real_indices,
    require_same_shape,
    require_samples,
)
from rpganify.data.images import ImageData
from rpganify.errors import AnalysisError

MIN_IMAGES = 100
MODEL, TWIN, REAL = "model", "twin", "real"
TITLES = {MODEL: "this model", TWIN: "standard twin", REAL: "other real images"}


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose images were measured, and what came out.

    Args:
        key: `model`, `twin`, or `real` for real images against other real ones.
        numbers: by the metric's key; one that could not be taken is absent.
        precision, recall: the curve, float64 `(num_angles,)`, mean over all sets of images.
    """

    key: str
    numbers: dict[str, Estimate]
    precision: np.ndarray
    recall: np.ndarray


@dataclass(frozen=True, slots=True)
class QualityMeasurement:
    """All subjects, and how they were compared.

    Args:
        subjects: the model first.
        num_generated: images in each set of generated ones.
        num_real: real images that all sets are compared with.
        num_data: in the data set.
        num_draws: sets of generated images.
        num_features: of the extractor.
        scores_name: what gave the class scores; empty if nothing did.
    """

    subjects: tuple[Subject, ...]
    num_generated: int
    num_real: int
    num_data: int
    num_draws: int
    num_features: int
    scores_name: str


@dataclass(frozen=True, slots=True)
class _Describer:
    """Features and, if something tells classes apart, class scores."""

    extractor: FeatureExtractor
    scores: Callable[[Tensor], Tensor] | None
    scores_name: str

    @classmethod
    def of(cls, context: AnalysisContext) -> _Describer:
        extractor = require_extractor(context)
        if isinstance(extractor, ScoresClasses):
            return cls(extractor, None, extractor.name)
        classifier = context.classifier
        return cls(extractor, classifier and classifier.scores, classifier.name if classifier else "")

    def __call__(self, images: Tensor) -> tuple[Tensor, ...]:
        if isinstance(self.extractor, ScoresClasses):
            return self.extractor.features_and_scores(images)
        features = self.extractor(images)
        return (features, self.scores(images)) if self.scores else (features,)


def require_extractor(context: AnalysisContext) -> FeatureExtractor:
    """The context's extractor.

    Raises:
        AnalysisError: there is none.
    """
    if context.extractor is None:
        raise AnalysisError(
            "Distances of distributions are taken of features, and no extractor was named. Name one: "
            "`--extractor inception:FILE` (FID), `--extractor classifier:FILE`, or `--extractor pixels`."
        )
    return context.extractor


def require_data(context: AnalysisContext, asker: str) -> ImageData:
    """The context's real images.

    Raises:
        AnalysisError: there are none, or fewer than 100.
    """
    if context.data is None:
        raise AnalysisError(
            f"{asker} compares generated images with real ones, and no data set was named. Name the one that the model "
            "was trained on: `--data cifar10 --data-root DIR`, `--data digits`, `--data folder:DIR`."
        )
    if min(len(context.data), context.num_images) < MIN_IMAGES:
        raise AnalysisError(
            f"{asker} of {context.num_images} generated and {len(context.data)} real images would be chance; it takes "
            f"at least {MIN_IMAGES} of both. `--num-images 1000` is usual for a look, 50000 for publication."
        )
    return context.data


def measure_quality(model: nn.Module, context: AnalysisContext, num_draws: int) -> QualityMeasurement:
    """The numbers of the model, of the context's twin if there is one, and of real images against other real ones.

    Args:
        model: routed or standard.
        context: data, extractor, number of images, seed.
        num_draws: sets of `context.num_images` generated images, for the spread of the numbers.
    Raises:
        AnalysisError: no data, no extractor, too few images, another shape than the data's, or no picture.
    """
    data, describer = require_data(context, "Quality"), _Describer.of(context)
    generators = {MODEL: model} | ({} if context.twin is None else {TWIN: context.twin})
    for generator in generators.values():
        require_same_shape(require_samples(generator, "Quality").image_shape, data, "Quality")
    num_real = min(context.num_images, len(data))
    num_apart = num_real if len(data) >= 2 * num_real else 0
    total = num_real + num_apart + len(generators) * num_draws * context.num_images
    done = 0

    def describe(batches: Iterable[Tensor], num_images: int) -> tuple[Tensor, ...]:
        nonlocal done
        described = describe_images(describer, batches, lambda n: context.progress("quality", done + n, total))
        done += num_images
        return described

    real, *_ = describe(real_batches(data, real_indices(len(data), num_real, context.seed)), num_real)
    subjects = []
    for key, generator in generators.items():
        sets = []
        for draw in range(num_draws):
            seed = draw_seed(context.seed, draw)
            with evaluating(generator, seed):
                images = drawn_images(
                    require_samples(generator, "Quality"),
                    context.num_images,
                    seed,
                    given=context.conditions,
                    labels=data.labels,
                    batch_pixels=context.batch_pixels,
                )
                generated, *scores = describe(images, context.num_images)
            sets.append(quality_numbers(generated, real, scores[0] if scores else None, context.seed))
        subjects.append(_subject(key, sets))
    if num_apart:
        indices = real_indices(len(data), num_apart, context.seed, skip=num_real)
        others, *scores = describe(real_batches(data, indices), num_apart)
        subjects.append(_subject(REAL, [quality_numbers(others, real, scores[0] if scores else None, context.seed)]))
    return QualityMeasurement(
        tuple(subjects), context.num_images, num_real, len(data), num_draws, real.shape[1], describer.scores_name
    )


def draw_seed(seed: int, *index: int) -> int:
    """A seed of its own for each index; mixed, so that the next index of one seed is not the first of the next seed."""
    return int(np.random.SeedSequence([seed, *index]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _subject(key: str, sets: list[QualityNumbers]) -> Subject:
    """One or several sets of images of a subject: the mean, and the std over the sets if there are several."""
    numbers = {}
    for metric in METRICS:
        found = [one.numbers[metric.key] for one in sets if metric.key in one.numbers]
        if len(found) == 1:
            numbers[metric.key] = found[0]
        elif found:
            values = [estimate.value for estimate in found]
            std = float(np.std(values, ddof=1))
            numbers[metric.key] = Estimate(float(np.mean(values)), std, f"{len(found)} sets of images")
    precision = np.mean([one.curve.precision for one in sets], axis=0)
    recall = np.mean([one.curve.recall for one in sets], axis=0)
    return Subject(key, numbers, precision, recall)
