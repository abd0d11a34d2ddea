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
SAME, ALL = "same path twice", "all buckets varied"
BOUNDS = (SAME, ALL)


@dataclass(frozen=True, slots=True)
class BucketDistances:
    """How far apart images lie that differ in one bucket, for every path, bucket and distance.

    Args:
        paths: the random paths, int64 `(num_paths, num_buckets)`.
        num_images: images per path, for each bucket; fewer than four where it has fewer blocks.
        distances: what was measured, in the order of the last axis' groups.
        means: mean distance of all pairs `i ≠ j`, float64 `(num_paths, num_buckets, parts of all distances)`;
            0 for a bucket of one block.
        bounds: what the buckets' distances lie between, `(num_paths, 2, parts of all distances)`: of two images of the
            same path, and of as many images as above that differ in every bucket.
    """

    paths: Tensor
    num_images: tuple[int, ...]
    distances: tuple[PairDistance, ...]
    means: Tensor
    bounds: Tensor

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
        ratios = self._relative(self.means)
        ratios[:, torch.tensor(self.num_images) < 2] = torch.nan
        return ratios

    @property
    def bound_ratios(self) -> Tensor:
        """`bounds` over the mean distance of bucket 1, NaN where that is 0."""
        return self._relative(self.bounds)

    def _relative(self, means: Tensor) -> Tensor:
        first = self.means[:, :1]
        return torch.where(first > 0, means / first, torch.nan)


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
    free = draw_free_paths(rp.paths.num_blocks, context.num_paths, num_images, chance)
    num_parts = sum(len(distance.parts) for distance in distances)
    means = torch.zeros(context.num_paths, rp.paths.num_buckets, num_parts, dtype=torch.float64)
    bounds = torch.zeros(context.num_paths, len(BOUNDS), num_parts, dtype=torch.float64)
    sizes = [chosen.shape[1] for chosen in blocks]
    compared = [bucket for bucket, size in enumerate(sizes) if size > 1]
    # All buckets of a path go together: their images share all blocks but one, which routing runs as larger groups.
    step = max(1, maker.batch_size // (sum(sizes[bucket] for bucket in compared) + num_images + 1))
    for start in range(0, context.num_paths, step):
        part = slice(start, start + step)
        groups = [vary_bucket(paths[part], bucket, blocks[bucket][part]) for bucket in compared]  # each (P, k, n)
        groups += [free[part], paths[part, None]]
        images = maker(torch.cat([codes.flatten(0, 1) for codes in groups]))
        # The second image of a path is made in another batch, at another place: what rounding does shows as well.
        again = maker(paths[part].flip(0)).flip(0)
        *found, one = (
            chunk.reshape(*codes.shape[:2], *images.shape[1:])
            for chunk, codes in zip(torch.split(images, [len(g) * g.shape[1] for g in groups]), groups, strict=True)
        )
        measured = _mean_distances(distances, [*found, torch.stack([one[:, 0], again], dim=1)])
        for bucket, of_bucket in zip(compared, measured, strict=False):
            means[part, bucket] = of_bucket
        bounds[part, BOUNDS.index(ALL)], bounds[part, BOUNDS.index(SAME)] = measured[-2:]
        context.progress("diversity", min(start + step, context.num_paths), context.num_paths)
    return BucketDistances(paths, tuple(sizes), distances, means, bounds)


def images_per_path(num_blocks: tuple[int, ...], num_images: int = NUM_IMAGES) -> int:
    """How many images `measure_diversity` makes for each path."""
    return sum(min(m, num_images) for m in num_blocks if m > 1) + num_images + 2


def _mean_distances(distances: tuple[PairDistance, ...], groups: list[Tensor]) -> list[Tensor]:
    """Mean distance within each group, of groups of images `(P, k, C, H, W)` with a k each: `(P, parts)` for each."""
    # Described all at once: a network runs on batches that are worth its while.
    images = torch.cat([group.flatten(0, 1) for group in groups])
    described = [distance.describe(images) for distance in distances]
    means, position = [], 0
    for group in groups:
        here = slice(position, position + group.shape[0] * group.shape[1])
        position = here.stop
        pairs = [
            _pairs(distance, of_image[here].reshape(*group.shape[:2], *of_image.shape[1:]))
            for distance, of_image in zip(distances, described, strict=True)
        ]
        means.append(mean_of_pairs(torch.cat(pairs, dim=-1)))
    return means


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


def draw_free_paths(num_blocks: tuple[int, ...], num_paths: int, num_images: int, generator: torch.Generator) -> Tensor:
    """Groups of paths that differ from each other in every bucket: int64 `(num_paths, num_images, num_buckets)`.

    Where a bucket has fewer blocks than that, the rest of them are drawn at random.
    """
    columns = []
    for m in num_blocks:
        distinct = draw_blocks(m, num_paths, num_images, generator)
        rest = torch.randint(m, (num_paths, num_images - distinct.shape[1]), generator=generator)
        columns.append(torch.cat([distinct, rest], dim=1))
    return torch.stack(columns, dim=2)
