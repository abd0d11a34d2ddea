"""How a batch meets its blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.errors import PathError


@dataclass(frozen=True, slots=True)
class Route:
    """The samples of a batch, grouped by their block of one bucket.

    Args:
        num_blocks: blocks of the bucket.
        present: the blocks that occur in the batch, ascending.
        counts: samples of each present block.
        order: `(N,)` sample indices sorted by block; None if one block takes all samples.
        inverse: `(N,)` the permutation that undoes `order`; None likewise.
    """

    num_blocks: int
    present: tuple[int, ...]
    counts: tuple[int, ...]
    order: Tensor | None
    inverse: Tensor | None

    @property
    def num_samples(self) -> int:
        """Samples in the batch."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class BatchAxis:
    """Where a tensor carries the batch.

    Args:
        axis: the dimension.
        factor: its entries per sample.
        is_inner: whether the samples count fastest, `(factor, N)` flattened, instead of `(N, factor)`.
    """

    axis: int = 0
    factor: int = 1
    is_inner: bool = False


SAMPLES_FIRST = BatchAxis()


def route_samples(paths: Tensor, bucket: int, num_blocks: int, device: torch.device) -> Route:
    """Groups the samples of a batch by their block of one bucket.

    Args:
        paths: int64 `(N, num_buckets)`; on the CPU, so that no device has to be waited for.
        bucket: column of the paths.
        num_blocks: blocks of that bucket.
        device: where the samples are.
    Raises:
        PathError: a block that the bucket does not have.
    """
    blocks = paths[:, bucket]
    counts = torch.bincount(blocks, minlength=num_blocks).tolist() if len(blocks) else [0] * num_blocks
    if len(counts) > num_blocks:
        raise PathError(f"Bucket {bucket + 1} has blocks 0 to {num_blocks - 1}; there is no block {int(blocks.max())}.")
    present = tuple(block for block, count in enumerate(counts) if count)
    if len(present) <= 1:
        return Route(num_blocks, present or (0,), (len(blocks),), None, None)
    order = torch.argsort(blocks, stable=True)
    inverse = torch.empty_like(order)
    inverse[order] = torch.arange(len(order))
    used = tuple(counts[block] for block in present)
    return Route(num_blocks, present, used, order.to(device, non_blocking=True), inverse.to(device, non_blocking=True))


def by_block(
    route: Route,
    x: Tensor,
    call: Callable[[Tensor, int], Tensor],
    batch: BatchAxis = SAMPLES_FIRST,
    result: BatchAxis = SAMPLES_FIRST,
) -> Tensor:
    """Runs `call(samples, position)` once per block present and puts the results back in sample order.

    Args:
        route: the grouping; `position` counts its present blocks.
        x: the batch, `(N, ...)` or as `batch` says.
        call: maps the samples of one block to their results.
        batch, result: where `x` and the result carry the batch.
    """
    if route.order is None:
        return call(x, 0)
    return join([call(part, position) for position, part in enumerate(split(x, batch, route))], result, route)


def split(tensor: Tensor, where: BatchAxis, route: Route) -> list[Tensor]:
    """The samples of each block present."""
    if route.order is None:
        return [tensor]
    if where.factor == 1:
        return list(tensor.index_select(where.axis, route.order).split(route.counts, where.axis))
    apart, axis = _apart(tensor, where, route.num_samples)
    parts = apart.index_select(axis, route.order).split(route.counts, axis)
    return [part.flatten(where.axis, where.axis + 1) for part in parts]


def join(parts: Sequence[Tensor], where: BatchAxis, route: Route) -> Tensor:
    """Undoes `split`."""
    if route.inverse is None:
        return parts[0]
    if where.factor == 1:
        return torch.cat(list(parts), where.axis).index_select(where.axis, route.inverse)
    apart = [_apart(part, where, count) for part, count in zip(parts, route.counts, strict=True)]
    axis = apart[0][1]
    whole = torch.cat([part for part, _ in apart], axis).index_select(axis, route.inverse)
    return whole.flatten(where.axis, where.axis + 1)


def _apart(tensor: Tensor, where: BatchAxis, num_samples: int) -> tuple[Tensor, int]:
    """The tensor with an axis for the samples alone, and that axis."""
    sizes = (where.factor, num_samples) if where.is_inner else (num_samples, where.factor)
    return tensor.unflatten(where.axis, sizes), where.axis + where.is_inner


def rows_of(stack: Tensor, route: Route) -> list[Tensor]:
    """One block's tensor for each block present: views of `stack` `(num_blocks, ...)`.

    One unbind, so that backward writes all blocks' gradients at once instead of one dense zero tensor per block.
    """
    if len(route.present) == 1:
        return [stack[route.present[0]]]
    rows = stack.unbind(0)
    return [rows[block] for block in route.present]


def gather_samples(route: Route, values: Sequence[Tensor]) -> Tensor:
    """One value per block present -> one per sample: `(1, ...)` each -> `(N, ...)`."""
    parts = [value.expand(count, *value.shape[1:]) for value, count in zip(values, route.counts, strict=True)]
    if route.inverse is None:
        return parts[0]
    return torch.cat(parts).index_select(0, route.inverse)
