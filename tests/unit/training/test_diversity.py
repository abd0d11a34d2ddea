import itertools

import pytest
import torch
from torch import nn

from rpganify.plan import BucketSpec, Plan
from rpganify.training.diversity import STD_FLOOR, block_diversity, diversity_loss, margin_diversity_loss


class Buckets:
    """Just the parameters of some buckets."""

    def __init__(self, *buckets):
        self.buckets = [{f"w{i}": nn.Parameter(w) for i, w in enumerate(bucket)} for bucket in buckets]
        self.plan = Plan(
            tuple(BucketSpec(f"B{i}", (f"layer{i}",), bucket[0].shape[0]) for i, bucket in enumerate(buckets))
        )

    def bucket_parameters(self, bucket_index):
        return self.buckets[bucket_index]


def all_pairs(weights):
    """The paper's formula, literally, in float64."""
    weights = weights.double()
    std = weights.std(correction=0)
    pairs = itertools.permutations(range(len(weights)), 2)
    return sum(((weights[i] / std - weights[j] / std) ** 2).mean() for i, j in pairs)


def weights_of(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("shape", [(2, 3), (7, 4, 3, 2), (40, 5), (5,), (3, 1)])
def test_block_diversity_equals_the_sum_over_all_pairs_forward_and_backward(shape):
    weights = weights_of(*shape).add(0.3).requires_grad_()
    (gradient,) = torch.autograd.grad(block_diversity(weights), weights)
    (expected,) = torch.autograd.grad(all_pairs(weights), weights)
    torch.testing.assert_close(block_diversity(weights), all_pairs(weights))
    torch.testing.assert_close(gradient, expected)


def test_the_centred_form_stays_accurate_in_float32_where_the_uncentred_one_does_not():
    # Blocks a thousandth apart: what is left after training has pulled them together.
    weights = weights_of(1, 500) + 1e-3 * weights_of(20, 500, seed=1)
    in_float32 = weights.float()
    expected = all_pairs(in_float32)
    num_blocks, num_entries = in_float32.shape
    uncentred = num_blocks * in_float32.square().sum() - in_float32.sum(0).square().sum()
    uncentred = 2 * uncentred / num_entries / in_float32.var(correction=0)
    error = abs(block_diversity(in_float32).item() / expected.item() - 1)
    assert error < 1e-5  # a few units in the last place of float32
    assert abs(uncentred.item() / expected.item() - 1) > 100 * error


def test_block_diversity_is_at_most_twice_the_square_of_the_number_of_blocks():
    centred = weights_of(6, 50)
    centred -= centred.mean(0)
    torch.testing.assert_close(block_diversity(centred), torch.tensor(72.0, dtype=torch.float64))
    assert block_diversity(centred + weights_of(1, 50, seed=1)) < 72


def test_scaling_all_blocks_together_changes_nothing():
    weights = weights_of(4, 9)
    torch.testing.assert_close(block_diversity(weights * 7), block_diversity(weights))


def test_descending_the_loss_moves_blocks_apart():
    model = Buckets([weights_of(1, 30) + 0.1 * weights_of(5, 30, seed=1)])
    (weights,) = model.buckets[0].values()
    before = block_diversity(weights)
    loss = diversity_loss(model)
    loss.backward()
    with torch.no_grad():
        weights -= 1e-3 * weights.grad
    assert loss < 0
    assert block_diversity(weights) > before


@pytest.mark.parametrize("value", [0.0, 1.0, -3e4])
@pytest.mark.parametrize("is_varied", [False, True], ids=["one value", "one block repeated"])
def test_identical_blocks_have_diversity_zero_and_a_finite_gradient(value, is_varied):
    block = weights_of(1, 4, dtype=torch.float32) * is_varied + value
    model = Buckets([block.repeat(3, 1)])
    for loss in (diversity_loss(model), margin_diversity_loss(model, torch.Generator())):
        loss.backward()
        (weights,) = model.buckets[0].values()
        assert loss.item() == pytest.approx(0, abs=1e-4)
        assert torch.isfinite(weights.grad).all()


def test_biases_just_after_birth_have_a_bounded_gradient():
    weights = (1e-8 * weights_of(5, 16)).requires_grad_()
    block_diversity(weights).backward()
    exact = weights_of(5, 16).requires_grad_()
    block_diversity(exact).backward()
    # Without the floor it would be 1e8 times that of the same biases at scale one.
    assert weights.grad.abs().max() < exact.grad.abs().max() / STD_FLOOR


def test_the_loss_is_minus_the_sum_over_all_parameters_of_all_buckets():
    model = Buckets([weights_of(3, 4), weights_of(3, 2, 2, seed=1)], [weights_of(5, 6, seed=2)])
    expected = -sum(all_pairs(w) for bucket in model.buckets for w in bucket.values())
    torch.testing.assert_close(diversity_loss(model), expected)


def test_a_bucket_of_one_block_contributes_nothing():
    alone = Buckets([weights_of(4, 6)])
    beside = Buckets([weights_of(4, 6)], [weights_of(1, 8)])
    torch.testing.assert_close(diversity_loss(beside), diversity_loss(alone))
    only = Buckets([weights_of(1, 8)])
    assert diversity_loss(only).item() == 0
    assert margin_diversity_loss(only, torch.Generator()).item() == 0


def test_a_scalar_has_no_block_axis():
    with pytest.raises(ValueError, match=r"no block axis.*\(num_blocks, \.\.\.\)"):
        block_diversity(torch.tensor(1.0))


def close_buckets():
    return Buckets(
        [weights_of(1, 30) + 0.1 * weights_of(5, 30, seed=1), weights_of(5, 3, seed=2) * 0.2 + 1],
        [weights_of(1, 8, seed=3) + 0.3 * weights_of(4, 8, seed=4)],
    )


def test_the_margin_form_measures_one_pair_per_bucket_averaged_over_its_weights():
    model = close_buckets()
    possible = [
        [
            -sum(((w[i] - w[j]) ** 2).mean() / w.var(correction=0) for w in bucket.values()).item() / len(bucket)
            for i, j in itertools.combinations(range(m), 2)
        ]
        for bucket, m in zip(model.buckets, model.plan.num_blocks, strict=True)
    ]
    sums = [a + b for a in possible[0] for b in possible[1]]
    generator = torch.Generator().manual_seed(0)
    seen = {margin_diversity_loss(model, generator, margin=100.0).item() for _ in range(600)}
    assert all(any(value == pytest.approx(one) for one in sums) for value in seen)
    assert len({round(value, 9) for value in seen}) == len(sums)  # every pair of either bucket is drawn


def test_the_margin_form_leaves_pairs_beyond_the_margin_alone():
    model = Buckets([torch.tensor([[1.0, -1.0, 1.0, -1.0], [-1.0, 1.0, -1.0, 1.0]])])  # at distance 4
    loss = margin_diversity_loss(model, torch.Generator(), margin=1.5)
    loss.backward()
    (weights,) = model.buckets[0].values()
    assert loss.item() == 0
    assert not weights.grad.any()
    assert margin_diversity_loss(model, torch.Generator(), margin=4.5).item() == pytest.approx(-4)


def test_the_margin_form_is_repeated_by_its_seed_and_uses_no_other_randomness():
    before = torch.get_rng_state()
    model = close_buckets()
    values = [margin_diversity_loss(model, torch.Generator().manual_seed(s)).item() for s in (5, 5, 6)]
    assert values[0] == values[1] != values[2]
    assert torch.equal(torch.get_rng_state(), before)
