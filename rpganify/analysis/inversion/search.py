"""Coordinate search over blocks: the path whose image is nearest to a given one, bucket after bucket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.distances import PairDistance
from rpganify.analysis.generation import ImageMaker
from rpganify.paths import PathSpace

# Candidates that are described at once; features of some networks are large.
_AT_ONCE = 512
BEAM = 8
MAX_ROUNDS = 12

Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Where a search ended.

    Args:
        paths: the best path of each image, int64 `(T, num_buckets)`.
        distances: of its image to the wanted one, float64 `(T,)`.
        num_images: that were made on the way.
    """

    paths: Tensor
    distances: Tensor
    num_images: int


class ImageTargets:
    """Images that paths are sought for, and their distances to images of paths.

    Args:
        maker: makes images of paths.
        images: wanted, uint8 `(T, C, H, W)`.
        distance: between two images; the first of its parts counts.
    """

    def __init__(self, maker: ImageMaker, images: Tensor, distance: PairDistance) -> None:
        self._maker = maker
        self._distance = distance
        self._described = distance.describe(images)
        self.num_images = 0

    def __len__(self) -> int:
        return len(self._described)

    def distances(self, targets: Tensor, paths: Tensor) -> Tensor:
        """Distance of each path's image to one target: float64 `(N,)`.

        Args:
            targets: which, int64 `(N,)`.
            paths: int64 `(N, num_buckets)`.
        """
        parts = []
        for chosen, some in zip(targets.split(_AT_ONCE), paths.split(_AT_ONCE), strict=True):
            described = self._distance.describe(self._maker(some))
            both = torch.stack([self._described[chosen], described], dim=1)  # (n, 2, …)
            parts.append(self._distance.pairs(both)[:, 0, 1, 0].double().cpu())
        self.num_images += len(paths)
        return torch.cat(parts) if parts else torch.empty(0, dtype=torch.float64)


def search_blocks(
    targets: ImageTargets,
    space: PathSpace,
    starts: Tensor,
    *,
    beam: int = BEAM,
    max_rounds: int = MAX_ROUNDS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Found:
    """A near path for each image: coordinate search with a beam.

    Bucket after bucket, all its blocks are tried in each path of an image's beam, and the `beam` nearest paths seen there
    are kept; until a whole round over the buckets changes no beam. One path alone gets stuck where two buckets have to
    change together: the second best block of one is often the right one.

    Args:
        targets: the wanted images.
        space: of the model.
        starts: first beams, int64 `(T, S, num_buckets)`, S >= 1.
        beam: paths that are kept per image; 1 is plain coordinate search.
        max_rounds: over all buckets, after which the search stops anyway.
        progress: told how many images are done, and how many there are.
    Returns:
        Paths whose images are never farther than those of any start.
    Source:
        Ours. With a beam of 1 it is Besag's iterated conditional modes (1986), on the blocks of a path.
    """
    beams = [_Beam(space, start) for start in starts]
    # The last buckets come first: what they do is seen most directly, and the others are judged better once it is right.
    varied = [bucket for bucket, blocks in reversed(list(enumerate(space.num_blocks))) if blocks > 1]
    _judge(targets, beams, [start.tolist() for start in starts], beam)
    active = list(range(len(beams)))
    for _ in range(max_rounds):
        before = [beams[index].paths for index in active]
        for bucket in varied:
            _judge(targets, beams, [one.neighbours(bucket) if i in active else [] for i, one in enumerate(beams)], beam)
        active = [index for index, paths in zip(active, before, strict=True) if beams[index].paths != paths]
        progress(len(beams) - len(active), len(beams))
        if not active:
            break
    progress(len(beams), len(beams))
    best = [one.paths[0] for one in beams]
    nearest = [one.known[path] for one, path in zip(beams, best, strict=True)]
    return Found(torch.tensor(best), torch.tensor(nearest, dtype=torch.float64), targets.num_images)


class _Beam:
    """The nearest paths to one image, and the distances of all that were tried."""

    def __init__(self, space: PathSpace, start: Tensor) -> None:
        self.space = space
        self.paths: list[Path] = []
        self.known: dict[Path, float] = {}

    def neighbours(self, bucket: int) -> list[Path]:
        """The beam's paths with every block of a bucket, those already tried among them."""
        return [
            (*path[:bucket], block, *path[bucket + 1 :])
            for path in self.paths
            for block in range(self.space.num_blocks[bucket])
        ]


def _judge(targets: ImageTargets, beams: Sequence[_Beam], tried: Sequence[Sequence[Sequence[int]]], width: int) -> None:
    """Measures what was not measured before, and keeps each beam's nearest paths among what was tried."""
    candidates = [list(dict.fromkeys(tuple(path) for path in paths)) for paths in tried]
    fresh = [
        (owner, path) for owner, paths in enumerate(candidates) for path in paths if path not in beams[owner].known
    ]
    if fresh:
        owners, paths = torch.tensor([owner for owner, _ in fresh]), torch.tensor([path for _, path in fresh])
        for (owner, path), distance in zip(fresh, targets.distances(owners, paths).tolist(), strict=True):
            beams[owner].known[path] = distance
    for one, found in zip(beams, candidates, strict=True):
        if found:
            one.paths = sorted(found, key=lambda path: (one.known[path], path))[:width]
