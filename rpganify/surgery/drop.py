"""Fewer blocks: those that are dropped are gone, those that stay keep their values and get new numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rpganify.errors import PathError, PlanError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.ordinary import make_ordinary
from rpganify.surgery.restack import history, old_blocks, restack


def drop_blocks(
    model: RandomPathGenerator, drop: Mapping[int, Sequence[int]], *, keeps_buckets: bool = True
) -> RandomPathGenerator:
    """A new model without some blocks. The others move up in order; `kept_blocks` tells from where.

    Args:
        model: not changed.
        drop: bucket index -> its blocks that go, in any order.
        keeps_buckets: whether a bucket that is left with one block stays one. Else its layers become ordinary ones, which
            all paths share, and paths are shorter; but one bucket always stays.
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
    singles = [bucket for bucket, kept in enumerate(rows) if len(kept) == 1 and model.plan.num_blocks[bucket] > 1]
    ordinary = [] if keeps_buckets else singles if len(singles) < len(rows) else singles[1:]
    record = {
        "operation": "prune",
        "buckets": [spec.name for spec in model.plan.buckets],
        "num_blocks": list(model.plan.num_blocks),
        "kept": rows,
        "ordinary": ordinary,
    }
    made = restack(model, rows, record, num_old_blocks=still_old)
    return make_ordinary(made, ordinary) if ordinary else made


def kept_blocks(model: RandomPathGenerator) -> list[list[int]]:
    """Of a model that was pruned: for each bucket of the model before, which of its blocks are block 0, 1, … now.

    Raises:
        PathError: the last thing that was done to the model is no pruning.
    """
    return [[int(block) for block in kept] for kept in _last_pruning(model)["kept"]]


def ordinary_buckets(model: RandomPathGenerator) -> list[int]:
    """Of a model that was pruned: the buckets of the model before that are ordinary layers now, without a column.

    Raises:
        PathError: as of `kept_blocks`.
    """
    return [int(bucket) for bucket in _last_pruning(model)["ordinary"]]


def paths_before(model: RandomPathGenerator, paths: Tensor) -> Tensor:
    """The numbers that a pruned model's paths had before: int64 `(N, num_buckets before)` for theirs.

    Raises:
        PathError: no such paths, or as `kept_blocks`.
    """
    kept, gone = kept_blocks(model), ordinary_buckets(model)
    given = iter(model.paths.check(paths).cpu().unbind(1))
    alone = torch.zeros(len(paths), dtype=torch.int64)
    columns = [torch.tensor(rows)[alone if bucket in gone else next(given)] for bucket, rows in enumerate(kept)]
    return torch.stack(columns, dim=1)


def paths_after(model: RandomPathGenerator, paths: Tensor) -> Tensor:
    """The numbers that paths of the model before have in the pruned one: int64 `(N, num_buckets)`.

    Args:
        paths: of the model before, `(N, num_buckets before)`.
    Raises:
        PathError: a path has another length or goes through a block that was dropped, or as `kept_blocks`.
    """
    kept, gone = kept_blocks(model), ordinary_buckets(model)
    if paths.dim() != 2 or paths.shape[1] != len(kept):
        raise PathError(
            f"The model before had {len(kept)} buckets, so its paths are (N, {len(kept)}); got {tuple(paths.shape)}."
        )
    columns, names = [], _last_pruning(model)["buckets"]
    for bucket, (rows, column) in enumerate(zip(kept, paths.unbind(1), strict=True)):
        number = {block: place for place, block in enumerate(rows)}
        if lost := [int(block) for block in column if int(block) not in number]:
            raise PathError(
                f"Block {lost[0]} of bucket {bucket + 1} ({names[bucket]}) was dropped, so a path through it has no number any "
                "more. Take paths through blocks that were kept."
            )
        if bucket not in gone:
            columns.append(torch.tensor([number[int(block)] for block in column], dtype=torch.int64))
    return torch.stack(columns, dim=1)


def _last_pruning(model: RandomPathGenerator) -> dict[str, Any]:
    done = history(model)
    if not done or done[-1].get("operation") != "prune":
        raise PathError(
            "Pruning was not the last thing that was done to this model, so its blocks have no earlier numbers."
        )
    return done[-1]
