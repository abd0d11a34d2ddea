import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rpganify.analysis.geometry.homogeneity import correlation, homogeneity, log_agreement, mean_of_pairs, pairs_of
from rpganify.analysis.geometry.metric import Metric, measure_metric
from rpganify.analysis.geometry.products import Products
from tests.unit.analysis.geometry.spaces import Images, network, products_of, somewhere

SINGULAR = torch.tensor([9.0, 5.0, 2.0, 1.0, 0.3, 0.05], dtype=torch.float64)


def rotation(size: int, seed: int) -> Tensor:
    return torch.linalg.qr(
        torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    ).Q


def linear(seed: int, singular: Tensor = SINGULAR) -> Images:
    matrix = rotation(12, 0)[:, : len(singular)] * singular @ rotation(len(singular), seed).T
    return lambda z: (z @ matrix.T).view(-1, 3, 2, 2)


def at_positions(products: Products, count: int, form: str = "exact") -> tuple[list[Metric], list[Products]]:
    dim = products.space.dim
    return [measure_metric(products, somewhere(dim, seed), form=form, num_top=4) for seed in range(count)], [
        products
    ] * count


@pytest.mark.parametrize("form", ["exact", "lanczos", "finite-differences"])
def test_a_linear_generator_is_the_same_everywhere(form: str):
    found = homogeneity(*at_positions(products_of(linear(1), 6), 4, form))

    ones = torch.ones(4, 4, dtype=torch.float64)
    # Differences of gradients know the least eigenvalue, 6e-5 of the largest, to a thousandth.
    tolerance = 1e-3 if form == "finite-differences" else 1e-9
    torch.testing.assert_close(found.linear, ones, atol=tolerance, rtol=0)
    torch.testing.assert_close(found.log, ones, atol=tolerance, rtol=0)


def test_it_is_the_correlation_of_the_metric_along_the_axes_of_another_with_its_own_eigenvalues():
    metrics, products = at_positions(products_of(network(nn.Tanh()), 10), 3)
    found = homogeneity(metrics, products)

    for i in range(3):
        for j in range(3):
            matrix, axes = metrics[j].matrix, metrics[i].eigenvectors
            assert matrix is not None
            along = (axes.T @ matrix @ axes).diagonal().numpy()
            own = metrics[j].eigenvalues.numpy()
            assert float(found.linear[i, j]) == pytest.approx(np.corrcoef(along, own)[0, 1], abs=1e-9)
            assert float(found.log[i, j]) == pytest.approx(np.corrcoef(np.log10(along), np.log10(own))[0, 1], abs=1e-9)


def test_without_a_matrix_it_is_had_from_products_and_is_that_of_the_same_axes():
    products = products_of(network(nn.Tanh()), 10)
    found = homogeneity(*at_positions(products, 3, "lanczos"))
    whole, _ = at_positions(products, 3)

    own = whole[1].eigenvalues[:4].numpy()
    matrix, axes = whole[1].matrix, whole[0].eigenvectors[:, :4]
    assert matrix is not None
    along = (axes.T @ matrix @ axes).diagonal().numpy()
    assert float(found.linear[0, 1]) == pytest.approx(np.corrcoef(along, own)[0, 1], abs=1e-7)


def test_generators_with_other_axes_agree_less_than_one_with_itself():
    products = [products_of(linear(seed), 6) for seed in (1, 2, 3)]
    metrics = [measure_metric(one, somewhere(6)) for one in products]

    found = homogeneity(metrics, products)

    assert torch.equal(found.linear.diagonal() > 1 - 1e-12, torch.ones(3, dtype=torch.bool))
    assert float(pairs_of(found.linear).max()) < 0.95


def test_dead_directions_count_as_the_floor_and_are_counted():
    dead = torch.tensor([3.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    found = homogeneity(*at_positions(products_of(linear(1, dead), 4), 2))

    assert found.floor == 1e-14
    # Two dead ones, along the axes and of its own, both ways.
    assert (found.num_floored, found.num_values) == (8, 16)
    torch.testing.assert_close(found.log, torch.ones(2, 2, dtype=torch.float64), atol=1e-9, rtol=0)


def test_the_floor_changes_the_logarithms_alone_and_as_it_says():
    metrics, products = at_positions(products_of(network(nn.Tanh()), 10), 3)
    whole = homogeneity(metrics, products)
    floor = float(whole.own[1, 5] / whole.own[1, 0])

    log, num_floored = log_agreement(whole.along, whole.own, floor)

    matrix, axes = metrics[1].matrix, metrics[0].eigenvectors
    assert matrix is not None
    least = floor * float(metrics[1].eigenvalues[0])
    along = np.maximum((axes.T @ matrix @ axes).diagonal().numpy(), least)
    own = np.maximum(metrics[1].eigenvalues.numpy(), least)
    assert float(log[0, 1]) == pytest.approx(np.corrcoef(np.log10(along), np.log10(own))[0, 1], abs=1e-9)
    assert 2 * 4 <= num_floored < whole.num_values and whole.num_floored == 0


def test_where_all_directions_are_equal_there_is_no_correlation():
    equal = torch.ones(4, dtype=torch.float64)
    found = homogeneity(*at_positions(products_of(linear(1, equal), 4), 2))

    assert bool(found.linear.isnan().all()) and bool(found.log.isnan().all())
    assert mean_of_pairs(found.linear, torch.Generator().manual_seed(0)) is None


def test_correlation_is_pearsons():
    one, other = torch.randn(2, 30, generator=torch.Generator().manual_seed(0))

    assert correlation(one, other) == pytest.approx(np.corrcoef(one.numpy(), other.numpy())[0, 1], abs=1e-6)
    assert correlation(one, -2 * one + 3) == pytest.approx(-1)


def test_the_mean_of_pairs_leaves_out_the_diagonal_and_what_has_no_value():
    values = torch.full((3, 3), 100.0, dtype=torch.float64)
    values[0, 1], values[1, 0], values[0, 2], values[2, 0] = 0.2, 0.4, 0.6, 0.8
    values[1, 2] = values[2, 1] = torch.nan

    found = mean_of_pairs(values, torch.Generator().manual_seed(0))

    assert found is not None and found.value == pytest.approx(0.5)
    assert 0.2 <= found.low <= found.value <= found.high <= 0.8


def test_the_interval_is_over_positions_so_that_one_odd_position_widens_it():
    """Of twenty positions that agree and one that does not: its pairs are no independent witnesses."""
    values = torch.full((21, 21), 0.9, dtype=torch.float64)
    values[0, :] = values[:, 0] = 0.1

    found = mean_of_pairs(values, torch.Generator().manual_seed(0))

    assert found is not None
    # Drawn twice or thrice, the odd one is in a fifth to a quarter of all pairs; not at all, in none.
    assert found.high == pytest.approx(0.9)
    assert found.low < 0.75


def test_pairs_are_the_mean_of_both_ways():
    values = torch.tensor([[1.0, 0.2, 0.3], [0.4, 1.0, 0.5], [0.7, 0.1, 1.0]])

    torch.testing.assert_close(pairs_of(values), torch.tensor([0.3, 0.5, 0.3]))
