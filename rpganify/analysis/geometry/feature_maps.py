"""What a metric measures images by: features whose squared Euclidean distance is the image distance, to differentiate.

    pixels            d² = Σ (a − b)², the sum over all pixel values in [-1, 1]
    EXTRACTOR:FILE    d² = ‖f(a) − f(b)‖², of a classifier's or Inception's features
    lpips:FILE        d² = LPIPS(a, b) itself

LPIPS is already a sum of squares: Σ over layers and positions of w_c (â_c − b̂_c)² / positions, â of unit length. So its
features are √(w_c / positions) · â_c of all layers side by side, and their squared distance is LPIPS, not its square.
Images enter as the generator makes them: neither rounded to 8 bits nor clipped, as neither has a useful derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.analysis.classifier_features import ClassifierFeatures
from rpganify.analysis.distances import FeatureDistance
from rpganify.analysis.features import HasDerivative, PixelFeatures
from rpganify.analysis.fitting import cast_to, fit_images
from rpganify.analysis.lpips import LpipsDistance
from rpganify.analysis.opening import open_distance, open_extractor
from rpganify.entries import ExtractorEntry
from rpganify.errors import AnalysisError
from rpganify.registry import Registry, default_registry
from rpganify.report.report import JsonValue

Describe = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """Features of images, and what their squared distance is.

    Args:
        title: a phrase for figures: "squared error of the pixels".
        definition: what d² is, for the report.
        provenance: file, hash and network, where there are some.
        source: gives the features.
    """

    title: str
    definition: str
    provenance: Mapping[str, JsonValue]
    source: HasDerivative = field(repr=False)

    def as_function(self, dtype: torch.dtype) -> Describe:
        """Images `(N, C, H, W)` of that type to features `(N, F)`."""
        return self.source.as_function(dtype)


def pixel_features() -> FeatureMap:
    """The pixel values: d² is the squared error."""
    definition = "the squared error, summed over all pixel values in [-1, 1]"
    return FeatureMap("squared error of the pixels", definition, {"name": "pixels"}, PixelFeatures())


def open_feature_map(
    spec: str, num_channels: int, device: torch.device | str = "cpu", registry: Registry | None = None
) -> FeatureMap:
    """The features that a text names: `pixels`, `classifier:FILE`, `inception:FILE`, `lpips:FILE`, or a plugin's.

    Args:
        spec: as typed after `--distance`.
        num_channels: of the images, 1 or 3.
        device: where a network runs.
        registry: knows the names; None takes this process's.
    Raises:
        RegistryError: there is no such distance or extractor.
        AnalysisError: it cannot be opened, or it has no derivative.
    """
    registry = registry or default_registry()
    name = spec.partition(":")[0]
    if name in registry.all(ExtractorEntry):
        return feature_map_of(open_extractor(spec, device, registry), spec)
    return feature_map_of(open_distance(spec, num_channels, device, registry), spec)


def feature_map_of(source: Any, name: str) -> FeatureMap:
    """The features behind an extractor or an image distance.

    Args:
        source: extractor or distance.
        name: as the user calls it, for messages.
    Raises:
        AnalysisError: it is not the distance of features that can be differentiated, such as one of histograms.
    """
    if isinstance(source, FeatureDistance):
        source = source.extractor
    if type(source) is PixelFeatures:
        return pixel_features()
    if isinstance(source, LpipsDistance):
        definition = f"LPIPS itself, which is a sum of squared differences of weighed features. {source.definition}"
        return FeatureMap(source.title, definition, source.provenance, source)
    if isinstance(source, ClassifierFeatures):
        differentiable: HasDerivative = _OfClassifier(source)
    elif isinstance(source, HasDerivative):
        differentiable = source
    else:
        raise AnalysisError(
            f"{name} gives no features to differentiate, and a metric is had by their derivative. Take `--distance pixels`, "
            "`classifier:FILE`, `inception:FILE` or `lpips:FILE`; a plugin's extractor that has `as_function(dtype)` does "
            "as well."
        )
    called = str(getattr(source, "name", name))
    definition = f"the squared Euclidean distance of the features {called}, of images that are not rounded to 8 bits"
    told = {"name": called, **getattr(source, "provenance", {})}
    return FeatureMap(f"squared distance of {called}", definition, told, differentiable)


def can_be_differentiated(source: Any) -> bool:
    """Whether `feature_map_of` takes it."""
    inner = source.extractor if isinstance(source, FeatureDistance) else source
    return isinstance(inner, (ClassifierFeatures, HasDerivative))


@dataclass(frozen=True, slots=True)
class _OfClassifier:
    """A classifier's features, to differentiate."""

    classifier: ClassifierFeatures

    def as_function(self, dtype: torch.dtype) -> Describe:
        network = self.classifier.network
        assert isinstance(network, nn.Module)
        cast: Any = cast_to(network, dtype)
        return lambda images: cast.features(fit_images(images, self.classifier.image_shape))
