"""Paths of a grown model by age: through old blocks only, or through at least one new block."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rpganify.errors import PathError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.restack import old_blocks


def sample_old_paths(model: RandomPathGenerator, num_paths: int, generator: torch.Generator | None = None) -> Tensor:
    """Independent uniform paths through old blocks only: those of the model before it grew.

    Returns:
        int64 `(num_paths, num_buckets)`, on the CPU; the same that the model before would have drawn.
    Raises:
        PathError: the model has no new blocks, or a bucket no old ones any more.
    """
    columns = [torch.randint(m, (num_paths,), generator=generator) for m in _old(model)]
    return torch.stack(columns, dim=1)


def sample_new_paths(model: RandomPathGenerator, num_paths: int, generator: torch.Generator | None = None) -> Tensor:
    """Independent uniform paths through at least one new block: those that the model did not have before it grew.

    Returns:
        int64 `(num_paths, num_buckets)`, on the CPU.
    Raises:
        PathError: the model has no new blocks.
    """
    old, num_blocks = _old(model), model.plan.num_blocks
    # Which bucket is the first on the path with a new block; before it old blocks only, behind it any.
    shares = [
        math.prod(old[:bucket]) * (num_blocks[bucket] - old[bucket]) * math.prod(num_blocks[bucket + 1 :])
        for bucket in range(len(old))
    ]
    weights = torch.tensor([share / sum(shares) for share in shares], dtype=torch.float64)
    first = torch.multinomial(weights, num_paths, replacement=True, generator=generator) if num_paths else None
    columns = []
    for bucket, (o, m) in enumerate(zip(old, num_blocks, strict=True)):
        any_block = torch.randint(m, (num_paths,), generator=generator)
        if first is None:
            columns.append(any_block)
            continue
        old_block = torch.randint(max(o, 1), (num_paths,), generator=generator)
        new_block = o + torch.randint(max(m - o, 1), (num_paths,), generator=generator)
        columns.append(torch.where(first < bucket, any_block, torch.where(first == bucket, new_block, old_block)))
    return torch.stack(columns, dim=1)


def is_new(model: RandomPathGenerator, paths: Tensor) -> Tensor:
    """Whether each path goes through a new block: bool `(N,)` for paths `(N, num_buckets)`."""
    return (paths >= torch.tensor(_old(model), device=paths.device)).any(dim=1)


def _old(model: RandomPathGenerator) -> tuple[int, ...]:
    old = old_blocks(model)
    if old is None:
        raise PathError(
            "This model has no new blocks, so its paths are all of one age. `rpganify grow MODEL --add …` adds blocks."
        )
    return old
