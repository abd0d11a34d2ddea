"""The analyzer `retention`: what a model kept of its old classes and learned of the new ones (RPGAN, section 4.3)."""

from __future__ import annotations

from typing import cast

from torch import nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.path_kinds import path_kinds
from rpganify.analysis.quality.metrics import require_fidelity
from rpganify.analysis.retention.measure import measure_retention
from rpganify.analysis.retention.panels import NUM_COLUMNS, NUM_ROWS, Panels, make_panels
from rpganify.analysis.retention.report import retention_report
from rpganify.report.report import Report
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.restack import old_blocks

# Rounds that it usually takes until there are enough images of new classes, if they are a fifth of all or more.
_USUAL_ROUNDS = 5


class RetentionAnalyzer:
    """Of any generator of pictures; of one that has grown also by its old and new paths, and in pictures."""

    name = "retention"

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        """About how many images are made or described."""
        rounds = 1 if context.classifier is None else _USUAL_ROUNDS
        return (rounds * len(path_kinds(model, "Retention")) + 6) * context.num_images + 3 * NUM_ROWS * NUM_COLUMNS

    def other_s(self, model: nn.Module, context: AnalysisContext, num_features: int) -> float:
        """About how many seconds neighbours, distances and the classifier take."""
        num_sets = 3 * (len(path_kinds(model, "Retention")) + 1)
        return num_sets * (2e-6 * context.num_images * num_features + 2e-8 * num_features**3) + 1e-3 * self.num_images(
            model, context
        )

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """Fréchet distance with interval, precision and recall, share of new classes; figure 6 of a model that has grown.

        Raises:
            AnalysisError: no labelled data, extractor or old classes, too few images, shapes that differ, a classifier of
                other classes, or torch-fidelity is not installed.
        """
        require_fidelity()
        measured = measure_retention(model, context)
        panels: Panels | None = None
        notes: tuple[str, ...] = ()
        if isinstance(model, RandomPathGenerator) and (old := old_blocks(model)) is not None and min(old) > 0:
            with evaluating(model, context.seed):
                maker = ImageMaker(cast(PathModel, model), context)
                # Labels that nobody gave are drawn for the numbers; pictures of a path have none to show.
                if all(condition.name in context.conditions for condition in model.conditions):
                    panels = make_panels(model, maker, context)
                    notes = maker.notes()
        return retention_report(measured, panels, model, context, notes)
