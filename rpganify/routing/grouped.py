"""Matrix products of a sorted batch with each block's own matrix, and their derivatives of any order.

Every block's gradient is written into its slice of one tensor: autograd's own way would make one tensor per block and
then copy them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rpganify.routing.routes import Route

# Matrices up to this size are multiplied in one padded call; above it a call per block reads no more than it needs.
# Measured on 2 cores: at 128 kB one call is 1.5 times as fast forward and backward, at 2 MB there is no difference.
_SMALL = 2**18
# Matrices from this size on, of which more does not fit in a core's own cache, are read in the order that suits them; 2 MB.
# A linear layer's is multiplied the other way round: from 14 rows on at that size, and from 6 above it, where the library's
# product of a few rows takes up to twice as long (1024 x 784, 14 rows: 0.27 ms against 0.54 on one core).
_LARGE, _MANY_ROWS, _SEVERAL_ROWS = 2**21, 14, 6
# One whose rows are each a page of memory long, or longer, is taken in pieces that stay in the cache: a product goes down
# its columns, a page at every step (1024 x 2048, 16 rows: 0.72 ms against 1.1; not from many rows on, where it is packed).
_PAGE, _CHUNK, _FEW_ROWS, _MOST_ROWS = 2**12, 2**18, 8, 64
# Rows of the padded batch for each row of the batch, at most; and products of more rows each are not padded at all.
_PADDING = 4
# Numbers that a padded batch may take on a GPU whatever the batch itself takes: 64 MB of float32.
_LITTLE = 2**24


@dataclass(frozen=True, slots=True)
class Groups:
    """The rows of a batch that belong to each matrix.

    Args:
        num_matrices: matrices in the stack.
        present: those that have rows, ascending.
        counts: rows of each one present.
    """

    num_matrices: int
    present: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def is_even(self) -> bool:
        """Whether every matrix has equally many rows."""
        return len(self.present) == self.num_matrices and len(set(self.counts)) == 1

    @classmethod
    def of(cls, route: Route, rows_per_sample: int = 1) -> Groups:
        """The groups of a batch that is in the order of a route."""
        return cls(route.num_blocks, route.present, tuple(count * rows_per_sample for count in route.counts))


def grouped_matmul(x: Tensor, matrices: Tensor, groups: Groups) -> Tensor:
    """`x[rows of b] @ matrices[b]` for every matrix present.

    Args:
        x: `(R, K)`, sorted by matrix.
        matrices: `(num_matrices, K, L)`.
    Returns:
        `(R, L)`.
    """
    device = x.device.type
    if not torch.amp.is_autocast_available(device):
        return _applied(x, matrices, groups)
    if torch.is_autocast_enabled(device) and x.dtype != torch.float64:
        dtype = torch.get_autocast_dtype(device)
        x, matrices = x.to(dtype), matrices.to(dtype)
    with torch.autocast(device, enabled=False):
        return _applied(x, matrices, groups)


def _applied(x: Tensor, matrices: Tensor, groups: Groups) -> Tensor:
    result = _Matmul.apply(x, matrices, groups)
    assert isinstance(result, Tensor)
    return result


class _Matmul(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrices: Tensor, groups: Groups) -> Tensor:
        ctx.save_for_backward(x, matrices)
        ctx.groups = groups
        if _is_padded(x, matrices, groups):
            places = _places(groups, x.device)
            return _unpadded(torch.bmm(_padded(x, groups, places), matrices), groups, places)
        result = x.new_empty(len(x), matrices.shape[2])
        for block, rows, out in zip(groups.present, x.split(groups.counts), result.split(groups.counts), strict=True):
            _multiply(rows, matrices[block], out)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        x, matrices = ctx.saved_tensors
        (gradient,) = gradients
        to_x, to_matrices = ctx.needs_input_grad[:2]
        return (
            _Matmul.apply(gradient, matrices.transpose(1, 2), ctx.groups) if to_x else None,
            _Outer.apply(x, gradient, matrices, ctx.groups) if to_matrices else None,
            None,
        )


class _Outer(torch.autograd.Function):
    """`x[rows of b]ᵀ @ y[rows of b]` for every matrix, `(num_matrices, K, L)`, in memory like `like`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, like: Tensor, groups: Groups) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.groups = groups
        if _is_padded(x, like, groups):
            places = _places(groups, x.device)
            left, right = (_padded(one, groups, places) for one in (x, y))
            # The result's own rows are written in the order in which they lie; so too below.
            if like.stride(1) < like.stride(2):
                return torch.bmm(right.transpose(1, 2), left).transpose(1, 2)
            return torch.bmm(left.transpose(1, 2), right)
        result = torch.empty_like(like)
        _fill_absent(result, groups)
        for block, left, right in zip(groups.present, x.split(groups.counts), y.split(groups.counts), strict=True):
            if result.stride(1) < result.stride(2):
                torch.mm(right.t(), left, out=result[block].t())
            else:
                torch.mm(left.t(), right, out=result[block])
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        x, y = ctx.saved_tensors
        (gradient,) = gradients
        to_x, to_y = ctx.needs_input_grad[:2]
        return (
            _Matmul.apply(y, gradient.transpose(1, 2), ctx.groups) if to_x else None,
            _Matmul.apply(x, gradient, ctx.groups) if to_y else None,
            None,
            None,
        )


