"""Bucket diversity: how much the images change when one bucket's blocks change (RPGAN, section 4.1)."""

from __future__ import annotations

from torch import nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel, require_paths
from rpganify.analysis.distances import ColourDistance, FeatureDistance, PairDistance
from rpganify.analysis.diversity.measure import NUM_IMAGES, images_per_path, measure_diversity
from rpganify.analysis.diversity.report import diversity_report
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.errors import AnalysisError
from rpganify.report.report import Report


class Diversity:
    """The analyzer `diversity`: by the context's distances; without any, in colour, and in semantics if it can be.

    Args:
        num_images: images that are compared per path and bucket; the paper takes four.
    """

    name = "diversity"

    def __init__(self, num_images: int = NUM_IMAGES) -> None:
        if num_images < 2:
            raise AnalysisError(
                f"Diversity compares at least 2 images per bucket, got {num_images}; the paper takes 4."
            )
        self.images_per_bucket = num_images

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        """How many images an analysis makes, for those who plan its time."""
        num_blocks = require_paths(model, self.name).paths.num_blocks
        return context.num_paths * images_per_path(num_blocks, self.images_per_bucket)

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """Tables and bar chart of `D(l→1)` and of the plain distances, over `context.num_paths` random paths."""
        rp = require_paths(model, self.name)
        distances = _distances(rp, context)
        with evaluating(model, context.seed):
            maker = ImageMaker(rp, context)
            measured = measure_diversity(rp, maker, context, distances, self.images_per_bucket)
        return diversity_report(measured, model, rp, context, notes=maker.notes())


def _distances(rp: PathModel, context: AnalysisContext) -> tuple[PairDistance, ...]:
    """What tells images apart.

    Raises:
        AnalysisError: two distances share a word, so that their columns could not be told apart.
    """
    if not context.distances:
        colour = ColourDistance(rp.image_shape[0])
        return (colour,) if context.extractor is None else (colour, FeatureDistance(context.extractor))
    words = [word for distance in context.distances for word in {distance.key, *distance.parts}]
    twice = sorted({word for word in words if words.count(word) > 1})
    if twice:
        raise AnalysisError(
            f"Two of the distances {', '.join(distance.title for distance in context.distances)} are both called "
            f"{twice[0]!r} in tables. Measure them one after the other, into two reports."
        )
    return context.distances
