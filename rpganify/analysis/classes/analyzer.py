"""The analyzer `classes`: what share of a model's images is of each class."""

from __future__ import annotations

from torch import nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.classes.measure import REAL_FACTOR, measure_classes
from rpganify.analysis.classes.report import classes_report
from rpganify.analysis.path_kinds import path_kinds
from rpganify.report.report import Report


class Classes:
    """Of any generator of pictures, routed or standard; of one that has grown, also of its old and new paths apart."""

    name = "classes"
    uses_extractor = False

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        """How many images are made."""
        return (len(path_kinds(model, "Classes")) + (context.twin is not None)) * context.num_images

    def other_s(self, model: nn.Module, context: AnalysisContext, num_features: int) -> float:
        """About how many seconds the classifier takes: a small one on a core of 2020."""
        num_real = 0 if context.data is None else min(len(context.data), REAL_FACTOR * context.num_images)
        return 1e-3 * (num_real + self.num_images(model, context))

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """Shares with intervals, and their distance from real images' shares.

        Raises:
            AnalysisError: no classifier, no pictures, or real images of another shape.
        """
        return classes_report(measure_classes(model, context), model, context)
