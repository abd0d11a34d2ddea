import re

import pytest
import torch
from torch import Tensor, nn

from rpganify.analysis.geometry.metric import FORMS, measure_metric
from rpganify.errors import AnalysisError
from tests.unit.analysis.geometry.spaces import by_definition, network, products_of, somewhere

# Relative to the largest eigenvalue. Lanczos stops at 1e-12; differences of gradients in double precision, 6e-6 apart, are
# exact to the square of that and to rounding over it, about 1e-10.
TOLERANCES = {"exact": 1e-12, "lanczos": 1e-10, "finite-differences": 1e-8}


def linear(singular: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A map `(40, dim)` with these singular values, and its axes, one per column."""
    chance = torch.Generator().manual_seed(seed)
    left = torch.linalg.qr(torch.randn(40, len(singular), generator=chance, dtype=torch.float64)).Q
    right = torch.linalg.qr(torch.randn(len(singular), len(singular), generator=chance, dtype=torch.float64)).Q
    return left * singular.double() @ right.T, right


@pytest.mark.parametrize("form", FORMS)
def test_a_linear_generator_has_twice_its_squared_singular_values_everywhere(form: str):
    singular = torch.tensor([5.0, 3.0, 2.0, 1.0, 0.5, 0.1], dtype=torch.float64)
    matrix, right = linear(singular)
    products = products_of(lambda z: (z @ matrix.T).view(-1, 1, 5, 8), 6)

    for seed in range(2):
        metric = measure_metric(products, somewhere(6, seed), form=form, num_top=4)

        wanted = 2 * singular.square()[: len(metric.eigenvalues)]
        torch.testing.assert_close(
            metric.eigenvalues, wanted, atol=1e-10 * 50 if form != "exact" else 1e-12 * 50, rtol=0
        )
        aligned = (metric.eigenvectors.T @ right[:, : len(wanted)]).diagonal().abs()
        torch.testing.assert_close(aligned, torch.ones_like(aligned), atol=1e-6, rtol=0)
        assert metric.trace == pytest.approx(2 * float(singular.square().sum()), abs=3 * metric.trace_error + 1e-7)


def test_a_quadratic_generator_has_the_metric_of_its_slope_at_the_position():
    chance = torch.Generator().manual_seed(0)
    linear_part = torch.randn(12, 5, generator=chance, dtype=torch.float64)
    bends = torch.randn(12, 5, 5, generator=chance, dtype=torch.float64)
    bends = bends + bends.transpose(1, 2)

    def images(z: Tensor) -> Tensor:
        return (z @ linear_part.T + torch.einsum("ni,fij,nj->nf", z, bends, z)).view(-1, 3, 2, 2)

    at = somewhere(5)
    slope = linear_part + 2 * bends @ at

    metric = measure_metric(products_of(images, 5), at)

    assert metric.matrix is not None
    torch.testing.assert_close(metric.matrix, 2 * slope.T @ slope, atol=1e-10, rtol=1e-12)
    torch.testing.assert_close(metric.matrix, by_definition(images, at), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_have_the_same_eigenvalues_on_a_smooth_network(form: str):
    images, at = network(nn.Tanh()), somewhere(10)
    wanted = torch.linalg.eigvalsh(by_definition(images, at)).flip(0)

    metric = measure_metric(products_of(images, 10), at, form=form, num_top=6)

    count = len(metric.eigenvalues)
    assert count == (6 if form == "lanczos" else 10)
    tolerance = TOLERANCES[form] * float(wanted[0])
    torch.testing.assert_close(metric.eigenvalues, wanted[:count], atol=tolerance, rtol=0)


def test_on_a_relu_network_the_exact_form_is_the_hessian_where_it_has_one():
    images, at = network(nn.ReLU()), somewhere(10)

    metric = measure_metric(products_of(images, 10), at)

    assert metric.matrix is not None
    torch.testing.assert_close(metric.matrix, by_definition(images, at), atol=1e-10, rtol=1e-10)


def test_single_precision_agrees_with_double_to_its_own_rounding():
    at = somewhere(10)
    wanted = measure_metric(products_of(network(nn.Tanh()), 10), at).eigenvalues
    single = products_of(network(nn.Tanh(), dtype=torch.float32), 10, torch.float32)

    found = {form: measure_metric(single, at, form=form, num_top=5) for form in FORMS}

    # 24 bits in each product; of differences 5e-3 apart a third of the digits are left.
    for form, tolerance in {"exact": 1e-6, "lanczos": 3e-6, "finite-differences": 1e-3}.items():
        values = found[form].eigenvalues
        torch.testing.assert_close(values, wanted[: len(values)], atol=tolerance * float(wanted[0]), rtol=0)


@pytest.mark.parametrize("form", FORMS)
def test_symmetry_sign_and_every_eigenpair_are_checked_by_products_of_their_own(form: str):
    metric = measure_metric(products_of(network(nn.Tanh()), 10), somewhere(10), form=form, num_top=5)

    assert metric.checks is not None
    assert metric.checks.residuals.shape == metric.eigenvalues.shape
    assert metric.checks.residual < 1e-8
    assert metric.checks.asymmetry < 1e-8
    assert metric.checks.least > -1e-8


def test_the_checks_notice_a_metric_that_is_none_of_the_generator(monkeypatch: pytest.MonkeyPatch):
    def wrong(products: object, position: Tensor, max_bytes: int, progress: object) -> Tensor:
        return torch.diag(torch.arange(10.0, 0.0, -1.0, dtype=torch.float64))

    monkeypatch.setattr("rpganify.analysis.geometry.metric.exact_matrix", wrong)

    metric = measure_metric(products_of(network(nn.Tanh()), 10), somewhere(10))

    assert metric.checks is not None
    assert metric.checks.residual > 0.1


def test_a_jacobian_beyond_the_memory_is_made_in_slices_and_gives_the_same():
    images, at = network(nn.Tanh()), somewhere(10)
    told: list[tuple[int, int]] = []
    whole = measure_metric(products_of(images, 10), at)

    # Three matrices of 10 × 10 fit, and a Jacobian of 30 of the 36 features.
    sliced = measure_metric(products_of(images, 10), at, max_bytes=2400, progress=lambda *one: told.append(one))

    assert told[-1] == (20, 20)
    torch.testing.assert_close(sliced.eigenvalues, whole.eigenvalues, atol=1e-12, rtol=1e-12)


def test_an_orthogonal_generator_moves_equally_far_in_all_directions():
    matrix = torch.linalg.qr(torch.randn(16, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q

    metric = measure_metric(products_of(lambda z: (z @ matrix.T).view(-1, 1, 4, 4), 8), somewhere(8))

    torch.testing.assert_close(metric.eigenvalues, torch.full((8,), 2.0, dtype=torch.float64), atol=1e-12, rtol=0)


def test_it_is_the_same_inside_no_grad_as_outside():
    products, at = products_of(network(nn.Tanh()), 10), somewhere(10)
    outside = {form: measure_metric(products, at, form=form, num_top=3) for form in FORMS}
    with torch.no_grad():
        inside = {form: measure_metric(products, at, form=form, num_top=3) for form in FORMS}

    for form in FORMS:
        torch.testing.assert_close(inside[form].eigenvalues, outside[form].eigenvalues, atol=0, rtol=0)


def test_a_latent_too_large_for_the_matrix_is_told_which_form_to_take():
    products = products_of(lambda z: z.view(-1, 1, 100, 200), 20_000, torch.float32)

    with pytest.raises(
        AnalysisError, match=r"20,000 dimensions.*8\.9 GiB, and 1\.0 GiB are allowed\. `--form lanczos --top 20`"
    ):
        measure_metric(products, torch.zeros(20_000))


@pytest.mark.parametrize("num_top", [0, 10, 11])
def test_lanczos_refuses_numbers_of_eigenpairs_that_it_cannot_find(num_top: int):
    with pytest.raises(AnalysisError, match=rf"finds 1 to 9 of the 10 eigenpairs of z; asked for {num_top}"):
        measure_metric(products_of(network(nn.Tanh()), 10), somewhere(10), form="lanczos", num_top=num_top)


def test_lanczos_estimates_the_whole_trace_with_an_error_that_covers_it():
    chance = torch.Generator().manual_seed(3)
    matrix = torch.randn(60, 50, generator=chance, dtype=torch.float64)
    products = products_of(lambda z: (z @ matrix.T).view(-1, 1, 6, 10), 50)

    metric = measure_metric(products, somewhere(50), form="lanczos", num_top=10)

    truth = 2 * float(matrix.square().sum())
    assert 0 < metric.trace_error < 0.05 * truth
    assert abs(metric.trace - truth) < 4 * metric.trace_error


def test_an_unknown_form_is_refused_with_those_there_are():
    with pytest.raises(AnalysisError, match=re.escape("by exact, lanczos, finite-differences, not 'exakt'")):
        measure_metric(products_of(network(nn.Tanh()), 10), somewhere(10), form="exakt")


def test_a_position_of_another_space_is_refused():
    with pytest.raises(AnalysisError, match=r"A position of z is 10 numbers; got shape \(9,\)"):
        measure_metric(products_of(network(nn.Tanh()), 10), somewhere(9))
