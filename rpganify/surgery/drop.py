"""Fewer blocks: those that are dropped are gone, those that stay keep their values and get new numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rpganify.errors import PathError, PlanError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.restack import history, old_blocks, restack


def drop_blocks(model: RandomPathGenerator, drop: Mapping[int, Sequence[int]]) -> RandomPathGenerator:
    """A new model without some blocks. The others move up in order; `kept_blocks` tells from where.

    Args:
        model: not changed.
        drop: bucket index -> its blocks that go, in any order.
    Raises:
        PlanError: no such bucket, nothing to drop, or a bucket would be left without a block.
        PathError: no such block.
    """
    rows = []
    for bucket in drop:
        if not 0 <= bucket < model.plan.num_buckets:
            raise PlanError(
                f"There is no bucket {bucket + 1}: this model has buckets 1 to {model.plan.num_buckets}. Name one of them."
            )
    for index, spec in enumerate(model.plan.buckets):
        gone = set(drop.get(index, ()))
        if odd := sorted(gone - set(range(spec.num_blocks))):
            raise PathError(
                f"Bucket {index + 1} ({spec.name}) has blocks 0 to {spec.num_blocks - 1}; there is no block {odd[0]} "
                "to drop."
            )
        if len(gone) == spec.num_blocks:
            raise PlanError(
                f"Bucket {index + 1} ({spec.name}) would be left without a block: all {spec.num_blocks} are to be "
                "dropped, but every path goes through one. Keep at least one; a bucket of one block is an ordinary layer."
            )
        rows.append([block for block in range(spec.num_blocks) if block not in gone])
    if not any(drop.values()):
        raise PlanError("No block to drop was named, so the model would stay as it is. Name at least one.")
    old = old_blocks(model)
    still_old = None if old is None else [sum(r < o for r in kept) for kept, o in zip(rows, old, strict=True)]
    record = {"operation": "prune", "num_blocks": list(model.plan.num_blocks), "kept": rows}
    return restack(model, rows, record, num_old_blocks=still_old)


def kept_blocks(model: RandomPathGenerator) -> list[list[int]]:
    """Of a model that was pruned: for each bucket, which block of the model before is block 0, 1, … now.

    Raises:
        PathError: the last thing that was done to the model is no pruning.
    """
    done = history(model)
    if not done or done[-1].get("operation") != "prune":
        raise PathError(
            "Pruning was not the last thing that was done to this model, so its blocks have no earlier numbers."
        )
    return [[int(block) for block in kept] for kept in done[-1]["kept"]]


def paths_before(model: RandomPathGenerator, paths: Tensor) -> Tensor:
    """The numbers that a pruned model's paths had before: int64 `(N, num_buckets)` for the same.

    Raises:
        PathError: no such paths, or as `kept_blocks`.
    """
    kept, paths = kept_blocks(model), model.paths.check(paths)
    columns = [torch.tensor(rows)[column] for rows, column in zip(kept, paths.cpu().unbind(1), strict=True)]
    return torch.stack(columns, dim=1)


def paths_after(model: RandomPathGenerator, paths: Tensor) -> Tensor:
    """The numbers that paths of the model before have in the pruned one: int64 `(N, num_buckets)`.

    Raises:
        PathError: a path goes through a block that was dropped, or as `kept_blocks`.
    """
    columns = []
    for bucket, (rows, column) in enumerate(zip(kept_blocks(model), paths.unbind(1), strict=True)):
        number = {block: place for place, block in enumerate(rows)}
        if gone := [int(block) for block in column if int(block) not in number]:
            raise PathError(
                f"Block {gone[0]} of bucket {bucket + 1} ({model.plan.buckets[bucket].name}) was dropped, so a path through "
                "it has no number any more. Take paths through blocks that were kept."
            )
        columns.append(torch.tensor([number[int(block)] for block in column], dtype=torch.int64))
    return torch.stack(columns, dim=1)
