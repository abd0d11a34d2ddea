"""What becomes of the paper's statements."""

from dataclasses import replace

import pytest

from examples.reproducing.errors import RecipeError
from examples.reproducing.recipe import Statement
from examples.reproducing.summing import findings, summed
from examples.reproducing.values import Value

AT_MOST = Statement("quality", "as good", "1.1 times", "rpgan frechet", "", None, 1.1)
AT_LEAST = replace(AT_MOST, at_least=1.1, at_most=None)


def verdict(statement: Statement, low: float | None, high: float | None) -> str:
    middle = 1.0 if low is None or high is None else (low + high) / 2
    (found,) = findings((statement,), {0: {"rpgan frechet": Value(middle, low, high)}})
    return found.verdict


@pytest.mark.parametrize(
    ("low", "high", "at_most", "at_least"),
    [
        (0.9, 1.0, "held", "did not hold"),
        (1.2, 1.4, "did not hold", "held"),
        (1.0, 1.2, "open", "open"),
        (1.1, 1.1, "held", "held"),
        (None, None, "open", "open"),
    ],
)
def test_a_statement_holds_or_not_where_the_whole_interval_lies_on_one_side(
    low: float | None, high: float | None, at_most: str, at_least: str
) -> None:
    assert verdict(AT_MOST, low, high) == at_most
    assert verdict(AT_LEAST, low, high) == at_least


def test_a_statement_about_a_ratio_divides_within_each_seed() -> None:
    numbers = {seed: {"rpgan frechet": Value(2.0 + seed), "twin frechet": Value(2.0 + seed)} for seed in range(3)}
    (found,) = findings((replace(AT_MOST, over="twin frechet"),), numbers)
    assert found.found is not None and found.found.value == pytest.approx(1.0) and found.verdict == "held"


def test_a_number_that_this_bucket_does_not_have_leaves_the_statement_open() -> None:
    statement = replace(AT_MOST, number="rpgan noise-frechet-2")
    (found,) = findings((statement,), {0: {"rpgan noise-frechet-1": Value(1.0)}})
    assert (found.found, found.verdict) == (None, "open")


def test_a_number_that_is_never_taken_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        RecipeError, match=r"about 'rpgan fretchet', which was not measured\. Did you mean 'rpgan frechet'"
    ):
        findings((replace(AT_MOST, number="rpgan fretchet"),), {0: {"rpgan frechet": Value(1.0)}})


def test_each_number_is_summed_over_the_seeds_that_have_it() -> None:
    found = summed({0: {"a x": Value(1.0), "a y": Value(5.0)}, 2: {"a x": Value(3.0)}})
    assert dict(found["a x"].by_seed) == {0: 1.0, 2: 3.0} and found["a x"].value == 2.0
    assert found["a y"].num_trainings == 1
