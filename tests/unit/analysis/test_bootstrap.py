import numpy as np
import pytest
import torch

from rpganify.analysis.bootstrap import Estimate, interval, mean_interval, resample


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_resampled_means_are_means_of_whole_rows_drawn_again():
    rows = torch.tensor([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    drawn = resample(rows, seeded(), 500)
    assert drawn.shape == (500, 2)
    assert torch.allclose(drawn[:, 1], 10 * drawn[:, 0])  # columns stay together
    sums = (3 * drawn[:, 0]).round().int().tolist()
    possible = {a + b + c for a in (1, 2, 4) for b in (1, 2, 4) for c in (1, 2, 4)}
    assert set(sums) == possible


def test_resampled_means_spread_as_the_standard_error_says():
    rows = torch.randn(400, 1, generator=seeded(1))
    drawn = resample(rows, seeded(2), 4000)
    assert float(drawn.std()) == pytest.approx(
        float(rows.std()) / 20, rel=0.05
    )  # 4000 resamples: within 1.1 %, four times


def test_one_row_has_no_spread():
    assert interval(torch.tensor([3.0]), resample(torch.tensor([[3.0]]), seeded())) == [Estimate(3.0, 3.0, 3.0)]


def test_the_interval_is_the_middle_95_per_cent_as_numpy_has_it():
    resampled = torch.randn(1000, 2, dtype=torch.float64, generator=seeded())
    found = interval(torch.zeros(2, dtype=torch.float64), resampled)
    for column, estimate in enumerate(found):
        assert estimate is not None
        low, high = np.quantile(resampled[:, column].numpy(), [0.025, 0.975])
        assert (estimate.low, estimate.high) == pytest.approx((low, high), rel=1e-12)


def test_what_has_no_value_has_no_interval_and_resamples_without_one_are_left_out():
    resampled = torch.tensor([[1.0, torch.nan, 5.0], [3.0, torch.nan, torch.nan]], dtype=torch.float64)
    one, two, three = interval(torch.tensor([2.0, 1.0, torch.nan]), resampled)
    assert one is not None and (one.low, one.high) == pytest.approx((1.05, 2.95))
    assert two is None and three is None
    assert interval(torch.tensor([5.0, 5.0]), resampled[:, 1:])[1] == Estimate(5.0, 5.0, 5.0)


def test_the_interval_of_a_mean_covers_the_truth_about_as_often_as_it_says():
    covered = 0
    for seed in range(200):
        found = mean_interval(torch.randn(60, generator=seeded(seed)), seeded(1000 + seed), 400)
        assert found is not None
        covered += found.low <= 0 <= found.high
    assert 180 <= covered <= 200  # of 95 %, three standard deviations of a count of 200 are 9


def test_a_mean_leaves_out_what_is_not_a_number():
    values = torch.tensor([1.0, torch.nan, 3.0])
    found = mean_interval(values, seeded())
    assert found is not None and found.value == 2 and 1 <= found.low < 2 < found.high <= 3
    assert mean_interval(torch.full((3,), torch.nan), seeded()) is None


@pytest.mark.parametrize(("low", "expected"), [(0.01, True), (0.0, False), (-0.1, False)])
def test_an_interval_that_touches_0_is_not_above_it(low: float, expected: bool):
    assert Estimate(0.2, low, 0.4).is_above_zero is expected
