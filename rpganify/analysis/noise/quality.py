"""Fréchet distances of images under noise, and of images of other blocks, where both change the images equally."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.diversity.measure import draw_blocks, vary_bucket
from rpganify.analysis.features import FeatureExtractor
from rpganify.analysis.generation import ImageMaker
from rpganify.analysis.noise.measure import Match
from rpganify.analysis.noise.weights import NoisyMaker
from rpganify.analysis.quality.frechet import FeatureStatistics, feature_statistics, frechet_distance
from rpganify.analysis.quality.measure import draw_seed
from rpganify.analysis.quality.samples import extract_features, real_batches, real_indices

NUM_PARTS = 3
NUM_NOISES = 12  # different noises per bucket, a third of them in each part


@dataclass(frozen=True, slots=True)
class Distance:
    """A Fréchet distance.

    Args:
        value: of all images.
        error: standard error, from three thirds of them; None where a third has no more images than features.
    """

    value: float
    error: float | None


@dataclass(frozen=True, slots=True)
class NoiseQuality:
    """Fréchet distances to real images, or without any to the same model's own unchanged images.

    Args:
        num_images: in each set.
        is_real: whether real images are what everything is compared with.
        own_blocks: of the converted model's unchanged images.
        own_noise: of the standard generator's unchanged images.
        blocks: per bucket, of images with another block there; None for a bucket of one block.
        noise: per bucket, of images under noise of matched strength; None where there is no such strength.
    """

    num_images: int
    is_real: bool
    own_blocks: Distance
    own_noise: Distance
    blocks: tuple[Distance | None, ...]
    noise: tuple[Distance | None, ...]


def num_needed(extractor: FeatureExtractor, image_shape: tuple[int, ...]) -> int:
    """The fewest images whose features have a covariance of full rank."""
    return 1 + extractor(torch.zeros(2, *image_shape)).shape[1]


def measure_noise_quality(
    rp: PathModel,
    maker: ImageMaker,
    noisy: NoisyMaker,
    matches: tuple[Match, ...],
    context: AnalysisContext,
    extractor: FeatureExtractor,
) -> NoiseQuality:
    """All distances, of `context.num_images` images each (as many as the real set has, if those are fewer).

    Args:
        rp: the converted model, in eval mode.
        maker: makes its images.
        noisy: makes the standard generator's.
        matches: strength of noise per bucket.
        context: real images, seed, number of images.
        extractor: gives the features.
    """
    num_images = context.num_images if context.data is None else min(context.num_images, len(context.data))
    total, done = 2 * (len(matches) + (1 if context.data is not None else 2)), 0

    def features(images: Tensor) -> Tensor:
        nonlocal done
        described = extract_features(extractor, torch.split(images, 256))
        done += 1
        context.progress("noise, Fréchet distances", done, total)
        return described

    def paths(purpose: int) -> Tensor:
        return rp.paths.sample(num_images, generator=_chance(context, purpose))

    def latents(purpose: int) -> Tensor:
        return noisy.latents(num_images, draw_seed(context.seed, 3, purpose))

    if context.data is not None:
        real = extract_features(
            extractor, real_batches(context.data, real_indices(len(context.data), num_images, context.seed))
        )
        ours = theirs = feature_statistics(real)
    else:
        ours = feature_statistics(features(maker(paths(0))))
        theirs = feature_statistics(features(noisy.plain(latents(0))))
    own_blocks = _distance(features(maker(paths(1))), ours)
    own_noise = _distance(features(noisy.plain(latents(1))), theirs)
    blocks: list[Distance | None] = []
    noise: list[Distance | None] = []
    for bucket, match in enumerate(matches):
        varied = _varied(rp, bucket, num_images, _chance(context, 2, bucket))
        blocks.append(None if varied is None else _distance(features(maker(varied)), ours))
        strength = match.strength
        noise.append(
            None
            if strength is None
            else _distance(features(_noisy_images(noisy, bucket, strength, num_images, context)), theirs)
        )
    return NoiseQuality(num_images, context.data is not None, own_blocks, own_noise, tuple(blocks), tuple(noise))


def _varied(rp: PathModel, bucket: int, num_images: int, chance: torch.Generator) -> Tensor | None:
    """Random paths, each with another block in one bucket; None for a bucket of one block."""
    num_blocks = rp.paths.num_blocks[bucket]
    if num_blocks < 2:
        return None
    paths = rp.paths.sample(num_images, generator=chance)
    choices = draw_blocks(num_blocks, num_images, 2, chance)
    other = torch.where(choices[:, :1] == paths[:, bucket : bucket + 1], choices[:, 1:], choices[:, :1])
    return vary_bucket(paths, bucket, other)[:, 0]


def _noisy_images(noisy: NoisyMaker, bucket: int, strength: float, num_images: int, context: AnalysisContext) -> Tensor:
    """Images of different latents under twelve noises, in the order of the noises: uint8 `(num_images, C, H, W)`."""
    z = noisy.latents(num_images, draw_seed(context.seed, 4, bucket))
    made = []
    for index, part in enumerate(torch.tensor_split(z, NUM_NOISES)):
        if len(part):
            made.append(noisy.noisy(bucket, strength, part, [draw_seed(context.seed, 5, bucket, index)])[:, 0])
    return torch.cat(made)


def _distance(features: Tensor, reference: FeatureStatistics) -> Distance:
    value = frechet_distance(feature_statistics(features), reference)
    parts = torch.tensor_split(features, NUM_PARTS)
    if min(map(len, parts)) <= features.shape[1]:
        return Distance(value, None)
    values = torch.tensor([frechet_distance(feature_statistics(part), reference) for part in parts])
    return Distance(value, float(values.std(correction=1)) / math.sqrt(NUM_PARTS))


def _chance(context: AnalysisContext, *purpose: int) -> torch.Generator:
    return torch.Generator().manual_seed(draw_seed(context.seed, 6, *purpose))
