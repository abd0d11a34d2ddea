import pytest
from scipy.stats import spearmanr

from rpganify.analysis.noise.rank import rank_correlation


def test_equal_orders_correlate_fully_and_the_chance_of_it_is_counted():
    found = rank_correlation([1.0, 5.0, 7.0, 9.0, 20.0], [0.1, 0.2, 0.3, 0.4, 100.0])
    assert found is not None and found.rho == pytest.approx(1)
    assert found.p == pytest.approx(2 / 120)  # two of 5! orders: the same and the reverse
    reverse = rank_correlation([1.0, 2.0, 3.0], [3.0, 2.0, 1.0])
    assert reverse is not None and (reverse.rho, reverse.p) == (pytest.approx(-1), pytest.approx(2 / 6))


@pytest.mark.parametrize("other", [[3.0, 1.0, 2.0, 5.0, 4.0, 6.0], [1.0, 1.0, 2.0, 5.0, 5.0, 0.0]])
def test_it_is_spearmans_with_ties_too(other: list[float]):
    one = [1.0, 2.0, 3.0, 4.0, 4.5, 6.0]
    found = rank_correlation(one, other)
    assert found is not None and found.rho == pytest.approx(float(spearmanr(one, other).statistic))


def test_many_buckets_take_the_approximate_probability():
    one = [float(value) for value in range(12)]
    other = [float((value * 5) % 12) for value in range(12)]
    found, expected = rank_correlation(one, other), spearmanr(one, other)
    assert found is not None
    assert (found.rho, found.p) == (pytest.approx(float(expected.statistic)), pytest.approx(float(expected.pvalue)))


def test_two_values_or_equal_ones_have_no_order():
    assert rank_correlation([1.0, 2.0], [1.0, 2.0]) is None
    assert rank_correlation([1.0, 2.0, 3.0], [4.0, 4.0, 4.0]) is None
