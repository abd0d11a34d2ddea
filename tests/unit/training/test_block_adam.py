"""Adam on the blocks of the batch: the drawn ones as Adam would, the others not at all."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rpganify.training.block_adam import BlockAdam

LR, BETAS = 1e-2, (0.5, 0.999)


def parameters() -> list[nn.Parameter]:
    draws = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=draws)) for shape in ((4, 3, 2), (4,), (5,))]


def gradients(round_index: int) -> list[Tensor]:
    draws = torch.Generator().manual_seed(10 + round_index)
    return [torch.randn(shape, generator=draws) for shape in ((4, 3, 2), (4,), (5,))]


def run(optimizer: torch.optim.Optimizer, own: list[nn.Parameter], paths: list[Tensor]) -> None:
    for index, batch in enumerate(paths):
        for parameter, gradient in zip(own, gradients(index), strict=True):
            parameter.grad = gradient.clone()
        if isinstance(optimizer, BlockAdam):
            optimizer.choose(batch)
        optimizer.step()


@pytest.mark.parametrize("is_fused", [True, False])
def test_where_every_block_is_drawn_it_is_adam(is_fused: bool) -> None:
    everything = [torch.arange(4)[:, None].repeat(1, 2)] * 3
    ours, theirs = parameters(), parameters()
    run(BlockAdam(ours, [0, 1, None], LR, BETAS, is_fused), ours, everything)
    run(torch.optim.Adam(theirs, lr=LR, betas=BETAS), theirs, everything)
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two)


def test_blocks_that_are_not_drawn_keep_weights_and_moments_and_the_drawn_ones_move_as_adam_moves_them() -> None:
    ours, theirs, before = parameters(), parameters(), parameters()
    optimizer = BlockAdam(ours, [0, 1, None], LR, BETAS, True)
    paths = [torch.tensor([[0, 3], [2, 3]])] * 2
    run(optimizer, ours, paths)
    run(torch.optim.Adam(theirs, lr=LR, betas=BETAS), theirs, paths)
    for index, (drawn, absent) in enumerate((([0, 2], [1, 3]), ([3], [0, 1, 2]))):
        torch.testing.assert_close(ours[index][drawn], theirs[index][drawn])
        assert torch.equal(ours[index][absent], before[index][absent])
        assert not optimizer.state[ours[index]]["exp_avg"][absent].any()
    torch.testing.assert_close(ours[2], theirs[2])
    assert [int(state["step"]) for state in optimizer.state.values()] == [2, 2, 2]


def test_its_state_goes_on_where_it_was_saved() -> None:
    paths = [torch.tensor([[0, 3]]), torch.tensor([[1, 3]]), torch.tensor([[0, 0]])]
    whole = parameters()
    run(BlockAdam(whole, [0, 1, None], LR, BETAS, True), whole, paths)
    halves = parameters()
    first = BlockAdam(halves, [0, 1, None], LR, BETAS, True)
    run(first, halves, paths[:2])
    second = BlockAdam(halves, [0, 1, None], LR, BETAS, True)
    second.load_state_dict(first.state_dict())
    for parameter, gradient in zip(halves, gradients(2), strict=True):
        parameter.grad = gradient
    second.choose(paths[2])
    second.step()
    for one, two in zip(whole, halves, strict=True):
        assert torch.equal(one, two)


def test_a_step_without_its_batch_is_an_error() -> None:
    own = parameters()
    with pytest.raises(RuntimeError, match=r"call choose\(paths\) first"):
        BlockAdam(own, [0, 1, None], LR, BETAS, True).step()
