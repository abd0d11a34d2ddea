"""Routed calls: one operation, run per block present, against a loop over the samples."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rpganify.routing.region import (
    BatchSize,
    Operand,
    RoutedCall,
    block_values,
    first_value,
    working_copies,
    write_back,
)
from rpganify.routing.routes import BatchAxis, Route, route_samples

NUM_BLOCKS = 4
BLOCKS = [1, 0, 2, 0, 1, 1]
N = len(BLOCKS)
SAMPLES = BatchAxis(0, 1)


def route(blocks: list[int] = BLOCKS) -> Route:
    return route_samples(torch.tensor(blocks)[:, None], 0, NUM_BLOCKS)


def draw(*shape: int, seed: int = 0) -> Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.requires_grad_()


def same_with_gradients(found: Tensor, expected: Tensor, *inputs: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weights = torch.cos(torch.arange(found.numel(), dtype=found.dtype)).view(found.shape)
    ours, theirs = (torch.autograd.grad((out * weights).sum(), inputs) for out in (found, expected))
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


def each(function: Callable[[int, Tensor], Tensor], stack: Tensor) -> list[Tensor]:
    """`function(sample, its block's row of stack)` for every sample."""
    return [function(sample, stack[block]) for sample, block in enumerate(BLOCKS)]


def test_an_operation_on_block_values_alone_gives_block_values() -> None:
    stack = draw(NUM_BLOCKS, 3, 3)
    call = RoutedCall(torch.mul, (Operand(0, is_block=True), 2.0), {}, None)
    values = call(route(), block_values(stack, route()))
    assert [torch.equal(value, 2 * stack[block]) for value, block in zip(values, (0, 1, 2), strict=True)] == [True] * 3
    assert torch.equal(first_value(values), 2 * stack[0])


def test_an_operation_between_a_batch_and_block_values_gives_each_sample_its_block() -> None:
    x, stack, bias = draw(N, 5), draw(NUM_BLOCKS, 3, 5, seed=1), draw(NUM_BLOCKS, 3, seed=2)
    call = RoutedCall(
        F.linear, (Operand(0, SAMPLES), Operand(1, is_block=True)), {"bias": Operand(2, is_block=True)}, SAMPLES
    )
    found = call(route(), x, block_values(stack, route()), block_values(bias, route()))
    expected = torch.stack([F.linear(x[sample], stack[block], bias[block]) for sample, block in enumerate(BLOCKS)])
    same_with_gradients(found, expected, x, stack, bias)


def test_a_tensor_method_is_called_by_name() -> None:
    x, stack = draw(N, 5), draw(NUM_BLOCKS, 5, seed=1)
    call = RoutedCall("add", (Operand(0, SAMPLES), Operand(1, is_block=True)), {"alpha": 3}, SAMPLES)
    found = call(route(), x, block_values(stack, route()))
    same_with_gradients(found, torch.stack(each(lambda i, row: x[i] + 3 * row, stack)), x, stack)


@pytest.mark.parametrize("axis", [1, 2])
def test_a_batch_that_is_not_the_first_axis_is_found_where_it_is(axis: int) -> None:
    x, stack = draw(4, N, N, 5), draw(NUM_BLOCKS, 5, seed=1)
    where = BatchAxis(axis, 1)
    call = RoutedCall(torch.mul, (Operand(0, where), Operand(1, is_block=True)), {}, where)
    found = call(route(), x, block_values(stack, route()))
    expected = torch.stack(each(lambda i, row: x.select(axis, i) * row, stack), axis)
    same_with_gradients(found, expected, x, stack)


@pytest.mark.parametrize("is_inner", [False, True])
def test_several_entries_per_sample_stay_with_their_sample(is_inner: bool) -> None:
    x, stack = draw(N * 3, 5), draw(NUM_BLOCKS, 5, seed=1)
    where = BatchAxis(0, 3, is_inner)
    call = RoutedCall(torch.mul, (Operand(0, where), Operand(1, is_block=True)), {}, where)
    found = call(route(), x, block_values(stack, route()))
    owners = BLOCKS * 3 if is_inner else [block for block in BLOCKS for _ in range(3)]
    same_with_gradients(found, x * stack[owners], x, stack)


def test_a_grouped_convolution_over_a_folded_batch_runs_on_each_blocks_samples() -> None:
    """StyleGAN2's trick: `(1, N * C, h, w)`, the batch in the groups."""
    x, weight, stack = draw(1, N * 2, 4, 4), draw(N * 3, 2, 3, 3, seed=1), draw(NUM_BLOCKS, 1, seed=2)
    scaled = RoutedCall(torch.mul, (Operand(0, BatchAxis(0, 3)), Operand(1, is_block=True)), {}, BatchAxis(0, 3))
    call = RoutedCall(
        F.conv2d,
        (Operand(0, BatchAxis(1, 2)), Operand(1, BatchAxis(0, 3))),
        {"padding": 1, "groups": BatchSize(1, 0)},
        BatchAxis(1, 3),
    )
    found = call(route(), x, scaled(route(), weight, block_values(stack[:, :, None, None], route())))
    images = [
        F.conv2d(x[:, 2 * i : 2 * i + 2], weight[3 * i : 3 * i + 3] * stack[block], padding=1)
        for i, block in enumerate(BLOCKS)
    ]
    same_with_gradients(found, torch.cat(images, 1), x, weight, stack)


