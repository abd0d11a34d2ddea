from itertools import combinations

import numpy as np
import pytest
import torch

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.responsibility.sobol import (
    SobolIndices,
    exact_terms,
    half_squared_distances,
    row_terms,
    saltelli_paths,
    sobol_indices,
)
from rpganify.paths import PathSpace
from tests.unit.analysis import anova

SIZES = (3, 4, 2)


def table(sizes: tuple[int, ...] = SIZES, num_values: int = 1, seed: int = 0) -> torch.Tensor:
    """A vector for every path, with effects of all orders."""
    return torch.randn(*sizes, num_values, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def sampled_terms(values: torch.Tensor, num_rows: int, seed: int = 0) -> torch.Tensor:
    space, chance = PathSpace(tuple(values.shape[:-1])), torch.Generator().manual_seed(seed)
    one, other = (space.sample(num_rows, generator=chance) for _ in range(2))
    paths = saltelli_paths(one, other, range(space.num_buckets))
    found = values[tuple(paths.flatten(0, 1).T)].view(num_rows, -1, values.shape[-1])
    return row_terms(half_squared_distances(found), space.num_buckets)


def indices_of(terms: torch.Tensor, k: int, seed: int = 0) -> SobolIndices:
    return sobol_indices(terms, range(k), k, 1.0, torch.Generator().manual_seed(seed))


def shares(estimates: tuple[Estimate | None, ...]) -> list[float]:
    return [estimate.value for estimate in estimates if estimate is not None]


def test_a_row_is_two_paths_and_each_with_one_bucket_of_the_other():
    one, other = torch.tensor([[0, 1, 2, 3]]), torch.tensor([[5, 6, 7, 8]])
    rows = saltelli_paths(one, other, [0, 2, 3])
    assert rows[0].tolist() == [
        *([0, 1, 2, 3], [5, 6, 7, 8]),
        *([5, 1, 2, 3], [0, 1, 7, 3], [0, 1, 2, 8]),
        *([0, 6, 7, 8], [5, 6, 2, 8], [5, 6, 7, 3]),
    ]


@pytest.mark.parametrize("num_values", [1, 3])
def test_of_all_paths_the_indices_are_those_of_the_definition(num_values: int):
    values = table(num_values=num_values)
    first, total, pairs = anova.indices(values.numpy())
    found = indices_of(exact_terms(values), 3)
    assert shares(found.first) == pytest.approx(first, abs=1e-12)
    assert shares(found.total) == pytest.approx(total, abs=1e-12)
    for pair, share in pairs.items():
        estimate = found.pairs[pair]
        assert estimate is not None and estimate.value == pytest.approx(share, abs=1e-12)
        assert estimate.low == estimate.value == estimate.high
    assert found.std == pytest.approx(np.sqrt(sum(values[..., i].numpy().var() for i in range(num_values))))
    assert found.alone is not None and found.alone.value == pytest.approx(sum(first))
    assert shares(found.joint) == pytest.approx([t - f for t, f in zip(total, first, strict=True)])


@pytest.mark.parametrize("num_values", [1, 3])
def test_over_many_rows_the_terms_come_to_those_of_all_paths(num_values: int):
    values = table(num_values=num_values)
    terms = sampled_terms(values, 40_000)
    error = terms.std(dim=0) / len(terms) ** 0.5
    assert torch.all((terms.mean(dim=0) - exact_terms(values)[0]).abs() < 4 * error)
    assert torch.all(error < 0.02 * terms[:, 0].mean())


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    values = table((4, 5, 3, 6), seed=3)
    first, total, pairs = anova.indices(values.numpy())
    hits, count = np.zeros(3), np.zeros(3)
    for seed in range(60):
        found = indices_of(sampled_terms(values, 250, seed), 4, seed)
        estimates = [found.first, found.total, tuple(found.pairs[pair] for pair in combinations(range(4), 2))]
        for kind, (of_kind, truth) in enumerate(zip(estimates, (first, total, list(pairs.values())), strict=True)):
            for estimate, share in zip(of_kind, truth, strict=True):
                assert estimate is not None
                hits[kind] += estimate.low <= share <= estimate.high
                count[kind] += 1
    assert count.tolist() == [240, 240, 360]
    assert np.all(hits / count > 0.9) and np.all(hits / count < 0.99)  # 95 %, and about 1.5 % of chance in each


def test_a_bucket_without_effect_has_a_share_of_exactly_0_in_every_row():
    values = table((3, 4))[:, None].expand(3, 5, 4, 1)
    terms = sampled_terms(values, 50)
    k, idle = 3, 1
    assert torch.all(terms[:, 1 + idle] == 0) and torch.all(terms[:, 1 + k + idle] == 0)
    found = indices_of(terms, k)
    assert found.first[idle] == found.total[idle] == Estimate(0.0, 0.0, 0.0)
    assert indices_of(exact_terms(values), k).first[idle] == Estimate(0.0, 0.0, 0.0)


def test_a_bucket_that_decides_everything_has_all_of_it_whatever_the_rows():
    values = table((7,))[:, None].expand(7, 4, 1)
    found = indices_of(sampled_terms(values, 30), 2)
    first, total = found.first[0], found.total[0]
    assert first is not None and total is not None
    # Numerator and variance are of the same rows.
    assert (total.value, total.low, total.high) == pytest.approx((1, 1, 1), abs=1e-12)
    assert first.value == pytest.approx(1, abs=1e-12)


def test_a_vectors_index_is_the_mean_of_its_components_weighed_by_variance():
    values = table(num_values=4)
    whole = exact_terms(values)[0]
    parts = torch.cat([exact_terms(values[..., i : i + 1]) for i in range(4)])
    assert torch.allclose(whole, parts.sum(dim=0), rtol=1e-12)
    sampled = sampled_terms(values, 20)
    assert torch.allclose(sampled, sum(sampled_terms(values[..., i : i + 1], 20) for i in range(4)), rtol=1e-9)


def test_shares_alone_add_up_to_at_most_all_and_totals_to_at_least_all():
    for seed in range(10):
        found = indices_of(exact_terms(table(seed=seed)), 3)
        assert sum(shares(found.first)) < 1 < sum(shares(found.total))
        assert all(joint >= 0 for joint in shares(found.joint))


def test_a_constant_has_no_index():
    found = indices_of(exact_terms(torch.full((3, 4, 1), 7.3, dtype=torch.float64)), 2)
    assert found.std == 0 and found.first == found.total == (None, None) and found.pairs == {(0, 1): None}
    assert found.alone is None
    rounded = 1e6 + 1e-7 * table((3, 4))  # what rounding leaves of a constant a million large
    scale = float(rounded.square().mean())
    assert sobol_indices(exact_terms(rounded), [0, 1], 2, scale, torch.Generator()).first == (None, None)


def test_a_bucket_that_is_not_varied_has_no_index_and_the_others_keep_their_places():
    terms = exact_terms(table((3, 4)))
    found = sobol_indices(terms, [0, 2], 3, 1.0, torch.Generator().manual_seed(0))
    assert found.first[1] is None and found.total[1] is None and found.joint[1] is None
    assert found.first[0] is not None and found.first[2] is not None and list(found.pairs) == [(0, 2)]


def test_a_single_bucket_decides_all():
    found = indices_of(exact_terms(table((5,))), 1)
    assert shares(found.first) == pytest.approx([1]) and found.pairs == {}


def test_equal_values_are_at_distance_0_exactly():
    values = torch.full((2, 4, 3), 1e5 + 0.1, dtype=torch.float32)
    assert torch.all(half_squared_distances(values) == 0)
    values[0, 1, 0] += 2
    assert float(half_squared_distances(values)[0, 0, 1]) == pytest.approx(2, rel=1e-2)  # float32 near 1e5