def _multiply(rows: Tensor, matrix: Tensor, out: Tensor) -> None:
    """`rows @ matrix` into `out`."""
    num_bytes = matrix.numel() * matrix.element_size()
    if rows.is_cuda or num_bytes < _LARGE or rows.element_size() < 4:
        torch.mm(rows, matrix, out=out)
    elif matrix.stride(0) == 1:
        if len(rows) >= (_MANY_ROWS if num_bytes == _LARGE else _SEVERAL_ROWS):
            out.copy_(torch.mm(matrix.t(), rows.t()).t())
        else:
            torch.mm(rows, matrix, out=out)
    elif matrix.stride(0) * matrix.element_size() >= _PAGE and _FEW_ROWS <= len(rows) <= _MOST_ROWS:
        _multiply_in_chunks(rows, matrix, out)
    else:
        torch.mm(rows, matrix, out=out)


def _multiply_in_chunks(rows: Tensor, matrix: Tensor, out: Tensor) -> None:
    """`rows @ matrix` into `out`, summed over as many rows of the matrix at a time as stay in the cache."""
    length = max(1, _CHUNK // (matrix.stride(0) * matrix.element_size()))
    num_chunks = len(matrix) // length
    whole = num_chunks * length
    left = rows[:, :whole].unflatten(1, (num_chunks, length)).transpose(0, 1)
    torch.addbmm(out, left, matrix[:whole].unflatten(0, (num_chunks, length)), beta=0, out=out)
    if whole < len(matrix):
        torch.addmm(out, rows[:, whole:], matrix[whole:], out=out)


def _is_padded(x: Tensor, matrices: Tensor, groups: Groups) -> bool:
    """Whether one product of padded groups is the faster way; never one that takes much more memory."""
    most, inner = max(groups.counts), matrices.shape[1] + matrices.shape[2]
    padded = most * groups.num_matrices
    if x.is_cuda:
        # A launch per block costs more than memory, as long as that is not more than the matrices take, or little.
        return padded <= _PADDING * len(x) or padded * inner <= max(matrices.numel(), _LITTLE)
    is_small = most <= _MOST_ROWS and matrices[0].numel() * matrices.element_size() <= _SMALL
    return is_small and padded <= _PADDING * len(x)


def _padded(x: Tensor, groups: Groups, places: Tensor | None) -> Tensor:
    """The rows of each matrix, `(num_matrices, most, K)`, behind them zeros; a view of `(R, K)` where all have as many."""
    if places is not None:
        x = torch.cat([x, x.new_zeros(1, x.shape[1])]).index_select(0, places)
    return x.reshape(groups.num_matrices, -1, x.shape[1])


def _unpadded(x: Tensor, groups: Groups, places: Tensor | None) -> Tensor:
    """Undoes `_padded`."""
    if places is None:
        return x.flatten(0, 1)
    # Found without waiting for a device.
    place_of = torch.empty(sum(groups.counts) + 1, dtype=torch.int64, device=x.device)
    place_of[places] = torch.arange(len(places), device=x.device)
    return x.flatten(0, 1).index_select(0, place_of[:-1])


def _places(groups: Groups, device: torch.device) -> Tensor | None:
    """The row of the batch in each place of the padded one, `(num_matrices * most,)`; one past the end for none.

    None where all have as many rows: then every row is in its place.
    """
    if groups.is_even:
        return None
    total, most = sum(groups.counts), max(groups.counts)
    counts = torch.zeros(groups.num_matrices, dtype=torch.int64)
    counts[list(groups.present)] = torch.tensor(groups.counts)
    place = torch.arange(most)
    rows = (counts.cumsum(0) - counts)[:, None] + place
    return torch.where(place < counts[:, None], rows, total).flatten().to(device, non_blocking=True)


def _fill_absent(result: Tensor, groups: Groups) -> None:
    present = set(groups.present)
    for block in range(groups.num_matrices):
        if block not in present:
            result[block].zero_()
