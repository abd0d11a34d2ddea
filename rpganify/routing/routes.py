"""Which samples of a batch meet which block, and in what order they lie.

A batch is sorted by the blocks of a bucket before that bucket's layers, so that each block's samples are one slice.
What treats every sample by itself, or all of them alike, may run in any order: so the samples stay sorted until another
bucket, or an operation that knows them by their place, needs another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from rpganify.errors import PathError
from rpganify.routing.layout import row_of, unbound


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """The samples of a batch, grouped by their block of one bucket.

    Args:
        num_blocks: blocks of the bucket.
        present: the blocks that occur in the batch, ascending.
        counts: samples of each present block.
        order: `(N,)` sample indices sorted by block, on the CPU; None if the samples lie so already.
        inverse: `(N,)` the permutation that undoes `order`; None likewise.
        rows: what `rows_of` has taken apart in this pass; shared by the routes made of one another.
        among: the blocks that the rows are of: `present`, or that of the route which this is a part of.
        lays_out: whether pictures may be laid out in memory as suits their convolutions.
    """

    num_blocks: int
    present: tuple[int, ...]
    counts: tuple[int, ...]
    order: Tensor | None
    inverse: Tensor | None
    rows: dict[tuple[int, bool], tuple[Tensor, dict[int, Tensor]]] = field(default_factory=dict)
    among: tuple[int, ...] = ()
    lays_out: bool = True

    @property
    def num_samples(self) -> int:
        """Samples in the batch."""
        return sum(self.counts)

    @property
    def is_even(self) -> bool:
        """Whether every block of the bucket has equally many samples."""
        return len(self.present) == self.num_blocks and len(set(self.counts)) == 1

    def to(self, device: torch.device) -> Route:
        """The same with its indices on a device."""
        if self.order is None or self.inverse is None or self.order.device == device:
            return self
        order, inverse = (index.to(device, non_blocking=True) for index in (self.order, self.inverse))
        return replace(self, order=order, inverse=inverse)


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


def route_samples(paths: Tensor, bucket: int, num_blocks: int) -> Route:
    """Groups the samples of a batch by their block of one bucket.

    Args:
        paths: int64 `(N, num_buckets)`; on the CPU, so that no device has to be waited for.
        bucket: column of the paths.
        num_blocks: blocks of that bucket.
    Raises:
        PathError: a block that the bucket does not have.
    """
    blocks = paths[:, bucket].cpu()
    counts = torch.bincount(blocks, minlength=num_blocks).tolist() if len(blocks) else [0] * num_blocks
    if len(counts) > num_blocks:
        raise PathError(f"Bucket {bucket + 1} has blocks 0 to {num_blocks - 1}; there is no block {int(blocks.max())}.")
    present = tuple(block for block, count in enumerate(counts) if count)
    if len(present) <= 1:
        return Route(num_blocks, present or (0,), (len(blocks),), None, None)
    order = torch.argsort(blocks, stable=True)
    inverse = torch.empty_like(order)
    inverse[order] = torch.arange(len(order))
    return Route(num_blocks, present, tuple(counts[block] for block in present), order, inverse)


def in_order(route: Route) -> Route:
    """The same route for a batch that is sorted by block."""
    return replace(route, order=None, inverse=None)


def one_each(route: Route) -> Route:
    """A batch of one sample per block present, in order: what all samples of a block share is computed once."""
    return replace(route, counts=(1,) * len(route.present), order=None, inverse=None)


def part_of(route: Route, position: int) -> Route:
    """The samples of one block present, by themselves."""
    return replace(
        route,
        present=route.present[position : position + 1],
        counts=route.counts[position : position + 1],
        order=None,
        inverse=None,
        among=route.among or route.present,
    )


def between_orders(source: Route | None, target: Route | None) -> Tensor | None:
    """The index that brings samples sorted by one bucket's blocks into the order of another's.

    Args:
        source, target: routes of whole batches; None for the original order.
    Returns:
        int64 `(N,)` on the CPU; None where nothing changes.
    """
    inverse = source.inverse if source is not None else None
    order = target.order if target is not None else None
    if inverse is None or order is None:
        return order if inverse is None else inverse
    return inverse[order]


def from_each(source: Route, target: Route | None) -> Tensor:
    """The index that spreads one row per block present over the samples, in the order of another bucket's blocks.

    Args:
        source: the route that the rows are of.
        target: as in `between_orders`; may be `source` itself.
    """
    rows = torch.repeat_interleave(torch.arange(len(source.present)), torch.tensor(source.counts))
    if target is source:
        return rows
    index = between_orders(source, target)
    return rows if index is None else rows[index]


# What follows from the paths alone.
OF_PATHS = frozenset((route_samples, in_order, one_each, between_orders, from_each))


def rearranged(x: Tensor, index: Tensor | None, keeps_format: bool = True) -> Tensor:
    """The rows `index` of a batch; the batch itself where index is None.

    Args:
        index: on the CPU.
        keeps_format: keep channels last, if they are; else the result is contiguous.
    """
    if index is None:
        return x
    if x.shape[0] == 1:
        x = x.expand(len(index), *x.shape[1:])
        return x if keeps_format else x.contiguous()
    index = index.to(x.device, non_blocking=True)
    if keeps_format and is_channels_last(x):
        # index_select gives channels first, whatever it was given.
        return x.movedim(1, -1).index_select(0, index).movedim(-1, 1)
    return x.index_select(0, index).contiguous()


def repeated(x: Tensor, paths: Tensor) -> Tensor:
    """One row, `(1, ...)`, for every path, `(N, ...)`, in memory of its own."""
    return x.repeat(len(paths), *(1,) * (x.dim() - 1))


def spread(x: Tensor, route: Route) -> Tensor:
    """One row, `(1, ...)`, seen as one for every sample of a route, `(N, ...)`."""
    return x.expand(route.num_samples, *x.shape[1:])


def is_channels_last(x: Tensor) -> bool:
    """Whether a batch of pictures or volumes lies in memory with its channels last, and not also with them first."""
    if x.dim() not in (4, 5) or x.is_contiguous():
        return False
    layout = torch.channels_last if x.dim() == 4 else torch.channels_last_3d
    return x.is_contiguous(memory_format=layout)


def split(tensor: Tensor, where: BatchAxis, route: Route) -> list[Tensor]:
    """The samples of each block present."""
    if len(route.counts) == 1:
        return [tensor]
    if where.factor == 1:
        return list(_sorted(tensor, where.axis, route.order).split(route.counts, where.axis))
    apart, axis = _apart(tensor, where, route.num_samples)
    parts = _sorted(apart, axis, route.order).split(route.counts, axis)
    return [part.flatten(where.axis, where.axis + 1) for part in parts]


def join(parts: Sequence[Tensor], where: BatchAxis, route: Route) -> Tensor:
    """Undoes `split`."""
    if len(route.counts) == 1:
        return parts[0]
    if where.factor == 1:
        return _sorted(torch.cat(list(parts), where.axis), where.axis, route.inverse)
    apart = [_apart(part, where, count) for part, count in zip(parts, route.counts, strict=True)]
    axis = apart[0][1]
    whole = _sorted(torch.cat([part for part, _ in apart], axis), axis, route.inverse)
    return whole.flatten(where.axis, where.axis + 1)


def _sorted(tensor: Tensor, axis: int, index: Tensor | None) -> Tensor:
    return tensor if index is None else tensor.index_select(axis, index.to(tensor.device, non_blocking=True))


def _apart(tensor: Tensor, where: BatchAxis, num_samples: int) -> tuple[Tensor, int]:
    """The tensor with an axis for the samples alone, and that axis."""
    sizes = (where.factor, num_samples) if where.is_inner else (num_samples, where.factor)
    return tensor.unflatten(where.axis, sizes), where.axis + where.is_inner


def rows_of(stack: Tensor, route: Route) -> list[Tensor]:
    """One block's tensor for each block present: views of `stack` `(num_blocks, ...)`.

    One unbind for a whole pass, so that backward writes all blocks' gradients at once instead of one dense zero tensor
    per block.
    """
    if torch.compiler.is_compiling():  # which finds what is done twice by itself
        rows_of_all = unbound(stack)
        return [rows_of_all[block] for block in route.present]
    key = (id(stack), torch.is_grad_enabled())
    if key not in route.rows:
        among = route.among or route.present
        if len(among) == 1:
            rows = {among[0]: row_of(stack, among[0])}
        else:
            every = unbound(stack)
            rows = {block: every[block] for block in among}
        route.rows[key] = (stack, rows)  # with the stack, so that its id is not another's meanwhile
    rows = route.rows[key][1]
    return [rows[block] for block in route.present]


def rows_present(stack: Tensor, route: Route) -> Tensor:
    """One row for each block present, in order: `(num_blocks, ...)` -> `(num_present, ...)`."""
    return torch.stack(rows_of(stack, route))


def gather_samples(route: Route, values: Sequence[Tensor]) -> Tensor:
    """One value per block present -> one per sample: `(1, ...)` each -> `(N, ...)`, in the order of the route's batch."""
    parts = [value.expand(count, *value.shape[1:]) for value, count in zip(values, route.counts, strict=True)]
    if len(parts) == 1:
        return parts[0]
    return _sorted(torch.cat(parts), 0, route.inverse)
