"""The choice of a step size."""

import math

import pytest

from rpganify.analysis.latent_inversion.tuning import STEP_SIZES, tune


def bowl(best: float):
    """Smallest at `best`, and the farther from it, on a log scale, the larger."""
    return lambda size: abs(math.log(size / best))


def test_a_best_size_within_the_first_ones_is_found_with_no_further_try():
    tuning = tune(bowl(0.1))
    assert tuning.chosen == 0.1
    assert [size for size, _ in tuning.tried] == list(STEP_SIZES)
    assert not tuning.is_at_end


@pytest.mark.parametrize(
    "best, tried",
    [(2.0, [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]), (0.005, [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5])],
)
def test_beyond_an_end_it_goes_on_until_the_best_lies_inside(best, tried):
    tuning = tune(bowl(best))
    assert tuning.chosen == best
    assert [size for size, _ in tuning.tried] == tried
    assert dict(tuning.tried)[best] == 0
    assert not tuning.is_at_end


def test_it_stops_going_on_after_four_and_says_so():
    tuning = tune(bowl(1e6))
    assert tuning.chosen == 10
    assert tuning.is_at_end
    assert len(tuning.tried) == len(STEP_SIZES) + 4


def test_every_method_is_tried_by_the_same_rule_and_told_of():
    asked, told = [], []
    tune(lambda size: asked.append(size) or bowl(0.5)(size), progress=told.append)
    assert asked == [*STEP_SIZES, 1.0]
    assert told == [1, 2, 3, 4, 5, 6]
