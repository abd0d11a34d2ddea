"""Which blocks are multiplied with which: random ones, named ones, or those that paths in use go through most often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from rpganify.errors import PlanError
from rpganify.paths import PathSpace


def random_products(space: PathSpace, count: int, seed: int) -> Tensor:
    """Different random choices of one block of each bucket, int64 `(count, num_buckets)`.

    Args:
        space: of the buckets that are merged.
        count: how many.
        seed: of the choice.
    Raises:
        PlanError: there are not so many.
    """
    if not 1 <= count <= space.cardinality:
        raise PlanError(
            f"There are {space.cardinality:,} different products of one block of each bucket, so {count} cannot be made. Ask "
            f"for 1 to {space.cardinality:,}."
        )
    draws = torch.Generator().manual_seed(seed)
    if count * 2 > space.cardinality:
        numbers = torch.randperm(space.cardinality, generator=draws)[:count]
        return torch.stack(torch.unravel_index(numbers, space.num_blocks), dim=1)
    found: dict[tuple[int, ...], None] = {}
    while len(found) < count:
        found.update(dict.fromkeys(tuple(row) for row in space.sample(count, generator=draws).tolist()))
    return torch.tensor(list(found)[:count])


def named_products(space: PathSpace, products: Tensor | Sequence[Sequence[int]]) -> Tensor:
    """Choices as they are given, checked: int64 `(num_products, num_buckets)`.

    Raises:
        PathError: no such blocks, or not one of each bucket.
        PlanError: none is given.
    """
    given = torch.as_tensor(products)
    chosen = space.check(given if given.dim() == 2 else given[None]).cpu()
    if not len(chosen):
        raise PlanError("No product was named, and a bucket needs a block. Name at least one: products=[[3, 17, 0]].")
    return chosen


def most_used_products(space: PathSpace, used: Tensor, count: int | None, seed: int) -> Tensor:
    """The choices that occur most often, the most frequent first: int64 `(count, num_buckets)`.

    Args:
        space: of the buckets that are merged.
        used: the blocks that each path in use takes there, `(num_paths, num_buckets)`.
        count: how many; None takes all that occur.
        seed: decides between those that occur equally often.
    Raises:
        PathError: no such blocks.
        PlanError: there is no path, or fewer different choices occur.
    """
    counts = Counter(tuple(row) for row in space.check(used).tolist())
    if not counts:
        raise PlanError("There is no path in use, so no product is used more than another. Give at least one path.")
    count = len(counts) if count is None else count
    if not 1 <= count <= len(counts):
        names = ", ".join(space.bucket_names)
        raise PlanError(
            f"The {len(used):,} paths in use go through {len(counts):,} different choices of blocks of {names}, so {count:,} "
            f"products of used ones cannot be made. Ask for 1 to {len(counts):,}, or give more paths."
        )
    distinct = sorted(counts)
    order = torch.randperm(len(distinct), generator=torch.Generator().manual_seed(seed)).tolist()
    ranked = sorted((distinct[index] for index in order), key=lambda row: -counts[row])  # stable: ties stay shuffled
    return torch.tensor(ranked[:count])
