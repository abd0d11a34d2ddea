"""What controls are searched in: a standard generator's latent, or a converted one's paths, judged by a classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel, require_classifier
from rpganify.analysis.controls.choices import (
    Choice,
    latent_choices,
    no_weaker_choices,
    path_choices,
    weaker_latent_choices,
)
from rpganify.analysis.controls.judging import Judge
from rpganify.analysis.generation import ImageMaker
from rpganify.analysis.latents import latent_of
from rpganify.errors import AnalysisError

MAX_CHANGES = 8


@dataclass(frozen=True, slots=True)
class Subject:
    """A generator as searches for controls see it.

    Args:
        judge: class probabilities of codes.
        draw: `n` random codes `(n, num_coordinates)` on the CPU.
        choices: every coordinate at every value that it may be set to.
        num_coordinates: of a code.
        is_latent: whether codes are latents, which have slopes and can be shifted, rather than paths.
        concepts: names of the classes.
    """

    judge: Judge
    draw: Callable[[int, torch.Generator], Tensor]
    choices: tuple[Choice, ...]
    num_coordinates: int
    is_latent: bool
    concepts: tuple[str, ...]

    @property
    def unit(self) -> str:
        """What a coordinate is called."""
        return "dimension" if self.is_latent else "bucket"

    @property
    def max_size(self) -> int:
        """The largest set that is searched for: of buckets one is left, or there would be one image for all."""
        return self.num_coordinates if self.is_latent else max(1, self.num_coordinates - 1)

    @property
    def beam(self) -> int:
        """Sets that the search keeps: which blocks go together shows only when they are together."""
        return 1 if self.is_latent else 4

    @property
    def max_changes(self) -> int:
        """Changed coordinates of a single image that are tried."""
        return min(MAX_CHANGES, self.num_coordinates)

    def weaker(self, choice: Choice) -> tuple[Choice, ...]:
        """Other values to try of a coordinate that was chosen."""
        return (weaker_latent_choices if self.is_latent else no_weaker_choices)(choice)


def latent_subject(model: nn.Module, context: AnalysisContext) -> Subject:
    """A standard generator.

    Raises:
        AnalysisError: no classifier, or it has no differentiable images.
    """
    classifier = require_classifier(context, "controls")
    latent = latent_of(model, context)
    judge = Judge(
        lambda codes: latent.images(codes.to(latent.device, latent.dtype)),
        classifier.logits,
        classifier.features_and_scores,
    )

    def draw(num_codes: int, chance: torch.Generator) -> Tensor:
        return latent.draw(num_codes, chance).cpu()

    return Subject(judge, draw, latent_choices(latent.dim), latent.dim, True, classifier.concepts)


def path_subject(model: nn.Module, context: AnalysisContext) -> Subject:
    """A converted generator, in eval mode.

    Raises:
        AnalysisError: no classifier, or only one bucket has more than one block.
    """
    classifier = require_classifier(context, "controls")
    rp = cast(PathModel, model)
    choices = path_choices(rp.paths.num_blocks)
    num_varied = sum(m > 1 for m in rp.paths.num_blocks)
    if num_varied < 2:
        raise AnalysisError(
            f"A control puts blocks into some buckets while others vary, and of this model {num_varied} "
            f"bucket{' has' if num_varied == 1 else 's have'} more than one block. Convert with more blocks: "
            "`rpganify convert SOURCE --buckets 5 --blocks 40`."
        )
    maker = ImageMaker(rp, context)

    def draw(num_codes: int, chance: torch.Generator) -> Tensor:
        return rp.paths.sample(num_codes, generator=chance)

    judge = Judge(maker.values, classifier.logits, classifier.features_and_scores)
    return Subject(judge, draw, choices, rp.paths.num_buckets, False, classifier.concepts)
