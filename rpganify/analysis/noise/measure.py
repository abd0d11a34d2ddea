"""Measures noise on a standard generator's weights against other blocks of its converted twin, bucket by bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.distances import ColourDistance, FeatureDistance, PairDistance
from rpganify.analysis.diversity.measure import BucketDistances, mean_of_pairs, measure_diversity
from rpganify.analysis.generation import ImageMaker
from rpganify.analysis.noise.weights import NoisyMaker
from rpganify.analysis.quality.measure import draw_seed

LOW, HIGH = 0.1, 0.5
NUM_LATENTS = 12
NUM_NOISES = 8
MAX_STRENGTH = 64.0
NUM_HALVINGS = 7  # of a factor of two: the strength is found to 0.6 %


@dataclass(frozen=True, slots=True)
class NoiseLevel:
    """How far apart images of one latent lie under noise of one strength, by bucket.

    Args:
        strength: standard deviation of the noise, of each tensor's own.
        means: mean distance of all pairs of noises, float64 `(num_latents, num_buckets, parts of all distances)`.
    """

    strength: float
    means: Tensor


@dataclass(frozen=True, slots=True)
class Match:
    """The strength of noise that changes images as much as other blocks of the bucket do.

    Args:
        strength: None where the bucket changes nothing, or no strength up to 64 does as much.
        wanted: mean distance of images that differ in the bucket's block.
        found: mean distance under noise of that strength, measured again on other latents and noises; None without one.
    """

    strength: float | None
    wanted: float
    found: float | None


@dataclass(frozen=True, slots=True)
class NoiseDistances:
    """All distances.

    Args:
        blocks: of images that differ in one bucket's block.
        levels: of noise, weak and strong.
        matches: per bucket, by the distance `matched`.
        matched: index of the distance that strengths are matched by.
    """

    blocks: BucketDistances
    levels: tuple[NoiseLevel, ...]
    matches: tuple[Match, ...]
    matched: int

    @property
    def distance(self) -> PairDistance:
        """What strengths are matched by."""
        return self.blocks.distances[self.matched]


def choose_distances(context: AnalysisContext, num_channels: int) -> tuple[tuple[PairDistance, ...], int]:
    """The context's distances, or colour and the extractor's semantics; and which of them strengths are matched by."""
    if context.distances:
        return context.distances, 0
    colour = ColourDistance(num_channels)
    return ((colour,), 0) if context.extractor is None else ((colour, FeatureDistance(context.extractor)), 1)


def measure_noise_distances(
    rp: PathModel,
    maker: ImageMaker,
    noisy: NoisyMaker,
    context: AnalysisContext,
    strengths: Sequence[float] = (LOW, HIGH),
) -> NoiseDistances:
    """Distances of both models, and the strengths of noise at which they are equal.

    Args:
        rp: the converted model, in eval mode.
        maker: makes its images.
        noisy: makes the standard generator's.
        context: seed, number of paths, distances.
        strengths: of the noise.
    """
    distances, matched = choose_distances(context, rp.image_shape[0])
    blocks = measure_diversity(rp, maker, context, distances)
    num_buckets = rp.paths.num_buckets
    total, done = num_buckets * (len(strengths) + 1), 0

    def tell() -> None:
        nonlocal done
        done += 1
        context.progress("noise", done, total)

    levels = []
    z = noisy.latents(NUM_LATENTS, draw_seed(context.seed, 0))
    for strength in strengths:
        means = []
        for bucket in range(num_buckets):
            means.append(spread(noisy, bucket, strength, z, _seeds(context, bucket, 0), distances))
            tell()
        levels.append(NoiseLevel(strength, torch.stack(means, dim=1)))
    matches = []
    for bucket in range(num_buckets):
        wanted = float(blocks.means[:, bucket, blocks.main_part(distances[matched])].mean())
        matches.append(match_strength(noisy, bucket, wanted, distances[matched], context))
        tell()
    return NoiseDistances(blocks, tuple(levels), tuple(matches), matched)


def spread(
    noisy: NoisyMaker,
    bucket: int,
    strength: float,
    z: Tensor,
    seeds: Sequence[int],
    distances: Sequence[PairDistance],
) -> Tensor:
    """Mean distance of all pairs of images of one latent under different noises: float64 `(len(z), parts)`."""
    images = noisy.noisy(bucket, strength, z, seeds)  # (P, K, C, H, W)
    parts = []
    for distance in distances:
        described = distance.describe(images.flatten(0, 1))
        pairs = distance.pairs(described.reshape(len(z), len(seeds), *described.shape[1:])).double().cpu()
        parts.append(mean_of_pairs(pairs))
    return torch.cat(parts, dim=-1)


def match_strength(
    noisy: NoisyMaker, bucket: int, wanted: float, distance: PairDistance, context: AnalysisContext
) -> Match:
    """The weakest noise that changes images by `wanted`, by bisection; all strengths share the same draws.

    Args:
        noisy: makes the images.
        bucket: whose weights get the noise.
        wanted: mean distance of all pairs.
        distance: that it is measured by.
        context: gives the seed.
    """
    if wanted <= 0:
        return Match(None, wanted, None)
    z, seeds = noisy.latents(NUM_LATENTS, draw_seed(context.seed, 0)), _seeds(context, bucket, 0)

    def found(strength: float) -> float:
        return float(spread(noisy, bucket, strength, z, seeds, [distance])[:, 0].mean())

    high = LOW
    while found(high) < wanted:
        high *= 2
        if high > MAX_STRENGTH:
            return Match(None, wanted, None)
    low = high / 2
    while low > LOW / 2**12 and found(low) >= wanted:
        high, low = low, low / 2
    for _ in range(NUM_HALVINGS):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if found(middle) < wanted else (low, middle)
    strength = (low * high) ** 0.5
    others = noisy.latents(NUM_LATENTS, draw_seed(context.seed, 1))
    again = spread(noisy, bucket, strength, others, _seeds(context, bucket, 1), [distance])
    return Match(strength, wanted, float(again[:, 0].mean()))


def _seeds(context: AnalysisContext, bucket: int, purpose: int) -> list[int]:
    return [draw_seed(context.seed, 2, purpose, bucket, index) for index in range(NUM_NOISES)]
