"""Paths to train a block predictor on, and others to test it on."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from rpganify.paths import PathSpace

# Of a small path space, at most every fifth path is kept from training.
_SHARE = 5
# Up to here all paths can be put into a random order; beyond, two draws are hardly ever equal.
_COUNTABLE = 2**20


def hold_out(space: PathSpace, num_paths: int, generator: torch.Generator) -> Tensor:
    """Different random paths that training is not to see: int64 `(N, num_buckets)`, N at most `num_paths`.

    Args:
        space: of the model.
        num_paths: how many are wanted; no more than a fifth of all paths are given.
        generator: draws them.
    Returns:
        None of them, `(0, num_buckets)`, where only one bucket has more than one block: what a block does there can only be
        learned from that block's path.
    """
    num_varied = sum(blocks > 1 for blocks in space.num_blocks)
    wanted = min(num_paths, space.cardinality // _SHARE) if num_varied > 1 else 0
    if space.cardinality <= _COUNTABLE:
        numbers = torch.randperm(space.cardinality, generator=generator)[:wanted]
        return torch.stack(torch.unravel_index(numbers, space.num_blocks), dim=1)
    paths: Tensor = space.sample(wanted, generator=generator).unique(dim=0)
    return paths


@dataclass(frozen=True, slots=True)
class DrawnPaths:
    """Random paths that are none of some.

    Args:
        space: of the model.
        generator: draws them.
        left_out: never drawn, int64 `(N, num_buckets)`; not all there are.
    """

    space: PathSpace
    generator: torch.Generator
    left_out: Tensor
    _known: set[tuple[int, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_known", {tuple(path) for path in self.left_out.tolist()})

    def draw(self, num_paths: int) -> Tensor:
        """`num_paths` paths, int64 `(num_paths, num_buckets)`."""
        paths = self.space.sample(num_paths, generator=self.generator)
        if not self._known:
            return paths
        while rejected := [i for i, path in enumerate(paths.tolist()) if tuple(path) in self._known]:
            paths[rejected] = self.space.sample(len(rejected), generator=self.generator)
        return paths
