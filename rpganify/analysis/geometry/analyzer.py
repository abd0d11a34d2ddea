"""The analyzer `geometry`: how the image moves as the latent does."""

from __future__ import annotations

import math

from torch import nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.geometry.axes_measured import with_strips
from rpganify.analysis.geometry.feature_maps import can_be_differentiated, feature_map_of
from rpganify.analysis.geometry.measure import GeometryConfig, measure_geometry
from rpganify.analysis.geometry.metric import EXACT, FINITE, LANCZOS
from rpganify.analysis.geometry.report import make_report
from rpganify.report.report import Report

# What a direction costs, in images: its product with the Jacobian, its check by a Hessian-vector product, and two gradients.
# Measured on a CPU with a DCGAN of 64 pixels. Lanczos takes some four Hessian-vector products for each eigenpair.
_EXACT_IMAGES, _CHECK_IMAGES, _DIFFERENCE_IMAGES, _LANCZOS_IMAGES = 1.0, 2.1, 2.8, 16.0
_STRIP_IMAGES = 39 * 200  # of all strips along axes, 132 products and 27 images each; measured likewise


class Geometry:
    """The analyzer `geometry`.

    Of the context it takes seed, paths, conditions and memory, as many positions as there are random paths but at most the
    configuration's, and the first of the image distances that can be differentiated.

    Args:
        config: sizes, form and distance.
    """

    name = "geometry"
    uses_extractor = False

    def __init__(self, config: GeometryConfig | None = None) -> None:
        self.config = config or GeometryConfig()

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        """About how many images' work it does."""
        latent = getattr(getattr(model, "blueprint", None), "latent", None)
        dim = math.prod(getattr(latent, "shape", ()))
        config = self._sized(context)
        num_found = min(config.num_top, dim) if config.form == LANCZOS else dim
        cost = {EXACT: _EXACT_IMAGES, FINITE: _DIFFERENCE_IMAGES, LANCZOS: _LANCZOS_IMAGES}[config.form]
        num_metrics = config.num_positions + 2 * min(config.num_controls, config.num_positions)
        checks = config.num_positions * num_found * _CHECK_IMAGES
        return round(num_metrics * num_found * cost + checks) + _STRIP_IMAGES

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """Metrics at random positions, their spectra, how much they agree, and images along their axes."""
        measured = measure_geometry(model, context, self._sized(context))
        return with_strips(make_report(measured, model, context), measured, model, context)

    def _sized(self, context: AnalysisContext) -> GeometryConfig:
        config = self.config
        features = config.features
        if features is None:
            known = [one for one in context.distances if can_be_differentiated(one)]
            features = feature_map_of(known[0], known[0].key) if known else None
        return GeometryConfig(
            num_positions=max(2, min(config.num_positions, context.num_paths)),
            form=config.form,
            num_top=config.num_top,
            features=features,
            place=config.place,
            num_controls=config.num_controls,
        )
