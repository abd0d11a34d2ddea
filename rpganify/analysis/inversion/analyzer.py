"""The analyzer `inversion`: from an image back to its path."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel, require_paths
from rpganify.analysis.distances import PairDistance
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.inversion.findings import Inverted
from rpganify.analysis.inversion.held_out import DrawnPaths, hold_out
from rpganify.analysis.inversion.inverting import NUM_STARTS, Inversion, invert
from rpganify.analysis.inversion.latent_tuning import Tuned, tune_latents
from rpganify.analysis.inversion.predictor import (
    BlockPredictor,
    PredictorConfig,
    block_log_probabilities,
    train_predictor,
)
from rpganify.analysis.inversion.predictor_score import score_buckets
from rpganify.analysis.inversion.report import make_report
from rpganify.analysis.inversion.search import BEAM
from rpganify.analysis.opening import open_pixel_distance
from rpganify.analysis.provenance import provenance
from rpganify.data.images import ImageData
from rpganify.errors import AnalysisError
from rpganify.report.report import JsonValue, Report
from rpganify.routing.generator import RandomPathGenerator

# 30 000 samples at the default 1000 images: on 2 cores a minute for a generator of 32x32 pixels.
SAMPLES_PER_IMAGE = 30
_LEAST_TARGETS, _LEAST_SAMPLES = 8, 512
# Measured on 2 cores: 0.4 ms for an image of 28x28 pixels in a training step of the predictor, and for each path that a
# search tries 20 µs of keeping account.
_PIXEL_S, _TRIED_S = 5e-7, 2e-5


@dataclass(frozen=True, slots=True)
class InversionConfig:
    """Sizes.

    Args:
        num_samples: that the predictor is trained on; None takes 30 for each of the context's images.
        num_starts: paths that the search of each image starts at.
        num_shown: images in each picture; `Z` is tuned for as many real ones.
        tuning_steps: of the tuning of `Z`, per image; 0 leaves it out.
    Raises:
        AnalysisError: no start, or a negative number.
    """

    num_samples: int | None = None
    num_starts: int = NUM_STARTS
    num_shown: int = 8
    tuning_steps: int = 100

    def __post_init__(self) -> None:
        if self.num_starts < 1 or self.num_shown < 1 or self.tuning_steps < 0:
            raise AnalysisError(
                f"An inversion needs at least 1 start and 1 image to show, and no negative number of steps; got "
                f"{self.num_starts}, {self.num_shown} and {self.tuning_steps}."
            )


class InversionAnalyzer:
    """The analyzer `inversion`.

    Args:
        config: sizes.
    """

    name = "inversion"
    uses_extractor = False

    def __init__(self, config: InversionConfig | None = None) -> None:
        self.config = config or InversionConfig()

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        """About how many images it makes."""
        rp = require_paths(model, self.name)
        return self._predictor_config(context).num_samples + context.num_images + self._num_tried(rp, context)

    def other_s(self, model: nn.Module, context: AnalysisContext, num_features: int) -> float:
        """About how many seconds training the predictor and searching take beside."""
        rp = require_paths(model, self.name)
        num_pixels = math.prod(rp.image_shape[1:])
        trained_s = self._predictor_config(context).num_samples * num_pixels * _PIXEL_S
        return trained_s + self._num_tried(rp, context) * _TRIED_S

    def _num_tried(self, rp: PathModel, context: AnalysisContext) -> int:
        """Paths that the searches try, about: a beam's neighbours in four rounds, half of them known already."""
        sets = 1 + (context.data is not None)
        return sets * _num_targets(context) * 2 * BEAM * sum(rp.paths.num_blocks)

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """Trains a predictor on the model's images, tests it on others, and inverts images of paths and of the data."""
        rp = require_paths(model, self.name)
        if context.data is not None:
            check_shape(context.data, tuple(rp.image_shape))
        distance = inversion_distance(rp, context)
        chance = torch.Generator().manual_seed(context.seed)
        config = self._predictor_config(context)
        with evaluating(model, context.seed):
            maker = ImageMaker(rp, context)
            held_out = hold_out(rp.paths, context.num_images, chance)
            drawn = DrawnPaths(rp.paths, chance, held_out)
            predictor = train(maker, drawn, config, context)
            tested = held_out if len(held_out) else drawn.draw(context.num_images)
            images = maker(tested, lambda done: context.progress("images to test on", done, len(tested)))
            scores = score_buckets(block_log_probabilities(predictor, images), tested, chance)
            num_own = min(_num_targets(context), len(tested))
            own = self._invert(maker, images[:num_own], predictor, distance, chance, "own images", context)
            real, tuned = None, None
            if context.data is not None:
                chosen = torch.randperm(len(context.data), generator=chance)[: _num_targets(context)]
                wanted = context.data.images(chosen)
                real = self._invert(maker, wanted, predictor, distance, chance, "real images", context)
                tuned = self._tune(model, real, context)
            shown = {
                name: self._pictures(maker, one) for name, one in (("own", own), ("real", real)) if one is not None
            }
        settings: dict[str, JsonValue] = {
            "predictor's samples": config.num_samples,
            "images tested on": len(tested),
            "starts of each search": self.config.num_starts,
            "image distance": distance.title,
            "images made by the searches": own.num_tried + (real.num_tried if real else 0),
        }
        if context.data is not None:
            settings["data"] = context.data.name
        inverted = Inverted(
            names=tuple(bucket.name for bucket in rp.plan.buckets),
            space=rp.paths,
            distance=distance,
            scores=scores,
            num_tested=len(tested),
            is_held_out=len(held_out) > 0,
            own=own,
            own_truth=tested[:num_own],
            real=real,
            tuned=tuned,
            shown=shown,
            seed=context.seed,
        )
        return make_report(inverted, provenance(model, context, settings), maker.notes())

    def _predictor_config(self, context: AnalysisContext) -> PredictorConfig:
        wanted = self.config.num_samples or max(_LEAST_SAMPLES, SAMPLES_PER_IMAGE * context.num_images)
        return PredictorConfig(num_samples=wanted)

    def _invert(
        self,
        maker: ImageMaker,
        images: Tensor,
        predictor: BlockPredictor,
        distance: PairDistance,
        chance: torch.Generator,
        what: str,
        context: AnalysisContext,
    ) -> Inversion:
        return invert(
            maker,
            maker.model.paths,
            images,
            predictor,
            distance,
            chance,
            num_starts=self.config.num_starts,
            progress=lambda done, total: context.progress(f"paths of {what}", done, total),
        )

    def _tune(self, model: nn.Module, real: Inversion, context: AnalysisContext) -> Tuned | None:
        if not self.config.tuning_steps or not isinstance(model, RandomPathGenerator):
            return None
        count = min(self.config.num_shown, len(real.images))
        return tune_latents(
            model,
            real.found[:count],
            real.images[:count],
            context.conditions,
            self.config.tuning_steps,
            lambda done: context.progress("tuning of Z", done, self.config.tuning_steps),
        )

    def _pictures(self, maker: ImageMaker, one: Inversion) -> tuple[Tensor, Tensor, Tensor]:
        """The first images, and those of their predicted and found paths."""
        count = min(self.config.num_shown, len(one.images))
        return one.images[:count], maker(one.predicted[:count]), maker(one.found[:count])


def train(maker: ImageMaker, drawn: DrawnPaths, config: PredictorConfig, context: AnalysisContext) -> BlockPredictor:
    """A trained predictor; the context is told how far it is."""
    return train_predictor(
        maker, drawn, config, lambda done: context.progress("training of the predictor", done, config.num_samples)
    )


def inversion_distance(model: PathModel, context: AnalysisContext) -> PairDistance:
    """What tells images apart: the context's first distance, else that of the pixels."""
    return context.distances[0] if context.distances else open_pixel_distance(num_channels=model.image_shape[0])


def check_shape(data: ImageData, image_shape: tuple[int, ...]) -> None:
    """Refuses real images of another shape than the model's, before any work is done.

    Raises:
        AnalysisError: the two shapes.
    """
    if tuple(data.image_shape) != image_shape:
        raise AnalysisError(
            f"{data.name} holds images of shape {tuple(data.image_shape)}, the generator makes {image_shape}. "
            "`rpganify.data.opening.fit_to` brings them to it, as --data does."
        )


def _num_targets(context: AnalysisContext) -> int:
    return max(_LEAST_TARGETS, math.ceil(context.num_paths / 4))
