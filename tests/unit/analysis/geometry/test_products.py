import pytest
import torch
from torch import Tensor, nn

from rpganify.analysis.geometry.metric import measure_metric
from rpganify.analysis.geometry.products import Products
from rpganify.errors import AnalysisError
from tests.unit.analysis.geometry.spaces import by_definition, flat, network, products_of, somewhere, space_of


class WithoutForward(torch.autograd.Function):
    """The cube, by a function of somebody's own that has no forward derivative."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)  # type: ignore[attr-defined]
        return x**3

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return 3 * x**2 * gradients[0]


class Once(torch.autograd.Function):
    """The cube, with a derivative that has none itself."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)  # type: ignore[attr-defined]
        return x**3

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return 3 * x**2 * gradients[0]


def through(function: object) -> object:
    base = network(nn.Tanh())

    def images(z: Tensor) -> Tensor:
        return function(base(z))  # type: ignore[operator,no-any-return]

    return images


def jacobian(images: object, at: Tensor) -> Tensor:
    found = torch.autograd.functional.jacobian(lambda z: images(z[None])[0].flatten(), at)  # type: ignore[operator]
    assert isinstance(found, Tensor)
    return found


def test_products_are_those_with_the_whole_jacobian_in_whatever_chunks():
    images, at = network(nn.Tanh()), somewhere(10)
    directions = torch.randn(7, 10, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    J = jacobian(images, at)

    for chunk in (1, 3, 64):
        products = Products(space_of(images, 10), flat, chunk)
        torch.testing.assert_close(torch.cat(list(products.tangents(at, directions))), directions @ J.T)
        torch.testing.assert_close(products.hessian(at, directions), 2 * directions @ J.T @ J)
        torch.testing.assert_close(products.speeds(at, directions), 2 * (directions @ J.T).square().sum(dim=1))


def test_gradients_are_those_of_the_squared_distance():
    images, at = network(nn.Tanh()), somewhere(10)
    others = torch.stack([somewhere(10, seed).requires_grad_() for seed in (5, 6)])
    (wanted,) = torch.autograd.grad((images(others) - images(at[None])).square().sum(), others)

    torch.testing.assert_close(products_of(images, 10).gradients(at, others.detach()), wanted)


def test_an_operator_without_forward_derivative_is_differentiated_twice_backwards():
    images, at = through(WithoutForward.apply), somewhere(10)

    metric = measure_metric(products_of(images, 10), at)  # type: ignore[arg-type]

    assert metric.matrix is not None and metric.checks is not None
    J = jacobian(images, at)
    torch.testing.assert_close(metric.matrix, 2 * J.T @ J)
    assert metric.checks.residual < 1e-12


def test_an_operator_that_vmap_cannot_take_is_given_copies():
    base = network(nn.Tanh())

    def images(z: Tensor) -> Tensor:
        made = base(z)
        return made * 2 if float(made.detach().abs().sum()) >= 0 else made

    at = somewhere(10)
    metric = measure_metric(products_of(images, 10), at)

    assert metric.matrix is not None
    J = jacobian(images, at)
    torch.testing.assert_close(metric.matrix, 2 * J.T @ J)


def test_an_operator_with_a_first_derivative_only_takes_the_form_by_differences():
    images, at = through(Once.apply), somewhere(10)
    products = products_of(images, 10)  # type: ignore[arg-type]

    with pytest.raises(
        AnalysisError, match=r"differentiated forwards, nor twice.*`--form finite-differences` takes first derivatives"
    ):
        measure_metric(products, at)
    metric = measure_metric(products, at, form="finite-differences", is_checked=False)

    torch.testing.assert_close(metric.matrix, by_definition(through(lambda x: x**3), at), atol=1e-6, rtol=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["exact", "lanczos", "finite-differences"])
@pytest.mark.parametrize(
    ("operation", "named"),
    [
        (torch.round, "round"),
        (lambda x: x.detach(), "detach"),
        (lambda x: (x > 0).to(x.dtype), "gt"),
        (lambda x: nn.functional.one_hot(x.flatten(1).argmax(dim=1), 36).to(x.dtype).view(-1, 1, 6, 6), "argmax"),
    ],
)
def test_an_image_without_derivative_is_refused_and_the_operator_named(operation: object, named: str, form: str):
    images = through(operation)

    with pytest.raises(
        AnalysisError, match=rf"is 0 in every direction: it goes through .*\b{named}\b.*whose derivative"
    ):
        measure_metric(products_of(images, 10), somewhere(10), form=form, num_top=3)  # type: ignore[arg-type]


def test_an_image_of_whole_numbers_is_refused():
    base = network(nn.Tanh())

    with pytest.raises(AnalysisError, match=r"made of torch\.uint8 values, so that it has no derivative by z"):
        measure_metric(products_of(lambda z: (base(z) * 100).to(torch.uint8), 10), somewhere(10))


def test_a_dead_generator_is_said_to_be_dead():
    with pytest.raises(AnalysisError, match=r"0 in every direction: a dead layer or a saturated one does this"):
        measure_metric(products_of(lambda z: (z * 0).view(-1, 1, 2, 2), 4), somewhere(4))


def test_a_derivative_that_is_no_number_is_said_to_be_none():
    with pytest.raises(AnalysisError, match="holds NaN or infinity"):
        measure_metric(products_of(lambda z: (z * 0).sqrt().view(-1, 1, 2, 2), 4), somewhere(4))
