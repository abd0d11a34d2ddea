"""From what the user wrote (`classifier:FILE`, `semantic:pixels`) to extractors and distances; the built-in distances."""

from __future__ import annotations

import torch

from rpganify.analysis.classifier_features import open_classifier
from rpganify.analysis.distances import ColourDistance, FeatureDistance, PairDistance
from rpganify.analysis.features import FeatureExtractor, PixelFeatures
from rpganify.analysis.ssim import SsimDistance
from rpganify.entries import DistanceEntry, ExtractorEntry
from rpganify.errors import AnalysisError
from rpganify.registry import Registry, default_registry

_DISTANCE_MEMBERS = ("key", "title", "parts", "describe", "pairs")
_EXTRACTOR_MEMBERS = ("name", "is_papers", "provenance", "adaptation", "__call__")


def open_extractor(spec: str, device: torch.device | str = "cpu", registry: Registry | None = None) -> FeatureExtractor:
    """The feature extractor that a text names: `NAME` or `NAME:ARGUMENT`, e.g. `pixels` or `classifier:FILE`.

    Args:
        spec: as typed after `--extractor`.
        device: where its network runs.
        registry: knows the names; None takes this process's.
    Raises:
        RegistryError: there is no such extractor.
        AnalysisError: it does not take this argument: a weight file is missing, damaged or of another network.
    """
    registry = registry or default_registry()
    name, argument = _parse(spec, "--extractor", "classifier:FILE")
    entry = registry.get(ExtractorEntry, name)
    opened: FeatureExtractor = registry.make(entry, argument=argument, device=torch.device(device))
    _check_members(opened, _EXTRACTOR_MEMBERS, f"feature extractor {name!r} of the plugin {registry.provider(entry)}")
    return opened


def open_distance(
    spec: str, num_channels: int, device: torch.device | str = "cpu", registry: Registry | None = None
) -> PairDistance:
    """The image distance that a text names: `NAME` or `NAME:ARGUMENT`, e.g. `colour` or `semantic:classifier:FILE`.

    Args:
        spec: as typed after `--distance`.
        num_channels: of the images, 1 or 3.
        device: where a network of it runs.
        registry: knows the names; None takes this process's.
    Raises:
        RegistryError: there is no such distance.
        AnalysisError: it does not take this argument or these images.
    """
    registry = registry or default_registry()
    name, argument = _parse(spec, "--distance", "semantic:classifier:FILE")
    entry = registry.get(DistanceEntry, name)
    given = {"num_channels": num_channels, "argument": argument, "device": torch.device(device)}
    opened: PairDistance = registry.make(entry, **given)
    _check_members(opened, _DISTANCE_MEMBERS, f"image distance {name!r} of the plugin {registry.provider(entry)}")
    return opened


def open_colour(
    *, num_channels: int, argument: str | None = None, device: torch.device | str = "cpu"
) -> ColourDistance:
    """The built-in distance `colour`.

    Raises:
        AnalysisError: it was given an argument, or another number of channels than 1 and 3.
    """
    _refuse_argument("colour", argument)
    return ColourDistance(num_channels)


def open_semantic(
    *, num_channels: int, argument: str | None = None, device: torch.device | str = "cpu"
) -> FeatureDistance:
    """The built-in distance `semantic`: of the features of the extractor that its argument names.

    Raises:
        RegistryError, AnalysisError: there is no such extractor, or it cannot be opened.
    """
    if argument is None:
        raise AnalysisError(
            "Semantics by which features? Name a feature extractor: `semantic:classifier:FILE`, `semantic:inception:FILE`."
        )
    return FeatureDistance(open_extractor(argument, device))


def open_pixel_distance(
    *, num_channels: int, argument: str | None = None, device: torch.device | str = "cpu"
) -> FeatureDistance:
    """The built-in distance `pixels`: the Euclidean distance of the images themselves, in [-1, 1].

    Raises:
        AnalysisError: it was given an argument.
    """
    _refuse_argument("pixels", argument)
    return FeatureDistance(PixelFeatures(), key="pixels", word="Euclidean")


def open_ssim(*, num_channels: int, argument: str | None = None, device: torch.device | str = "cpu") -> SsimDistance:
    """The built-in distance `ssim`: 1 − SSIM.

    Raises:
        AnalysisError: it was given an argument, or another number of channels than 1 and 3.
    """
    _refuse_argument("ssim", argument)
    return SsimDistance(num_channels)


def open_classifier_distance(
    *, num_channels: int, argument: str | None = None, device: torch.device | str = "cpu"
) -> FeatureDistance:
    """The built-in distance `classifier`: of a classifier's features, beside those of another extractor.

    Raises:
        AnalysisError: no weight file was named, or it cannot be opened.
    """
    return FeatureDistance(open_classifier(argument=argument, device=device), key="classifier", word="Classifier")


def _parse(spec: str, option: str, example: str) -> tuple[str, str | None]:
    name, colon, argument = spec.partition(":")
    if not name or (colon and not argument):
        raise AnalysisError(f"{spec!r} stops short: write {option} NAME or NAME:ARGUMENT, such as {example}.")
    return name, argument or None


def _refuse_argument(name: str, argument: str | None) -> None:
    if argument is not None:
        raise AnalysisError(f"`{name}` takes no argument, and was given {argument!r}. Write `--distance {name}`.")


def _check_members(opened: object, members: tuple[str, ...], what: str) -> None:
    missing = [member for member in members if not hasattr(opened, member)]
    if missing:
        raise AnalysisError(
            f"The {what} gave a {type(opened).__name__}, which has no {', '.join(missing)}. Correct the plugin; "
            "rpganify/hookspecs.py shows what it returns."
        )
