"""Paired comparisons."""

import pytest
import torch
from scipy import stats

from rpganify.analysis.latent_inversion.bases import plain_basis
from rpganify.analysis.latent_inversion.comparing import compare, holm, signed_rank
from rpganify.analysis.latent_inversion.descent import descend
from tests.unit.analysis.latent_inversion.tasks import task_to
from tests.unit.analysis.linear_maps import planted


def chance():
    return torch.Generator().manual_seed(0)


def test_a_method_that_is_always_nearer_has_the_largest_effect_and_the_smallest_p():
    other = torch.linspace(1, 2, 10)
    paired = compare(other * 0.5, other, chance())
    assert (paired.num_pairs, paired.num_nearer, paired.num_equal) == (10, 10, 0)
    assert paired.effect == 1
    assert paired.p == pytest.approx(2 / 2**10)  # both signs of all ten
    assert paired.ratio.value == paired.ratio.low == paired.ratio.high == pytest.approx(0.5)
    swapped = compare(other, other * 0.5, chance())
    assert (swapped.effect, swapped.p, swapped.num_nearer) == (-1, paired.p, 0)


def test_the_effect_is_the_difference_of_the_shares_of_signed_ranks():
    method, other = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([1.1, 2.2, 2.5, 4.4])
    paired = compare(method, other, chance())  # ranks 1, 2 and 3 for, 4 against
    assert paired.effect == pytest.approx((1 + 2 + 3 - 4) / 10)
    assert paired.p == pytest.approx(stats.wilcoxon([0.1, 0.2, -0.5, 0.4]).pvalue)
    assert paired.num_nearer == 3
    assert paired.ratio.value == pytest.approx(10 / 10.2)
    assert paired.ratio.low < paired.ratio.value < paired.ratio.high


def test_pairs_that_are_equal_count_for_neither():
    paired = compare(torch.tensor([1.0, 1, 1, 5]), torch.tensor([2.0, 3, 4, 5]), chance())
    assert (paired.num_equal, paired.num_nearer) == (1, 3)
    assert paired.effect == 1
    assert paired.p == pytest.approx(2 / 2**3)


def test_two_methods_that_do_the_same_have_no_effect_and_p_1():
    same = torch.rand(9)
    paired = compare(same, same, chance())
    assert (paired.p, paired.effect, paired.num_equal) == (1, 0, 9)
    assert paired.ratio.value == 1
    zeros = compare(torch.zeros(3), torch.zeros(3), chance())
    assert (zeros.p, zeros.ratio) == (1, None)


def test_p_is_uniform_where_one_method_runs_twice_from_different_starts(monkeypatch):
    monkeypatch.setattr("rpganify.analysis.latent_inversion.descent.CHUNK", 10_000)
    linear = planted(torch.tensor([1.0, 0.6, 0.3]))
    draws = torch.Generator().manual_seed(5)
    num_tests, num_pairs = 200, 25
    # All inversions in one batch: targets do not influence each other.
    wanted = linear.space.draw(num_tests * num_pairs, draws)
    finals = []
    for _ in range(2):
        task = task_to(linear, wanted, linear.space.draw(len(wanted), draws))
        finals.append(descend(task, plain_basis(3), 0.05, 6).final.view(num_tests, num_pairs))
    p_values = [signed_rank(one, other)[0] for one, other in zip(*finals, strict=True)]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert 0.005 < sum(p < 0.05 for p in p_values) / num_tests < 0.1  # of 0.05, within three standard errors


def test_holm_multiplies_the_smallest_p_most_and_keeps_the_order():
    # By hand: 4 · 0.01, 3 · 0.02, 2 · 0.03, and 0.9; none below the one before it.
    assert holm([0.02, 0.9, 0.01, 0.03]) == pytest.approx([0.06, 0.9, 0.04, 0.06])
    assert holm([0.4, 0.5]) == pytest.approx([0.8, 0.8])
    assert holm([0.9, 0.9]) == [1, 1]
    assert holm([]) == []
