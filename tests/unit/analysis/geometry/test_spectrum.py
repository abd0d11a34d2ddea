import pytest
import torch
from torch import Tensor

from rpganify.analysis.geometry.metric import Metric, measure_metric
from rpganify.analysis.geometry.spectrum import band, dims, participation_ratio, spectra
from tests.unit.analysis.geometry.spaces import products_of, somewhere


def metric_of(*eigenvalues: float, trace: float | None = None) -> Metric:
    values = torch.tensor(eigenvalues, dtype=torch.float64)
    whole = float(values.sum()) if trace is None else trace
    return Metric(torch.zeros(len(values)), values, torch.eye(len(values)), whole, 0.0, "exact", None, None)


def test_an_orthogonal_generator_spreads_its_change_over_all_axes():
    matrix = torch.linalg.qr(torch.randn(16, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q

    metric = measure_metric(products_of(lambda z: (z @ matrix.T).view(-1, 1, 4, 4), 8), somewhere(8))

    assert participation_ratio(metric) == pytest.approx(8, abs=1e-10)
    assert [dims(metric, share) for share in (0.9, 0.99, 1.0)] == [8, 8, 8]


@pytest.mark.parametrize(
    ("eigenvalues", "share", "wanted"),
    [
        ((90.0, 9.0, 1.0), 0.9, 1),
        ((90.0, 9.0, 1.0), 0.99, 2),
        ((90.0, 9.0, 1.0), 0.991, 3),
        ((1.0, 1.0, 1.0, 1.0), 0.5, 2),
        ((5.0, 0.0, 0.0), 0.999, 1),
    ],
)
def test_dims_counts_the_fewest_axes_that_carry_the_share(eigenvalues: tuple[float, ...], share: float, wanted: int):
    assert dims(metric_of(*eigenvalues), share) == wanted


def test_dims_has_no_value_where_the_axes_found_do_not_carry_the_share():
    found = metric_of(6.0, 3.0, trace=10.0)

    assert dims(found, 0.9) == 2
    assert dims(found, 0.91) is None


def test_participation_ratio_of_unequal_axes_is_its_definition():
    assert participation_ratio(metric_of(3.0, 1.0)) == pytest.approx(16 / 10)
    assert participation_ratio(metric_of(7.0, 0.0, 0.0)) == pytest.approx(1)


def test_the_band_holds_the_middle_nine_tenths_of_positions():
    values = torch.arange(101.0)[:, None] * torch.tensor([1.0, 10.0])

    found = band(values)

    def same(one: Tensor, *wanted: float) -> None:
        torch.testing.assert_close(one, torch.tensor(wanted, dtype=torch.float64))

    same(found.mean, 50.0, 500.0)
    same(found.low, 5.0, 50.0)
    same(found.high, 95.0, 950.0)


def test_spectra_are_sizes_sorted_anew_as_differences_may_leave_some_below_zero():
    found = spectra([metric_of(3.0, 1e-9, -1e-7)])

    assert found.tolist() == [[3.0, 1e-7, 1e-9]]
