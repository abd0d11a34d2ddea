"""The analyzer `geometry`: how the image moves as the latent does."""

from __future__ import annotations

from torch import nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.geometry.axes_measured import with_strips
from rpganify.analysis.geometry.feature_maps import can_be_differentiated, feature_map_of
from rpganify.analysis.geometry.measure import GeometryConfig, measure_geometry
from rpganify.analysis.geometry.metric import EXACT, FINITE
from rpganify.analysis.geometry.report import make_report
from rpganify.report.report import Report

# What a direction costs, in images: its product with the Jacobian; with a check, and by two gradients. Measured on a CPU with
# DCGANs of 32 and 64 pixels.
_EXACT_IMAGES, _CHECK_IMAGES, _DIFFERENCE_IMAGES = 1.2, 3.0, 9.0
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
        shape = getattr(getattr(model, "blueprint", None), "latent", None)
        dim = 1
        for size in getattr(shape, "shape", ()):
            dim *= size
        config = self._sized(context)
        cost = {EXACT: _EXACT_IMAGES, FINITE: _DIFFERENCE_IMAGES}.get(config.form, _CHECK_IMAGES)
        controls = 2 * min(config.num_controls, config.num_positions) * cost
        return round(dim * (config.num_positions * (cost + _CHECK_IMAGES) + controls)) + _STRIP_IMAGES

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
