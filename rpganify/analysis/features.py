"""Feature extractors: what makes two images alike. Each has a name, which every number made with it carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from rpganify.errors import AnalysisError
from rpganify.report.report import JsonValue


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


@runtime_checkable
class ScoresClasses(Protocol):
    """An extractor that also tells classes apart, so that a score of the Inception score's kind can be taken with it."""

    def features_and_scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features `(N, D)` and class scores before the softmax `(N, num_classes)`, both on the CPU."""
        ...


@runtime_checkable
class HasDerivative(Protocol):
    """A source of features that also gives them as a function to differentiate, as geometry does."""

    def as_function(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        """Images `(N, C, H, W)` in about [-1, 1], of that type and not rounded, to features `(N, D)` where they lie."""
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

    def as_function(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        """The pixel values, to differentiate."""
        return lambda images: images.flatten(1)


def open_pixels(*, argument: str | None = None, device: torch.device | str = "cpu") -> PixelFeatures:
    """The built-in extractor `pixels`.

    Raises:
        AnalysisError: it was given an argument.
    """
    if argument is not None:
        raise AnalysisError(f"`pixels` takes no argument, and was given {argument!r}. Write `--extractor pixels`.")
    return PixelFeatures()


def is_paper_statement(extractor: FeatureExtractor) -> str:
    """One sentence on what numbers made with this extractor may be compared with."""
    if extractor.is_papers:
        return f"The features are {extractor.name}: the InceptionV3 that the paper and published FID values use."
    return (
        f"The features are {extractor.name}. The paper uses InceptionV3, here `inception:FILE`; numbers made with "
        "other features can be compared with one another only, not with the paper's."
    )
