"""Feature extractors: what makes two images alike. Each has a name, which every number made with it carries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from rpganify.errors import AnalysisError, closest
from rpganify.report.report import JsonValue

EXTRACTORS = {
    "inception": "InceptionV3 pool features from a local weight file, `inception:FILE`; the paper's",
    "classifier": "a classifier's last hidden layer, `classifier:FILE`",
    "pixels": "the pixel values themselves",
}


class FeatureExtractor(Protocol):
    """Maps images to vectors whose Euclidean distance means something."""

    @property
    def name(self) -> str:
        """What a report calls it: the kind and the weight file's name."""
        ...

    @property
    def is_papers(self) -> bool:
        """Whether it is the InceptionV3 that the paper and published FID values use."""
        ...

    @property
    def provenance(self) -> Mapping[str, JsonValue]:
        """Weight file's name and SHA-256, network, number of features."""
        ...

    def adaptation(self, image_shape: tuple[int, ...]) -> str:
        """What is done first to images of that shape, in words; empty if they are taken as they are."""
        ...

    def __call__(self, images: Tensor) -> Tensor:
        """Features `(N, D)`, on the CPU, of images `(N, C, H, W)` in [-1, 1], C 1 or 3."""
        ...


class PixelFeatures:
    """The pixel values as features: distances are root sums of squared differences of images in [-1, 1]."""

    name = "pixels"
    is_papers = False
    provenance: Mapping[str, JsonValue] = {}

    def adaptation(self, image_shape: tuple[int, ...]) -> str:
        """Nothing is done."""
        return ""

    def __call__(self, images: Tensor) -> Tensor:
        """Each image as one row: `(N, C·H·W)`."""
        return images.flatten(1).cpu()


def resolve_extractor(spec: str, device: torch.device | str = "cpu") -> FeatureExtractor:
    """The extractor that a user names: `inception`, `inception:FILE`, `classifier:FILE` or `pixels`.

    Args:
        spec: as typed after `--extractor`.
        device: where its network runs.
    Raises:
        AnalysisError: no such extractor, or its weight file is missing, damaged or of another network.
    """
    kind, _, file = spec.partition(":")
    if kind == "pixels" and not file:
        return PixelFeatures()
    if kind == "inception":
        from rpganify.analysis.inception import open_inception

        return open_inception(Path(file) if file else None, torch.device(device))
    if kind == "classifier" and file:
        from rpganify.analysis.classifier_features import open_classifier

        return open_classifier(Path(file), torch.device(device))
    offers = "; ".join(f"`{name}`: {text}" for name, text in EXTRACTORS.items())
    if kind == "classifier":
        raise AnalysisError(f"Which classifier? Name its weight file: `classifier:FILE`. There are: {offers}.")
    raise AnalysisError(
        f"There is no feature extractor {spec!r}.{closest(kind, list(EXTRACTORS))} There are: {offers}."
    )


def is_paper_statement(extractor: FeatureExtractor) -> str:
    """One sentence on what numbers made with this extractor may be compared with."""
    if extractor.is_papers:
        return f"The features are {extractor.name}: the InceptionV3 that the paper and published FID values use."
    return (
        f"The features are {extractor.name}. The paper uses InceptionV3, here `inception:FILE`; numbers made with "
        "other features can be compared with one another only, not with the paper's."
    )
