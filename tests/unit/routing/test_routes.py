"""How samples are grouped by block and put back, wherever a tensor carries the batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rpganify.errors import PathError
from rpganify.routing.routes import (
    BatchAxis,
    Route,
    by_block,
    gather_samples,
    join,
    route_samples,
    rows_of,
    split,
)
from tests.laws import law

NUM_BLOCKS = 4

columns = st.lists(st.integers(0, NUM_BLOCKS - 1), min_size=1, max_size=9)
axes = st.builds(BatchAxis, st.integers(0, 2), st.integers(1, 3), st.booleans())


def route(blocks: list[int]) -> Route:
    return route_samples(torch.tensor(blocks, dtype=torch.int64)[:, None], 0, NUM_BLOCKS)


def batch_at(where: BatchAxis, num_samples: int) -> Tensor:
    """Every value names its sample: `(…, N * factor, …)`."""
    samples = torch.arange(num_samples, dtype=torch.float64)
    row = samples.repeat(where.factor) if where.is_inner else samples.repeat_interleave(where.factor)
    shape = [2, 3, 4]
    shape[where.axis] = len(row)
    view = [1, 1, 1]
    view[where.axis] = len(row)
    return row.view(view).expand(shape).clone()


@law
@given(columns)
def test_the_blocks_present_and_their_counts_are_those_of_the_batch(blocks: list[int]) -> None:
    found = route(blocks)
    assert dict(zip(found.present, found.counts, strict=True)) == {b: blocks.count(b) for b in sorted(set(blocks))}
    assert list(found.present) == sorted(set(blocks))
    assert found.num_samples == len(blocks)


@law
@given(columns, axes)
def test_every_part_holds_the_samples_of_its_block_in_their_order(blocks: list[int], where: BatchAxis) -> None:
    found = route(blocks)
    parts = split(batch_at(where, len(blocks)), where, found)
    for block, part in zip(found.present, parts, strict=True):
        expected = [index for index, one in enumerate(blocks) if one == block]
        row = part.movedim(where.axis, 0).flatten(1)[:, 0].tolist()
        assert row == (
            expected * where.factor if where.is_inner else [i for i in expected for _ in range(where.factor)]
        )


@law
@given(columns, axes)
def test_joining_undoes_splitting(blocks: list[int], where: BatchAxis) -> None:
    found, x = route(blocks), batch_at(where, len(blocks))
    assert torch.equal(join(split(x, where, found), where, found), x)


@law
@given(columns, axes, axes)
def test_each_block_is_called_once_with_its_samples_wherever_the_batch_is(
    blocks: list[int], where: BatchAxis, result: BatchAxis
) -> None:
    found = route(blocks)
    calls: list[int] = []

    def call(part: Tensor, position: int) -> Tensor:
        calls.append(position)
        count = found.counts[position]
        apart = part.unflatten(where.axis, (where.factor, count) if where.is_inner else (count, where.factor))
        samples = apart.movedim(where.axis + where.is_inner, 0).flatten(1)[:, 0]
        made = batch_at(result, count)
        row = samples.repeat(result.factor) if result.is_inner else samples.repeat_interleave(result.factor)
        view = [1, 1, 1]
        view[result.axis] = -1
        return row.view(view).expand_as(made) + 100.0 * found.present[position]

    out = by_block(found, batch_at(where, len(blocks)), call, where, result)
    assert calls == list(range(len(found.present)))
    expected = batch_at(result, len(blocks))
    per_sample = torch.tensor(blocks, dtype=torch.float64) * 100.0
    assert torch.equal(out, expected + per_sample[expected.long()])


@law
@given(columns)
def test_one_value_per_block_becomes_one_per_sample(blocks: list[int]) -> None:
    found = route(blocks)
    values = [torch.tensor([[float(block)]]) for block in found.present]
    assert gather_samples(found, values).flatten().tolist() == [float(block) for block in blocks]


def test_rows_are_views_whose_gradients_leave_absent_blocks_at_zero() -> None:
    stack = torch.randn(NUM_BLOCKS, 3, requires_grad=True)
    found = route([3, 1, 3])
    one, three = rows_of(stack, found)
    assert torch.equal(one, stack[1]) and torch.equal(three, stack[3])
    (one.sum() + 2 * three.sum()).backward()
    assert stack.grad is not None
    assert stack.grad.tolist() == [[0.0] * 3, [1.0] * 3, [0.0] * 3, [2.0] * 3]


def test_a_batch_of_one_block_is_not_permuted() -> None:
    found = route([2, 2, 2])
    assert (found.present, found.counts, found.order, found.inverse) == ((2,), (3,), None, None)
    x = torch.randn(3, 2)
    assert split(x, BatchAxis(), found)[0] is x


def test_an_empty_batch_takes_block_0_with_no_samples() -> None:
    found = route([])
    assert (found.present, found.counts, found.num_samples) == ((0,), (0,), 0)
    assert by_block(found, torch.empty(0, 2), lambda part, position: part * 2).shape == (0, 2)


def test_samples_of_one_block_keep_their_order() -> None:
    found = route([1, 0, 1, 0])
    assert found.order is not None and found.inverse is not None
    assert found.order.tolist() == [1, 3, 0, 2]
    assert found.order[found.inverse].tolist() == [0, 1, 2, 3]


def test_a_bucket_reads_its_own_column() -> None:
    paths = torch.tensor([[0, 3], [1, 3], [2, 3]])
    assert route_samples(paths, 0, 4).present == (0, 1, 2)
    assert route_samples(paths, 1, 4).present == (3,)


def test_a_block_that_the_bucket_does_not_have_is_refused_by_its_number() -> None:
    with pytest.raises(PathError, match=r"Bucket 1 has blocks 0 to 3; there is no block 7\."):
        route([0, 7, 1])
