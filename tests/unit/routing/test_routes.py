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
    between_orders,
    from_each,
    gather_samples,
    in_order,
    join,
    one_each,
    part_of,
    rearranged,
    repeated,
    route_samples,
    rows_of,
    split,
    spread,
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
@given(columns, columns)
def test_one_order_becomes_another_by_one_index(blocks: list[int], others: list[int]) -> None:
    num = min(len(blocks), len(others))
    one, two = route(blocks[:num]), route(others[:num])
    samples = torch.arange(num)
    lie_by_one, lie_by_two = (rearranged(samples, each.order) for each in (one, two))
    assert torch.equal(rearranged(lie_by_one, between_orders(one, two)), lie_by_two)
    assert torch.equal(rearranged(lie_by_one, between_orders(one, None)), samples)
    assert torch.equal(rearranged(samples, between_orders(None, two)), lie_by_two)


@law
@given(columns, columns)
def test_a_row_per_block_present_is_spread_over_the_samples_in_any_order(blocks: list[int], others: list[int]) -> None:
    num = min(len(blocks), len(others))
    one, two = route(blocks[:num]), route(others[:num])
    rows = torch.tensor(one.present)
    wanted = torch.tensor(blocks[:num])
    assert torch.equal(rearranged(rows, from_each(one, None)), wanted)
    assert torch.equal(rearranged(rows, from_each(one, two)), rearranged(wanted, two.order))
    assert torch.equal(rearranged(rows, from_each(one, one)), rearranged(wanted, one.order))


@law
@given(columns)
def test_the_parts_of_a_route_have_the_rows_of_their_block_and_its_samples_alone(blocks: list[int]) -> None:
    found, stack = in_order(route(blocks)), torch.arange(NUM_BLOCKS)
    for position, block in enumerate(found.present):
        part = part_of(found, position)
        assert (part.present, part.counts) == ((block,), (blocks.count(block),))
        assert [int(row) for row in rows_of(stack, part)] == [block]
    assert [int(row) for row in rows_of(stack, found)] == list(found.present)
    assert one_each(found).counts == (1,) * len(found.present)


@pytest.mark.parametrize("keeps_format", [True, False])
def test_pictures_with_their_channels_last_stay_so_between_buckets_and_come_out_with_them_first(
    keeps_format: bool,
) -> None:
    x = torch.randn(4, 3, 5, 6).contiguous(memory_format=torch.channels_last)
    found = rearranged(x, torch.tensor([2, 0, 3, 1]), keeps_format)
    assert torch.equal(found, x[[2, 0, 3, 1]])
    assert found.is_contiguous(memory_format=torch.channels_last if keeps_format else torch.contiguous_format)


def test_a_single_row_is_spread_without_a_copy_and_repeated_with_one() -> None:
    x, found = torch.randn(1, 3), route([1, 0, 1])
    assert torch.equal(spread(x, found), x.repeat(3, 1)) and spread(x, found).data_ptr() == x.data_ptr()
    assert torch.equal(repeated(x, torch.zeros(3, 2)), x.repeat(3, 1))
    assert rearranged(x, torch.tensor([0, 0]), keeps_format=False).is_contiguous()


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
    assert join(split(torch.empty(0, 2), BatchAxis(), found), BatchAxis(), found).shape == (0, 2)


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
