"""Numbers and shapes as people read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpganify.cli.formatting import format_cardinality, format_duration, format_shape


@pytest.mark.parametrize(
    ("num_blocks", "expected"),
    [
        ((40,) * 5, "40⁵ = 102,400,000"),
        ((20, 20, 20, 8, 8), "20³ · 8² = 512,000"),
        ((3,), "3 = 3"),
        ((2, 3, 2), "2 · 3 · 2 = 12"),
        ((1,) * 12, "1¹² = 1"),
    ],
)
def test_a_cardinality_shows_its_factors_and_its_product(num_blocks, expected):
    assert format_cardinality(num_blocks) == expected


@given(st.lists(st.integers(1, 200), min_size=1, max_size=20))
def test_the_printed_product_is_exact_for_any_path_space(num_blocks):
    assert int(format_cardinality(num_blocks).split("= ")[1].replace(",", "")) == math.prod(num_blocks)


def test_a_shape_is_printed_with_times_signs():
    assert format_shape((3, 32, 32)) == "3×32×32"
    assert format_shape((None, 8)) == "N×8"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1, "0 s"),
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7800, "2 h 10 min"),
    ],
)
def test_a_duration_has_as_few_units_as_it_needs(seconds, expected):
    assert format_duration(seconds) == expected
