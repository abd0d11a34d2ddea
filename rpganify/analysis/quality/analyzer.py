"""Quality: how near the images are to real ones, and whether they reach all of them (RPGAN, table 2 and figure 11)."""

from __future__ import annotations

import math

from torch import nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.provenance import model_sha256, provenance
from rpganify.analysis.quality.measure import MODEL, TWIN, measure_quality, require_data, require_extractor
from rpganify.analysis.quality.metrics import require_fidelity
from rpganify.analysis.quality.report import (
    DEFINITION,
    compared_table,
    curve_figure,
    main_table,
    notes,
    raw_tables,
    settings,
    summary,
)
from rpganify.errors import AnalysisError
from rpganify.report.report import JsonValue, Report

NUM_DRAWS = 3


class Quality:
    """The analyzer `quality`, of any generator, routed or standard.

    Args:
        num_draws: sets of `context.num_images` generated images; the spread of the numbers is over them. With one set, it
            is over splits and subsets, where a measure has any.
    """

    name = "quality"

    def __init__(self, num_draws: int = NUM_DRAWS) -> None:
        if num_draws < 1:
            raise AnalysisError(
                f"Quality is measured on at least 1 set of images, got {num_draws}; {NUM_DRAWS} tell how far it varies."
            )
        self.num_draws = num_draws

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        """About how many images are made or described."""
        num_generators = 1 if context.twin is None else 2
        return (num_generators * self.num_draws + 2) * context.num_images

    def other_s(self, model: nn.Module, context: AnalysisContext, num_features: int) -> float:
        """About how many seconds kernels, neighbours and clusters take, for those who plan its time."""
        num_sets = (1 if context.twin is None else 2) * self.num_draws + 1
        # 1000 images of 784 features take 6 to 13 s on a core of 2020, of which clusters are the most.
        return num_sets * 1e-5 * context.num_images * num_features

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """Fréchet and kernel distance, class score, precision and recall, of the model and of the context's twin.

        Raises:
            AnalysisError: no data or extractor, too few images, shapes that differ, or torch-fidelity is not installed.
        """
        data, extractor = require_data(context, "Quality"), require_extractor(context)
        fidelity = require_fidelity()
        measured = measure_quality(model, context, self.num_draws)
        told = settings(measured, data, extractor, context, fidelity)
        told["models"] = {
            MODEL: _described(model),
            **({} if context.twin is None else {TWIN: _described(context.twin)}),
        }
        return Report(
            name=self.name,
            title="Quality",
            definition=DEFINITION,
            tables=(
                main_table(measured, extractor),
                compared_table(measured, data, extractor, context),
                *raw_tables(measured, extractor),
            ),
            figures=(curve_figure(measured),),
            provenance=provenance(model, context, told),
            notes=tuple(notes(measured, extractor)),
            summary=summary(measured, extractor),
        )


def _described(model: nn.Module) -> dict[str, JsonValue]:
    """What a comparison groups trainings by: the generator, and how many blocks each bucket has; and which weights."""
    plan = getattr(model, "plan", None)
    return {
        "generator": _generator_name(model),
        "num_blocks": None if plan is None else list(plan.num_blocks),
        "sha256": model_sha256(model),
    }


def _generator_name(model: nn.Module) -> str:
    """Class and size of the plain generator: converted and standard ones of one architecture have the same."""
    blueprint = getattr(model, "blueprint", None)
    if blueprint is None:
        return type(model).__name__
    sizes = [math.prod(tensor.shape) for tensor in blueprint.tensors.values() if tensor.role == "parameter"]
    return f"{blueprint.name} of {sum(sizes):,} parameters".replace(",", "\N{NARROW NO-BREAK SPACE}")