def test_sizes_that_derive_from_the_batch_are_those_of_the_blocks_samples() -> None:
    stack = draw(NUM_BLOCKS, 1, 3)
    call = RoutedCall("expand", (Operand(0, is_block=True), BatchSize(1, 0), -1), {}, SAMPLES)
    found = call(route(), block_values(stack, route()))
    same_with_gradients(found, torch.cat(each(lambda _, row: row, stack)), stack)
    twice = RoutedCall("repeat", (Operand(0, is_block=True), BatchSize(2, 1), 1), {}, None)
    assert [value.shape[0] for value in twice(route(), block_values(stack, route()))] == [5, 7, 3]


def test_each_part_of_a_tuple_comes_back_where_it_carries_the_batch() -> None:
    x, stack = draw(N, 4), draw(NUM_BLOCKS, 4, seed=1)

    def halves(values: Tensor, row: Tensor) -> tuple[Tensor, Tensor, int]:
        product = values * row
        return product[:, :2], product[:, 2:].t(), 7

    call = RoutedCall(halves, (Operand(0, SAMPLES), Operand(1, is_block=True)), {}, (SAMPLES, BatchAxis(1, 1), None))
    left, right, number = call(route(), x, block_values(stack, route()))
    expected = torch.stack(each(lambda i, row: x[i] * row, stack))
    assert number == 7
    same_with_gradients(torch.cat([left, right.t()], 1), expected, x, stack)


def test_a_batch_that_is_written_in_place_keeps_every_samples_change() -> None:
    x, stack = draw(N, 3), draw(NUM_BLOCKS, 3, seed=1)
    target = x * 1.0
    call = RoutedCall("mul_", (Operand(0, SAMPLES, is_written=True), Operand(1, is_block=True)), {}, SAMPLES)
    found = call(route(), target, block_values(stack, route()))
    expected = torch.stack(each(lambda i, row: x[i] * row, stack))
    torch.testing.assert_close(found, expected)
    same_with_gradients(target, expected, x, stack)


def test_a_new_tensor_that_is_filled_with_block_values_carries_their_gradient() -> None:
    stack = draw(NUM_BLOCKS, 3)
    call = RoutedCall("add_", (Operand(0, SAMPLES, is_written=True), Operand(1, is_block=True)), {}, SAMPLES)
    for blocks in (BLOCKS, [3] * N):
        target = torch.zeros(N, 3, dtype=torch.float64)
        call(route(blocks), target, block_values(stack, route(blocks)))
        same_with_gradients(target, stack[blocks], stack)


def test_item_assignment_reaches_the_batch_that_was_passed() -> None:
    x, stack = draw(N, 3), draw(NUM_BLOCKS, seed=1)
    target = x * 1.0

    def assign(values: Tensor, index: Any, row: Tensor) -> None:
        values[index] = row

    index = (slice(None), 0)
    call = RoutedCall(assign, (Operand(0, SAMPLES, is_written=True), index, Operand(1, is_block=True)), {}, None)
    call(route(), target, block_values(stack, route()))
    expected = torch.stack(each(lambda i, row: torch.cat([row.view(1), x[i, 1:]]), stack))
    same_with_gradients(target, expected, x, stack)


def test_a_buffer_that_blocks_write_keeps_what_each_left_and_absent_blocks_stay() -> None:
    buffer = torch.arange(NUM_BLOCKS, dtype=torch.float64).view(-1, 1).repeat(1, 2)
    before = buffer.clone()
    values = working_copies(buffer, route())
    RoutedCall("add_", (Operand(0, is_block=True, is_written=True), 10.0), {}, None)(route(), values)
    assert torch.equal(buffer, before), "working copies have memory of their own"
    write_back(buffer, values, route())
    assert torch.equal(buffer[:3], before[:3] + 10) and torch.equal(buffer[3], before[3])


def test_a_batch_of_one_block_is_one_call() -> None:
    x, stack = draw(3, 5), draw(NUM_BLOCKS, 5, seed=1)
    seen: list[int] = []

    def multiply(values: Tensor, row: Tensor) -> Tensor:
        seen.append(len(values))
        return values * row

    call = RoutedCall(multiply, (Operand(0, SAMPLES), Operand(1, is_block=True)), {}, SAMPLES)
    same_with_gradients(call(route([3, 3, 3]), x, block_values(stack, route([3, 3, 3]))), x * stack[3], x, stack)
    assert seen == [3]


def test_the_summary_of_a_routed_call_names_the_operation_and_where_the_batch_is() -> None:
    assert "mul_, result=block values" in repr(RoutedCall("mul_", (Operand(0, is_block=True), 2), {}, None))
    assert "linear, result=BatchAxis(axis=1" in repr(RoutedCall(F.linear, (), {}, BatchAxis(1, 2)))


def test_a_call_survives_pickle_and_copies_with_operands_at_any_depth_of_its_arguments() -> None:
    call = RoutedCall(torch.cat, ([Operand(0, SAMPLES), Operand(1, SAMPLES)],), {"dim": 1}, SAMPLES)
    by_block = route_samples(torch.tensor([[1], [0], [1]]), 0, 2)
    first, second = torch.randn(3, 2), torch.randn(3, 1)
    for one in (call, pickle.loads(pickle.dumps(call)), deepcopy(call)):
        assert torch.equal(one(by_block, first, second), torch.cat([first, second], dim=1))
