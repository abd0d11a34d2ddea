import pytest
import torch

from rpganify.analysis.controls.translation import measure_translation
from tests.unit.analysis.controls.test_scoring import AFTER, BEFORE, probabilities


def chance():
    return torch.Generator().manual_seed(0)


def test_rates_are_of_the_source_s_images_and_the_diagonal_is_what_stays():
    found = measure_translation(BEFORE, (AFTER, None, probabilities(10 * [2])), chance())
    values = [[None if one is None else one.value for one in row] for row in found.rates]
    assert found.num_sources == (2, 3, 5)
    assert values == [
        [pytest.approx(1 / 2), None, 1.0],
        [pytest.approx(2 / 3), None, 1.0],
        [pytest.approx(2 / 5), None, 1.0],
    ]


def test_the_image_that_is_shown_is_the_one_of_median_probability():
    before = torch.cat([probabilities([1], sure) for sure in (0.9, 0.5, 0.7, 0.6, 0.8)])
    found = measure_translation(before, (None, None, None), chance())
    assert found.examples == (None, 2, None)
    assert found.rates[0] == (None, None, None)
