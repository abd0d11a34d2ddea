"""From images to paths: prediction, search from there, and how far each comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.distances import PairDistance
from rpganify.analysis.generation import ImageMaker
from rpganify.analysis.inversion.predictor import BlockPredictor, block_log_probabilities
from rpganify.analysis.inversion.search import BEAM, ImageTargets, search_blocks
from rpganify.paths import PathSpace

NUM_STARTS = 4


@dataclass(frozen=True, slots=True)
class Inversion:
    """Images, and the paths that were found for them.

    Args:
        images: uint8 `(T, C, H, W)`.
        random: a random path for each, to compare with, int64 `(T, num_buckets)`.
        predicted: by the predictor alone; the random one where there is none.
        found: by search.
        distances: to the images of those three, float64 `(T, 3)`.
        num_tried: images made by the search.
    """

    images: Tensor
    random: Tensor
    predicted: Tensor
    found: Tensor
    distances: Tensor
    num_tried: int


def invert(
    maker: ImageMaker,
    space: PathSpace,
    images: Tensor,
    predictor: BlockPredictor | None,
    distance: PairDistance,
    generator: torch.Generator,
    *,
    num_starts: int = NUM_STARTS,
    beam: int = BEAM,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Inversion:
    """A path for each image.

    The search starts at the predicted path, at others drawn by the predictor's probabilities, and, since real images are
    strange to it, at as many random ones; without a predictor, at random paths alone.

    Args:
        maker: makes images of paths.
        space: of the model.
        images: uint8 `(T, C, H, W)`, of the model's shape.
        predictor: of the model, or None.
        distance: what "near" means.
        generator: draws the starts, on the CPU.
        num_starts: paths that the search of each image starts at.
        beam: paths that it keeps.
        progress: told how many images are done, and how many there are.
    """
    num_images = len(images)
    random = space.sample(num_images, generator=generator)
    predicted, starts = random, [random[:, None]]
    if predictor is not None:
        scores = block_log_probabilities(predictor, images)
        predicted = torch.stack([one.argmax(dim=1) for one in scores], dim=1)
        starts = [predicted[:, None], draw_starts(scores, num_starts // 2 - 1 if num_starts > 2 else 0, generator)]
    num_random = num_starts - sum(some.shape[1] for some in starts)
    others = space.sample(num_images * num_random, generator=generator)
    starts.append(others.view(num_images, num_random, space.num_buckets))
    targets = ImageTargets(maker, images, distance)
    owners = torch.arange(num_images)
    before = [targets.distances(owners, paths) for paths in (random, predicted)]
    found = search_blocks(targets, space, torch.cat(starts, dim=1), beam=beam, progress=progress)
    distances = torch.stack([*before, found.distances], dim=1)
    return Inversion(images, random, predicted, found.paths, distances, found.num_images)


def draw_starts(scores: Sequence[Tensor], num_starts: int, generator: torch.Generator) -> Tensor:
    """Paths drawn block by block as likely as the predictor holds them: int64 `(T, num_starts, num_buckets)`.

    Args:
        scores: log probabilities per bucket, `(T, num_blocks)`.
        num_starts: for each image; 0 gives none.
        generator: on the CPU.
    """
    if not num_starts:
        return torch.empty((len(scores[0]), 0, len(scores)), dtype=torch.int64)
    drawn = [torch.multinomial(one.exp(), num_starts, replacement=True, generator=generator) for one in scores]
    return torch.stack(drawn, dim=2)
