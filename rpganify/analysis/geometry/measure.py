"""Metrics at many positions, how unequal their axes are, how much they agree, and the same of control networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.geometry.controls import Control, shuffled, untrained
from rpganify.analysis.geometry.feature_maps import FeatureMap, pixel_features
from rpganify.analysis.geometry.homogeneity import Homogeneity, homogeneity
from rpganify.analysis.geometry.metric import EXACT, FORMS, NUM_TOP, Metric, measure_metric
from rpganify.analysis.geometry.points import Place, Points, check_dimensions, choose_points
from rpganify.analysis.geometry.products import MAX_CHUNK, Products
from rpganify.analysis.latents import LatentMap
from rpganify.errors import AnalysisError

NUM_POSITIONS, NUM_CONTROLS = 30, 10


@dataclass(frozen=True, slots=True)
class GeometryConfig:
    """What is measured.

    Args:
        num_positions: that metrics are taken at; at least 2.
        form: "exact", "lanczos" or "finite-differences".
        num_top: eigenpairs that Lanczos looks for.
        features: what measures images; None takes the pixels.
        place: what is moved: the latent, a part of it, or a layer's output.
        num_controls: positions of each control network; 0 leaves the controls out.
    Raises:
        AnalysisError: too few positions, or no such form.
    """

    num_positions: int = NUM_POSITIONS
    form: str = EXACT
    num_top: int = NUM_TOP
    features: FeatureMap | None = None
    place: Place = field(default_factory=Place)
    num_controls: int = NUM_CONTROLS

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise AnalysisError(f"A metric is had by {', '.join(FORMS)}, not {self.form!r}.")
        if self.num_positions < 2 or self.num_controls < 0 or self.num_controls == 1:
            raise AnalysisError(
                f"Metrics are compared between at least 2 positions; got {self.num_positions}, and {self.num_controls} of "
                "control networks (0 leaves those out)."
            )


@dataclass(frozen=True, slots=True)
class Series:
    """Metrics of one network at some positions.

    Args:
        name: "model", or that of a control.
        points: the positions.
        products: with the Jacobian at each.
        metrics: at each.
        agreement: of all pairs.
    """

    name: str
    points: Points
    products: tuple[Products, ...]
    metrics: tuple[Metric, ...]
    agreement: Homogeneity


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured.

    Args:
        model: the network as it is.
        controls: others to compare with.
        features: what measures images.
        config: as given.
        notes: controls that were left out, and why.
    """

    model: Series
    controls: tuple[Series, ...]
    features: FeatureMap
    config: GeometryConfig
    notes: tuple[str, ...]


def measure_geometry(model: nn.Module, context: AnalysisContext, config: GeometryConfig) -> Measured:
    """Metrics of a model and of its controls. Nothing of the model is changed.

    Args:
        model: standard or converted.
        context: seed, paths, conditions, progress and memory.
        config: what is measured.
    Raises:
        AnalysisError: the model, its operators or its size do not allow it.
    """
    features = config.features or pixel_features()
    points = choose_points(model, context, config.num_positions, config.place)
    measured = _series("model", points, features, context, config, "metrics", is_checked=True)
    controls, notes = [], []
    kinds = {"shuffled": shuffled, "untrained": untrained} if config.num_controls else {}
    for name, kind in kinds.items():
        try:
            controls.append(_control(name, kind(model, context.seed), model, context, config, features, measured))
        except AnalysisError as error:
            notes.append(f"There is no control with {name} weights: {error}")
    return Measured(measured, tuple(controls), features, config, tuple(notes))


def products_at(space: LatentMap, features: FeatureMap, context: AnalysisContext) -> Products:
    """Products with the Jacobian of a space's image features, in chunks that fit the context's memory."""
    num_pixels = math.prod(space.image_shape[1:])
    # An image and what moves it, each about as large as two: its value and its derivative.
    chunk = max(1, min(MAX_CHUNK, context.batch_pixels // (2 * num_pixels)))
    return Products(space, features.as_function(space.dtype), chunk)


def _control(
    name: str,
    control: Control,
    model: nn.Module,
    context: AnalysisContext,
    config: GeometryConfig,
    features: FeatureMap,
    of: Series,
) -> Series:
    count = min(config.num_controls, len(of.metrics))
    points = choose_points(model, context, config.num_positions, config.place, control)
    chosen = torch.linspace(0, len(points.points) - 1, count).round().long().tolist()
    few = Points(tuple(points.points[index] for index in chosen), points.what, points.where, points.measure)
    return _series(name, few, features, context, config, f"metrics, {name} weights", is_checked=False)


def _series(
    name: str,
    points: Points,
    features: FeatureMap,
    context: AnalysisContext,
    config: GeometryConfig,
    what: str,
    *,
    is_checked: bool,
) -> Series:
    check_dimensions(points.points)
    products, metrics = [], []
    total = len(points.points)
    known: dict[int, Products] = {}
    for number, point in enumerate(points.points):
        context.progress(what, number, total)
        made = known.setdefault(id(point.space), products_at(point.space, features, context))
        products.append(made)
        metrics.append(
            measure_metric(
                made,
                point.position,
                form=config.form,
                num_top=_top(config, point.space.dim),
                is_checked=is_checked,
                seed=context.seed,
            )
        )
    context.progress(what, total, total)
    agreement = homogeneity(metrics, products)
    return Series(name, points, tuple(products), tuple(metrics), agreement)


def _top(config: GeometryConfig, dim: int) -> int:
    """Lanczos cannot find all; the number that is asked for by default is no reason to refuse a small latent."""
    return min(config.num_top, dim - 1) if config.num_top == NUM_TOP else config.num_top


def mean_matrix(metrics: Sequence[Metric]) -> Tensor | None:
    """The mean of the metrics, `(dim, dim)`; None where they hold no matrix."""
    matrices = [metric.matrix for metric in metrics if metric.matrix is not None]
    return torch.stack(matrices).mean(dim=0) if len(matrices) == len(metrics) else None
