"""Controls: few dimensions, or few blocks, that bring any image to a class."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, require_classifier, require_paths
from rpganify.analysis.controls.drawings import Measured, measured_of
from rpganify.analysis.controls.found import Controls, Sizes
from rpganify.analysis.controls.judging import BATCH_SIZE
from rpganify.analysis.controls.measure import measure_controls
from rpganify.analysis.controls.report import controls_report
from rpganify.analysis.controls.sequential import MIN_GAIN
from rpganify.analysis.controls.subject import Subject, latent_subject, path_subject
from rpganify.analysis.generation import evaluating
from rpganify.analysis.quality.samples import (
    extract_features,
    real_batches,
    real_indices,
    require_same_shape,
    require_samples,
)
from rpganify.errors import AnalysisError
from rpganify.report.report import Report
from rpganify.routing.generator import StandardGenerator


class ControlsAnalyzer:
    """The analyzer `controls`.

    Args:
        min_gain: of a class's mean probability, 0 to 1; less ends the sequential search.
        is_optimised: whether sets of a latent are also found by optimisation.
    """

    name = "controls"
    uses_extractor = False

    def __init__(self, min_gain: float = MIN_GAIN, is_optimised: bool = True) -> None:
        if not 0 < min_gain < 1:
            raise AnalysisError(
                f"A gain that ends the search is a part of a probability, above 0 and below 1; got {min_gain}. "
                f"{MIN_GAIN} is usual."
            )
        self.min_gain = min_gain
        self.is_optimised = is_optimised

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        """About how many images are made; one whose slope is taken counts as three, as it takes that long."""
        if context.classifier is None:
            return 0
        num_concepts = len(context.classifier.concepts)
        sizes = sizes_for(context)
        with evaluating(model, context.seed):
            subjects = [_subject(model, context)]
            if _has_twin(subjects[0], context):
                assert context.twin is not None
                subjects.append(latent_subject(context.twin, context))
        return sum(
            _expected(one, sizes, num_concepts, is_optimised=self.is_optimised and len(subjects) == 1)
            for one in subjects
        )

    def other_s(self, model: nn.Module, context: AnalysisContext, num_features: int) -> float:
        """About how many seconds the classifier takes."""
        if context.classifier is None:
            return 0.0
        images = torch.zeros(BATCH_SIZE, *context.classifier.image_shape)
        context.classifier.scores(images)
        start = time.perf_counter()
        context.classifier.scores(images)
        return self.num_images(model, context) * (time.perf_counter() - start) / BATCH_SIZE

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """Sets of every class with their success, side effects, baselines and pictures; a twin's beside a converted model's.

        Raises:
            AnalysisError: no classifier, no pictures, or a model with fewer than two buckets that vary.
        """
        sizes = sizes_for(context)
        with evaluating(model, context.seed):
            subject = _subject(model, context)
            measured = self._measure(subject, context, sizes, "")
            twin = None
            if _has_twin(subject, context):
                assert context.twin is not None
                with evaluating(context.twin, context.seed):
                    other = latent_subject(context.twin, context)
                    twin = self._measure(other, context, sizes, "twin: ", is_optimised=False)
            return controls_report(measured, twin, model, context, ())

    def _measure(
        self, subject: Subject, context: AnalysisContext, sizes: Sizes, prefix: str, is_optimised: bool = True
    ) -> Measured:
        controls: Controls = measure_controls(
            subject,
            context.seed,
            sizes,
            is_optimised=is_optimised and self.is_optimised,
            min_gain=self.min_gain,
            real=_real_features(context, sizes),
            progress=lambda what, done, total: context.progress(f"{prefix}{what}", done, total),
        )
        return measured_of(subject, controls)


def sizes_for(context: AnalysisContext) -> Sizes:
    """How many codes each part takes, by the context's number of paths."""
    num = context.num_paths
    default = Sizes()
    return replace(
        default,
        num_search=num,
        num_held=max(num, min(5 * num, context.num_images)),
        num_random=max(1, num // 2),
        num_fewest=max(1, round(0.3 * num)),
    )


def _real_features(context: AnalysisContext, sizes: Sizes) -> Tensor | None:
    """The classifier's features of as many real images as codes are held out, or of all; None without any."""
    data, classifier = context.data, context.classifier
    if data is None or classifier is None:
        return None
    indices = real_indices(len(data), min(len(data), sizes.num_held), context.seed)
    return extract_features(classifier, real_batches(data, indices)).float()


def _subject(model: nn.Module, context: AnalysisContext) -> Subject:
    require_classifier(context, "controls")
    sampled = require_samples(model, "controls")
    if context.data is not None:
        require_same_shape(sampled.image_shape, context.data, "controls")
    if isinstance(model, StandardGenerator):
        return latent_subject(model, context)
    require_paths(model, "controls")
    return path_subject(model, context)


def _has_twin(subject: Subject, context: AnalysisContext) -> bool:
    return not subject.is_latent and isinstance(context.twin, StandardGenerator)


def _expected(subject: Subject, sizes: Sizes, num_concepts: int, *, is_optimised: bool) -> int:
    # Sets have about eight dimensions, or all buckets but one; measured on dcgan32 and MNIST.
    num = sizes.num_search
    size = min(8, subject.max_size)
    step = subject.beam * 16 * num // 4 + (8 if subject.beam == 1 else 16) * num
    slopes = (3 * num * size, 3 * 240 * max(8, min(24, num // 2))) if subject.is_latent else (0, 0)
    ways = 1 + (subject.is_latent and is_optimised)
    per_concept = size * step + slopes[0] + is_optimised * slopes[1]
    per_concept += ways * (sizes.num_held + num + sizes.num_draws * sizes.num_random + size * num) + sizes.num_held
    fewest = sizes.num_fewest * (len(subject.choices) + 3 * 32 * num_concepts * subject.is_latent)
    return len(subject.choices) * num + num_concepts * per_concept + fewest
