"""Numbers with their intervals, over sets of images and over trainings."""

import math
import random
import statistics

import pytest
from scipy import stats

from examples.reproducing.values import Value, exactly, mean_of_sets, over_trainings, ratio, share


def test_a_single_training_keeps_its_own_interval() -> None:
    found = over_trainings({3: Value(2.0, 1.5, 2.5, "paths")})
    assert (found.value, found.low, found.high, found.spread, found.num_trainings) == (2.0, 1.5, 2.5, "paths", 1)
    assert (found.least, found.std, dict(found.by_seed)) == (None, None, {3: 2.0})


def test_several_trainings_have_students_interval_over_them() -> None:
    values = [4.0, 5.0, 7.5]
    found = over_trainings({seed: Value(value, 0.0, 100.0) for seed, value in enumerate(values)})
    low, high = stats.t.interval(0.95, 2, statistics.mean(values), statistics.stdev(values) / math.sqrt(3))
    assert found.value == pytest.approx(5.5) and (found.low, found.high) == pytest.approx((low, high))
    assert found.std == pytest.approx(statistics.stdev(values)) and found.least == 4.0
    assert found.spread == "3 trainings"


def test_students_interval_holds_the_truth_in_95_of_100_cases() -> None:
    chance = random.Random(0)
    hits = 0
    for _ in range(4000):
        found = over_trainings({seed: Value(chance.gauss(1.0, 0.3)) for seed in range(3)})
        assert found.low is not None and found.high is not None
        hits += found.low <= 1.0 <= found.high
    # Four standard errors of a share of 0.95 among 4000 are 0.014.
    assert abs(hits / 4000 - 0.95) < 0.014


def test_a_ratio_over_trainings_is_taken_seed_by_seed() -> None:
    above = {0: Value(2.0), 1: Value(8.0), 2: Value(3.0)}
    below = {0: Value(1.0), 1: Value(2.0)}
    found = ratio(above, below)
    assert found is not None and found.num_trainings == 2
    assert found.value == pytest.approx(math.sqrt(2 * 4)), "the geometric mean of 2 and 4"
    logs = [math.log(2), math.log(4)]
    low, high = stats.t.interval(0.95, 1, statistics.mean(logs), statistics.stdev(logs) / math.sqrt(2))
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_a_ratio_of_one_training_has_the_errors_of_both_numbers() -> None:
    found = ratio({0: Value(6.0, 5.4, 6.6, "a")}, {0: Value(3.0, 2.7, 3.3, "b")})
    assert found is not None and found.value == 2.0 and found.spread == "a and b"
    half = math.hypot(0.1, 0.1)
    assert (found.low, found.high) == pytest.approx((2 * math.exp(-half), 2 * math.exp(half)))


def test_a_ratio_without_both_intervals_has_none() -> None:
    found = ratio({0: Value(6.0, 5.4, 6.6)}, {0: Value(3.0)})
    assert found is not None and (found.value, found.low, found.high) == (2.0, None, None)


def test_there_is_no_ratio_where_a_number_is_not_positive_or_no_seed_has_both() -> None:
    assert ratio({0: Value(-0.1)}, {0: Value(1.0)}) is None
    assert ratio({0: Value(1.0)}, {0: Value(0.0)}) is None
    assert ratio({0: Value(1.0)}, {1: Value(1.0)}) is None


def test_a_mean_over_sets_of_images_has_students_interval() -> None:
    found = mean_of_sets(5.0, 0.6, 3, "3 sets of images")
    assert found.low == pytest.approx(5.0 - stats.t.ppf(0.975, 2) * 0.6 / math.sqrt(3))
    assert found.low is not None and found.high == pytest.approx(10.0 - found.low)
    assert mean_of_sets(5.0, None, 3, "") == Value(5.0) == mean_of_sets(5.0, 0.1, 1, "")


def test_a_share_has_wilsons_interval_which_stays_between_0_and_1() -> None:
    found = share(0, 50, "images")
    assert (found.value, found.low) == (0.0, pytest.approx(0.0)) and found.high == pytest.approx(
        3.84146 / (50 + 3.84146), rel=1e-4
    )
    half = share(50, 100, "images")
    assert half.low is not None and half.high is not None and half.low + half.high == pytest.approx(1.0)


def test_an_exact_number_has_no_width() -> None:
    found = exactly(1.0)
    assert (found.low, found.value, found.high) == (1.0, 1.0, 1.0)
