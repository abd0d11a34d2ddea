"""Paths whose images look most like one path's image, under an image distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.distances import PairDistance
from rpganify.analysis.generation import ImageMaker
from rpganify.errors import AnalysisError

_CHUNK = 256  # descriptions of so many images are held at once


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest of the paths that were searched.

    Args:
        paths: nearest first, int64 `(n, num_buckets)`.
        distances: of their images from the path's own, float64 `(n,)`, ascending.
        num_searched: how many other paths were looked at.
    """

    paths: Tensor
    distances: Tensor
    num_searched: int


def nearest_paths(
    maker: ImageMaker,
    path: Tensor,
    distance: PairDistance,
    num_searched: int,
    num_kept: int,
    generator: torch.Generator | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Neighbours:
    """Among random paths, no two of them equal, those whose images are nearest to one path's.

    Args:
        maker: makes the images; its model is in eval mode.
        path: `(num_buckets,)`; it is none of its own neighbours.
        distance: of images; of one made of several, the first counts.
        num_searched: how many random paths are looked at; all others, where there are not more.
        num_kept: how many of them are kept, at most.
        generator: of the paths, on the CPU.
        progress: told how many were looked at so far, of how many.
    Raises:
        AnalysisError: there is no other path, or none is asked for.
    """
    space = maker.model.paths
    if num_searched < 1 or num_kept < 1:
        raise AnalysisError(f"{num_kept} neighbours among {num_searched} paths are none; both count from 1.")
    if space.cardinality < 2:
        raise AnalysisError("This model has a single path, so it has no neighbours. More blocks per bucket make more.")
    drawn = space.sample_distinct(min(num_searched + 1, space.cardinality), generator=generator)
    others = drawn[(drawn != path).any(dim=1)][:num_searched]
    own = distance.describe(maker(path[None]))
    found = []
    for start in range(0, len(others), _CHUNK):
        described = distance.describe(maker(others[start : start + _CHUNK]))  # (c, …)
        pairs = torch.stack([own.expand_as(described), described], dim=1)  # (c, 2, …)
        found.append(distance.pairs(pairs)[:, 0, 1, 0].double().cpu())
        progress(min(start + _CHUNK, len(others)), len(others))
    distances, order = torch.cat(found).sort(stable=True)
    return Neighbours(others[order[:num_kept]], distances[:num_kept], len(others))
