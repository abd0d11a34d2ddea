"""The analyzer `concepts`: which latent variable, or which block, changes which class."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, require_classifier, require_paths
from rpganify.analysis.classifier_features import ClassifierFeatures
from rpganify.analysis.concepts.interventions import (
    DELTAS,
    batch_size_of,
    class_probabilities,
    intervene_on_blocks,
    intervene_on_latents,
    probabilities_of,
)
from rpganify.analysis.concepts.measured import Measured, correlate, measure_blocks, measure_latents
from rpganify.analysis.concepts.pictures import Raised
from rpganify.analysis.concepts.report import Intervened, blocks_report, latent_report, sureness_note
from rpganify.analysis.generation import ImageMaker, evaluating, to_uint8
from rpganify.analysis.latents import LatentMap, latent_of
from rpganify.data.display import is_picture
from rpganify.errors import AnalysisError
from rpganify.report.report import Report
from rpganify.routing.generator import StandardGenerator

NUM_SHOWN = 10
# 200 latents for the 100 paths that are the default: a DCGAN of 128 numbers makes 158,000 images of 32×32, about two
# minutes on a core with the classifier.
Z_PER_PATH = 2
# A correlation is a mean over images as they are drawn, which cost as much as any others.
OBSERVED_PER_Z = 20
# Measured on 2 cores, for images of 32×32: what a classifier takes for each, of rpganify's own.
_SCORE_PIXEL_S = 2.5e-7


@dataclass(frozen=True, slots=True)
class ConceptsConfig:
    """Sizes.

    Args:
        num_z: latents, or paths, that interventions are made on; None takes twice the context's `num_paths`.
        deltas: that each number of `z` is set to, with both signs, in standard deviations; the largest is reported in full.
    Raises:
        AnalysisError: fewer than 2 latents, or no δ above 0.
    """

    num_z: int | None = None
    deltas: tuple[float, ...] = DELTAS

    def __post_init__(self) -> None:
        if (self.num_z is not None and self.num_z < 2) or not self.deltas or min(self.deltas) <= 0:
            raise AnalysisError(
                f"Interventions take at least 2 latents or paths and a δ above 0; got {self.num_z} and "
                f"{', '.join(f'{delta:g}' for delta in self.deltas) or 'no δ'}. `--num-z 100 --delta 3` would do."
            )


class Concepts:
    """The analyzer `concepts`.

    Args:
        config: sizes.
    """

    name = "concepts"
    uses_extractor = False

    def __init__(self, config: ConceptsConfig | None = None) -> None:
        self.config = config or ConceptsConfig()

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        """About how many images an analysis makes."""
        num_z = self._num_z(context)
        if getattr(model, "codes", None) == "paths":
            return num_z * sum(m for m in require_paths(model, self.name).paths.num_blocks if m > 1)
        dim = math.prod(cast(StandardGenerator, model).blueprint.latent.shape)
        return num_z * (1 + OBSERVED_PER_Z + 2 * dim * len(self.config.deltas))

    def other_s(self, model: nn.Module, context: AnalysisContext, num_features: int) -> float:
        """About how many seconds the classifier takes."""
        shape = context.classifier.image_shape if context.classifier is not None else (1, 1, 1)
        return self.num_images(model, context) * math.prod(shape[1:]) * _SCORE_PIXEL_S

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """Effects of every number of `z`, or of every block, on every class.

        Raises:
            AnalysisError: no classifier, no pictures, no bucket of several blocks, or a condition is missing.
        """
        classifier = require_classifier(context, self.name)
        shape = tuple(getattr(model, "image_shape", ()))
        if not is_picture(shape):
            raise AnalysisError(
                f"concepts are seen by a classifier in pictures of 1 or 3 channels; this generator's output is {shape}."
            )
        if getattr(model, "codes", None) == "paths":
            return self._of_blocks(model, classifier, context)
        return self._of_latent(model, classifier, context)

    def _num_z(self, context: AnalysisContext) -> int:
        return self.config.num_z or Z_PER_PATH * context.num_paths

    def _of_latent(self, model: nn.Module, classifier: ClassifierFeatures, context: AnalysisContext) -> Report:
        num_z = self._num_z(context)
        chance = torch.Generator().manual_seed(context.seed)
        with evaluating(model, context.seed):
            space = latent_of(model, context)
            batch_size = batch_size_of(space.image_shape, context.batch_pixels)
            found = intervene_on_latents(
                *(space, classifier, num_z, chance),
                deltas=self.config.deltas,
                batch_size=batch_size,
                progress=lambda done, total: context.progress("interventions", done, total),
            )
            drawn = space.draw(OBSERVED_PER_Z * num_z, chance)
            observed = class_probabilities(space, classifier, drawn, batch_size=batch_size)
            measured, doses = measure_latents(found, context.seed)
            correlated = correlate(measured, drawn.cpu(), observed)
            kept = found.latents[:NUM_SHOWN]

            def after(row: int) -> Tensor:
                side = 1 if row >= found.dim else -1
                moved = kept.clone()
                moved[:, measured.variables[row]] = side * found.deltas[-1]
                return space.images(moved.to(space.device, space.dtype)).float().cpu()

            shown = _raised(measured, classifier, after)
            before = to_uint8(_images(space, kept))
        notes = [sureness_note(observed)]
        return latent_report(Intervened(measured, before, shown, model, context, num_z, notes), doses, correlated)

    def _of_blocks(self, model: nn.Module, classifier: ClassifierFeatures, context: AnalysisContext) -> Report:
        rp, num_z = require_paths(model, self.name), self._num_z(context)
        contexts = rp.paths.sample(num_z, generator=torch.Generator().manual_seed(context.seed))
        with evaluating(model, context.seed):
            maker = ImageMaker(rp, context)
            found = intervene_on_blocks(
                *(maker, rp.paths.num_blocks, classifier, contexts),
                progress=lambda done, total: context.progress("interventions", done, total),
            )
            names = [bucket.name for bucket in rp.plan.buckets]
            observed = probabilities_of(classifier.scores(maker.values(contexts)))
            measured = measure_blocks(found, observed, names, context.seed)

            def after(row: int) -> Tensor:
                paths = contexts[:NUM_SHOWN].clone()
                paths[:, found.buckets[row]] = found.blocks[row]
                return maker.values(paths)

            shown, before = _raised(measured, classifier, after), maker(contexts[:NUM_SHOWN])
        notes = [*maker.notes(), sureness_note(observed)]
        return blocks_report(Intervened(measured, before, shown, model, context, num_z, notes), names)


def _images(space: LatentMap, latents: Tensor) -> Tensor:
    return space.images(latents.to(space.device, space.dtype)).float().cpu()


def _raised(measured: Measured, classifier: ClassifierFeatures, after: Callable[[int], Tensor]) -> list[Raised]:
    """The images after the intervention that raises each concept most, for those that one raises."""
    rows = []
    for concept, name in enumerate(measured.concepts):
        row = measured.strongest(concept, 1)
        if row is None:
            continue
        images = after(row)
        points = 100 * float(measured.effects.mean[row, concept])
        label = f"{measured.labels[row]}, +{points:.1f} points"
        rows.append(Raised(name, label, to_uint8(images), classifier.classes(images) == concept))
    return rows
