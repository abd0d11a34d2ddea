"""What an analyzer is, what it is given, and what it may ask of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from rpganify.analysis.classifier_features import ClassifierFeatures
from rpganify.analysis.distances import PairDistance
from rpganify.analysis.features import FeatureExtractor
from rpganify.data.images import ImageData
from rpganify.errors import AnalysisError
from rpganify.paths import PathSpace
from rpganify.plan import Plan
from rpganify.report.report import Report

NUM_PATHS, NUM_IMAGES = 100, 1000  # the paper averages over 100 paths

Progress = Callable[[str, int, int], None]


def no_progress(what: str, done: int, total: int) -> None:
    """Takes an analyzer's progress and shows it to nobody."""


@dataclass(frozen=True, slots=True)
class AnalysisContext:
    """What analyzers share: chance, sizes, tools.

    Args:
        seed: of every random choice; equal seeds give equal reports.
        num_paths: random paths that numbers are averaged over; the paper takes 100.
        paths: the paths that pictures are made of; empty lets the seed draw them.
        extractor: measures semantic distances; None leaves those out, and the report says so.
        distances: what tells images apart; empty takes colour, and semantics by the extractor if there is one.
        data: real samples of the model's shape to compare with; None leaves such comparisons out.
        twin: a standard generator (random `z`, no buckets) to compare the model with, on the same device; None leaves
            such comparisons out.
        num_images: images that numbers about a whole distribution, such as a Fréchet distance, are taken from.
        classifier: gives class scores, `classifier.scores(images)`, of images in [-1, 1] and of any size; None leaves
            statements about classes out.
        old_classes: labels of the data that the model was trained on before it grew, ascending; empty where that is not
            known, or where nothing has grown.
        names: how the user named things, for the provenance: `model`, `data`, `twin`, `classifier`, and others.
        device: where the model lies; None finds out.
        conditions: one value, without the batch axis, for each further input of the generator, such
            as its label; all images are made with it.
        progress: told what is under way, how much of it is done, and of how much.
        batch_pixels: upper bound of pixels (height × width × images) that are generated at once. 2**20
            keeps a 128×128 generator with 128 channels under about 3 GB.
    """

    seed: int = 0
    num_paths: int = NUM_PATHS
    paths: tuple[tuple[int, ...], ...] = ()
    extractor: FeatureExtractor | None = None
    distances: tuple[PairDistance, ...] = ()
    data: ImageData | None = None
    twin: nn.Module | None = None
    num_images: int = NUM_IMAGES
    classifier: ClassifierFeatures | None = None
    old_classes: tuple[int, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    device: torch.device | None = None
    conditions: Mapping[str, Tensor] = field(default_factory=dict)
    progress: Progress = no_progress
    batch_pixels: int = 2**20

    def __post_init__(self) -> None:
        counts = {"num_paths": self.num_paths, "num_images": self.num_images, "batch_pixels": self.batch_pixels}
        wrong = [f"{name} is {count}" for name, count in counts.items() if count < 1]
        if wrong:
            raise AnalysisError(
                f"{', '.join(wrong)}, and they count from 1. The paper averages over 100 paths, and takes 50 000 images "
                "for a Fréchet distance."
            )


class Analyzer(Protocol):
    """Turns a model into a report. A plugin's analyzer has this shape; no base class is needed.

    One that also has `num_images(model, context) -> int`, about how many images it makes, is told of in the time that
    `rpganify analyze` announces, and may be given fewer paths and images to keep within it. Seconds of other work are
    `other_s(model, context, num_features) -> float`, `num_features` those of the context's extractor, 0 without one;
    and with `uses_extractor = False` the extractor's time is not counted for its images.
    """

    @property
    def name(self) -> str:
        """What follows `rpganify analyze MODEL`, and the name of its reports."""
        ...

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """The report on a model, which is left as it was: weights, buffers, training flags, random states.

        Raises:
            AnalysisError: this model does not allow it; the message says what would.
        """
        ...


class PathModel(Protocol):
    """What analyzers of buckets ask of a model; `RandomPathGenerator` offers it."""

    @property
    def plan(self) -> Plan:
        """Which layers make which bucket."""
        ...

    @property
    def paths(self) -> PathSpace:
        """All paths."""
        ...

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Channels, height, width."""
        ...

    def images(self, codes: Tensor, **conditions: Tensor) -> Tensor:
        """Images of paths: `(N, num_buckets)` to `(N, C, H, W)` in about [-1, 1]."""
        ...


def require_paths(model: nn.Module, analyzer: str) -> PathModel:
    """The model, if it has paths and makes pictures.

    Args:
        model: any model.
        analyzer: who asks, for the message.
    Raises:
        AnalysisError: a standard generator (random `z`, no buckets), or an output that is no picture of
            one (grey) or three (colour) channels.
    """
    if getattr(model, "codes", None) != "paths":
        raise AnalysisError(
            f"{analyzer} compares buckets, and {type(model).__name__} has none: it is a standard generator. "
            "Convert one first: `rpganify convert SOURCE --buckets 5 --blocks 40`, then train and analyze that."
        )
    rp = cast(PathModel, model)
    shape = tuple(rp.image_shape)
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise AnalysisError(
            f"{analyzer} shows and measures pictures of 1 (grey) or 3 (colour) channels, (C, H, W); "
            f"this generator's output is {shape}. Convert a generator of pictures."
        )
    return rp


def require_classifier(context: AnalysisContext, analyzer: str) -> ClassifierFeatures:
    """The context's classifier, if it has one.

    Args:
        context: of the analysis.
        analyzer: who asks, for the message.
    Raises:
        AnalysisError: there is none.
    """
    if context.classifier is None:
        raise AnalysisError(
            f"{analyzer} tells classes apart by a classifier, and none was named: `--classifier FILE`. `rpganify classifier "
            "DATA -o FILE` trains one on labelled images; FILE.py:Class with --classifier-weights takes yours."
        )
    return context.classifier
