"""Extractors and distances by name, built-in or a plugin's."""

from __future__ import annotations

import types
from typing import Any

import pytest
import torch

from rpganify.analysis.distances import ColourDistance, FeatureDistance
from rpganify.analysis.opening import open_distance, open_extractor
from rpganify.entries import DistanceEntry, ExtractorEntry
from rpganify.errors import AnalysisError, RegistryError
from rpganify.hookspecs import hookimpl
from rpganify.registry import Registry


def registry(**hooks: Any) -> Registry:
    made, module = Registry(), types.ModuleType("mine")
    for name, entry in hooks.items():
        setattr(module, name, hookimpl(lambda entry=entry: [entry]))
    made.register(module)
    return made


def test_a_plugin_s_extractor_is_given_argument_and_device() -> None:
    given: dict[str, Any] = {}

    class Own:
        name, is_papers, provenance = "own", False, {}

        def adaptation(self, image_shape: tuple[int, ...]) -> str:
            return ""

        def __call__(self, images: torch.Tensor) -> torch.Tensor:
            return images

    def opened(**arguments: Any) -> Own:
        given.update(arguments)
        return Own()

    known = registry(rpganify_extractors=ExtractorEntry("own", "mine", opened))
    assert open_extractor("own:a:b", "cpu", known).name == "own"
    assert given == {"argument": "a:b", "device": torch.device("cpu")}
    open_extractor("own", "cpu", known)
    assert given["argument"] is None


def test_a_plugin_s_extractor_that_lacks_a_member_is_refused_naming_plugin_and_member() -> None:
    known = registry(rpganify_extractors=ExtractorEntry("own", "mine", lambda **arguments: len))
    with pytest.raises(AnalysisError, match=r"extractor 'own' of the plugin mine gave a builtin.*no name, is_papers"):
        open_extractor("own", registry=known)


def test_a_plugin_s_distance_that_lacks_a_member_is_refused_naming_plugin_and_member() -> None:
    known = registry(rpganify_distances=DistanceEntry("own", "mine", lambda **arguments: object()))
    with pytest.raises(
        AnalysisError, match="image distance 'own' of the plugin mine gave a object, which has no key, title"
    ):
        open_distance("own", 3, registry=known)


def test_the_built_in_distances_are_those_of_the_diversity_analyzer_and_the_pixels_own() -> None:
    images = torch.randint(256, (2, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    colour, semantic, pixels = (open_distance(spec, 3) for spec in ("colour", "semantic:pixels", "pixels"))
    assert isinstance(colour, ColourDistance) and colour.parts == ("colour", "red", "green", "blue")
    assert isinstance(semantic, FeatureDistance) and semantic.title == "Semantics (pixels)"
    assert (pixels.key, pixels.title) == ("pixels", "Euclidean (pixels)")
    found = pixels.pairs(pixels.describe(images)[None])[0, 0, 1, 0]
    oracle = (images[0].double() - images[1].double()).div(127.5).square().sum().sqrt()
    assert float(found) == pytest.approx(float(oracle), rel=1e-6)  # features are float32


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (
            "color",
            RegistryError,
            r"no image distance 'color'\. Did you mean 'colour'\? .*are: .*colour, .*semantic",
        ),
        ("colour:x", AnalysisError, r"`colour` takes no argument, and was given 'x'\. Write `--distance colour`"),
        ("pixels:x", AnalysisError, r"`pixels` takes no argument"),
        (
            "semantic",
            AnalysisError,
            r"Semantics by which features\? Name a feature extractor: `semantic:classifier:FILE`",
        ),
        ("semantic:nothing", RegistryError, r"no feature extractor 'nothing'"),
        ("semantic:", AnalysisError, r"'semantic:' stops short: write --distance NAME or NAME:ARGUMENT"),
        (":x", AnalysisError, "stops short"),
    ],
)
def test_a_distance_that_cannot_be_opened_is_refused(spec: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        open_distance(spec, 3)


def test_colours_of_other_than_one_or_three_channels_are_refused() -> None:
    with pytest.raises(AnalysisError, match=r"1 \(grey\) or 3 channels, these have 4"):
        open_distance("colour", 4)
