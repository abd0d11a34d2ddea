import torch

from rpganify.analysis.geometry.products import Products
from rpganify.bench.geometry import compare_forms, forms_table
from tests.unit.analysis.geometry.spaces import flat, network, somewhere, space_of


def test_the_forms_agree_and_each_is_weighed():
    told: list[tuple[int, int]] = []
    products = Products(space_of(network(torch.nn.Tanh()), 10), flat)

    costs = compare_forms(products, somewhere(10), 0, lambda *one: told.append(one))

    assert [one.form for one in costs] == ["exact", "finite-differences", "lanczos"]
    assert [one.num_eigenpairs for one in costs] == [10, 10, 9]
    assert costs[0].difference == 0 and all(one.difference < 1e-8 for one in costs)
    assert all(one.seconds > 0 for one in costs)
    # At least H itself, and no more than a hundred matrices of the network's size.
    assert all(10 * 8 <= one.peak_bytes < 100 * 36 * 30 * 8 for one in costs)
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_the_table_has_a_row_for_each_form():
    products = Products(space_of(network(torch.nn.Tanh()), 10), flat)
    costs = compare_forms(products, somewhere(10), 0)

    table = forms_table(costs)

    assert [row[0] for row in table.rows] == ["exact", "finite-differences", "lanczos"]
    assert [column.unit for column in table.columns][2:4] == ["s", "MiB"]
