"""Measures how far apart images lie that differ in one bucket only: the numbers behind bucket diversity."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.distances import PairDistance
from rpganify.analysis.generation import ImageMaker
from rpganify.errors import AnalysisError

NUM_IMAGES = 4


@dataclass(frozen=True, slots=True)
class BucketDistances:
    """How far apart images lie that differ in one bucket, for every path, bucket and distance.

    Args:
        paths: the random paths, int64 `(num_paths, num_buckets)`.
        num_images: images per path, for each bucket; fewer than four where it has fewer blocks.
        distances: what was measured, in the order of the last axis' groups.
        means: mean distance of all pairs `i ≠ j`, float64 `(num_paths, num_buckets, parts of all distances)`;
            0 for a bucket of one block.
    """

    paths: Tensor
    num_images: tuple[int, ...]
    distances: tuple[PairDistance, ...]
    means: Tensor

    @property
    def parts(self) -> tuple[str, ...]:
        """What the last axis of `means` holds."""
        return tuple(part for distance in self.distances for part in distance.parts)

    def main_part(self, distance: PairDistance) -> int:
        """Where on the last axis of `means` a distance itself is, before those it is made of."""
        return self.parts.index(distance.parts[0])

    def is_relative(self, distance: PairDistance) -> bool:
        """Whether bucket 1 changes the images of any path, so that there is something to divide by."""
        return bool((self.means[:, 0, self.main_part(distance)] > 0).any())

    @property
    def ratios(self) -> Tensor:
        """`D(l→1)` of every path: `means` over those of bucket 1, NaN where that is 0 or the bucket has one block."""
        first = self.means[:, :1]
        ratios = torch.where(first > 0, self.means / first, torch.nan)
        ratios[:, torch.tensor(self.num_images) < 2] = torch.nan
        return ratios


def measure_diversity(
    rp: PathModel,
    maker: ImageMaker,
    context: AnalysisContext,
    distances: tuple[PairDistance, ...],
    num_images: int = NUM_IMAGES,
) -> BucketDistances:
    """Distances among images of `context.num_paths` random paths, one bucket varied at a time.

    Args:
        rp: the model, in eval mode.
        maker: makes its images.
        context: seed, number of paths, progress.
        distances: what is measured.
        num_images: images per path and bucket, of distinct blocks; all blocks of a bucket that has fewer.
    """
    chance = torch.Generator().manual_seed(context.seed)
    paths = rp.paths.sample(context.num_paths, generator=chance)
    blocks = [draw_blocks(m, context.num_paths, num_images, chance) for m in rp.paths.num_blocks]
    num_parts = sum(len(distance.parts) for distance in distances)
    means = torch.zeros(context.num_paths, rp.paths.num_buckets, num_parts, dtype=torch.float64)
    sizes = [chosen.shape[1] for chosen in blocks]
    compared = [bucket for bucket, size in enumerate(sizes) if size > 1]
    images_per_path = sum(sizes[bucket] for bucket in compared)
    # All buckets of a path go together: their images share all blocks but one, which routing runs as larger groups.
    step = max(1, maker.batch_size // max(1, images_per_path))
    for start in range(0, context.num_paths if compared else 0, step):
        part = slice(start, start + step)
        varied = [vary_bucket(paths[part], bucket, blocks[bucket][part]) for bucket in compared]  # each (P, k, n)
        images = maker(torch.cat([codes.flatten(0, 1) for codes in varied]))
        described = [distance.describe(images) for distance in distances]
        position = 0
        for bucket, codes in zip(compared, varied, strict=True):
            num_groups, size = codes.shape[:2]
            here = slice(position, position + num_groups * size)
            position = here.stop
            pairs = [
                _pairs(distance, of_image[here].reshape(num_groups, size, *of_image.shape[1:]))
                for distance, of_image in zip(distances, described, strict=True)
            ]
            means[part, bucket] = mean_of_pairs(torch.cat(pairs, dim=-1))
        done = min(start + step, context.num_paths)
        context.progress("diversity", done, context.num_paths)
    return BucketDistances(paths, tuple(sizes), distances, means)


def _pairs(distance: PairDistance, described: Tensor) -> Tensor:
    """Distances of all pairs of each group, float64 `(G, k, k, parts)`.

    Raises:
        AnalysisError: a plugin's distance gives another shape, or NaN or infinity.
    """
    pairs, (num_groups, size) = distance.pairs(described), described.shape[:2]
    expected = (num_groups, size, size, len(distance.parts))
    if tuple(pairs.shape) != expected or not pairs.isfinite().all():
        found = f"shape {tuple(pairs.shape)}" if tuple(pairs.shape) != expected else "values that are NaN or infinite"
        raise AnalysisError(
            f"The image distance {distance.title!r} gave {found}, where finite distances of shape {expected} (groups, "
            "images, images, parts) are due. Correct the plugin, or leave it out of --distance."
        )
    return pairs.double().cpu()


def vary_bucket(paths: Tensor, bucket: int, blocks: Tensor) -> Tensor:
    """Each path with one bucket's block replaced by k others.

    Args:
        paths: `(P, num_buckets)`.
        bucket: its index.
        blocks: `(P, k)`.
    Returns:
        int64 `(P, k, num_buckets)`.
    """
    varied = paths[:, None].repeat(1, blocks.shape[1], 1)
    varied[:, :, bucket] = blocks
    return varied


def mean_of_pairs(distances: Tensor) -> Tensor:
    """Mean over all ordered pairs `i ≠ j` of k images: `(P, k, k, parts)` to `(P, parts)`."""
    # Left out, not only divided out: a distance of an image to itself may be a rounding error above 0.
    others = ~torch.eye(distances.shape[1], dtype=torch.bool)
    return distances[:, others].mean(dim=1)


def draw_blocks(num_blocks: int, num_paths: int, num_images: int, generator: torch.Generator) -> Tensor:
    """For each path, distinct random blocks of a bucket: int64 `(num_paths, min(num_images, num_blocks))`."""
    order = torch.rand(num_paths, num_blocks, generator=generator).argsort(dim=1)
    return order[:, :num_images]
