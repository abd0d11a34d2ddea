"""Shares of counted classes, against scipy and closed forms."""

import pytest
import torch
from scipy.stats import binom, binomtest

from rpganify.analysis.classes.statistics import expected_variation, share_interval, total_variation


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("count", "total"), [(0, 7), (7, 7), (1, 1), (13, 100), (499, 1000), (1, 100_000)])
def test_the_interval_of_a_share_is_wilson_s(count, total):
    found = share_interval(count, total)
    expected = binomtest(count, total).proportion_ci(method="wilson")
    assert found.value == count / total
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_total_variation_distance_is_half_the_summed_differences():
    reference = torch.tensor([0.5, 0.3, 0.2])
    found = total_variation(torch.tensor([20, 30, 50]), reference, seeded())
    assert found.value == pytest.approx(0.3)
    assert found.low < 0.3 < found.high
    assert found == total_variation(torch.tensor([20, 30, 50]), reference, seeded())
    apart = total_variation(torch.tensor([0, 0, 9]), torch.tensor([0.4, 0.6, 0.0]), seeded())
    assert (apart.value, apart.low, apart.high) == pytest.approx((1, 1, 1))


def test_its_interval_is_as_wide_as_the_binomial_says():
    """Of two classes far from the reference the distance is |p - q|, and p a binomial share."""
    found = total_variation(torch.tensor([700, 300]), torch.tensor([0.2, 0.8]), seeded())
    assert found.value == pytest.approx(0.5)
    deviation = (0.7 * 0.3 / 1000) ** 0.5
    assert found.high - found.low == pytest.approx(2 * 1.96 * deviation, rel=0.15)  # of 1000 resamples' quantiles


@pytest.mark.parametrize("num_draws", [10, 400])
def test_what_chance_alone_gives_is_the_mean_deviation_of_the_shares(num_draws):
    counts = range(num_draws + 1)
    expected = sum(binom.pmf(k, num_draws, 0.3) * abs(k / num_draws - 0.3) for k in counts)
    found = expected_variation(torch.tensor([0.3, 0.7]), num_draws, seeded())
    assert found == pytest.approx(expected, rel=0.1)  # of 1000 simulations: one standard deviation is 2.4 %
