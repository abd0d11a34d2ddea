import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from rpganify.errors import TrainingError
from rpganify.testing import check_loss
from rpganify.training.losses import Hinge, LeastSquares, NonSaturating, NonSaturatingR1, WassersteinGP

ALL_LOSSES = [
    Hinge(),
    NonSaturating(),
    NonSaturatingR1(),
    LeastSquares(),
    WassersteinGP(),
    WassersteinGP(one_sided=True),
]
names = [*(type(loss).__name__ for loss in ALL_LOSSES[:-1]), "one-sided"]
PENALISED = [NonSaturatingR1(), WassersteinGP(), WassersteinGP(one_sided=True)]


@pytest.mark.parametrize("loss", ALL_LOSSES, ids=names)
def test_every_built_in_loss_keeps_the_laws_that_plugins_losses_are_held_to(loss):
    check_loss(loss)


@pytest.mark.parametrize("loss", ALL_LOSSES, ids=names)
def test_a_discriminator_that_separates_pays_less_than_one_that_is_wrong(loss):
    high, low = torch.full((8,), 0.9), torch.full((8,), -0.9)
    assert loss.discriminator(high, low) < loss.discriminator(torch.zeros(8), torch.zeros(8))
    assert loss.discriminator(torch.zeros(8), torch.zeros(8)) < loss.discriminator(low, high)


@pytest.mark.parametrize("loss", ALL_LOSSES, ids=names)
def test_a_generator_whose_images_score_high_pays_less(loss):
    assert loss.generator(torch.full((8,), 0.9)) < loss.generator(torch.full((8,), -0.9))


@pytest.mark.parametrize("loss", ALL_LOSSES, ids=names)
def test_descending_separates_the_scores_and_then_the_generator_pulls_them_back(loss):
    # At 0.5 no loss is where it wants either score to be; at 0 the least squares of a fake score are.
    real, fake = torch.full((4,), 0.5, requires_grad=True), torch.full((4,), 0.5, requires_grad=True)
    loss.discriminator(real, fake).backward()
    assert (real.grad < 0).all() and (fake.grad > 0).all()  # descent raises real scores and lowers fake ones
    fake = torch.full((4,), 0.5, requires_grad=True)
    loss.generator(fake).backward()
    assert (fake.grad < 0).all()


def test_hinge_is_the_paper_s_formula_sample_by_sample():
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-2.0, -0.5, 1.0])
    expected = sum(max(0.0, 1 - r) for r in real.tolist()) / 3 + sum(max(0.0, 1 + f) for f in fake.tolist()) / 3
    assert Hinge().discriminator(real, fake).item() == pytest.approx(expected)
    assert Hinge().generator(fake).item() == pytest.approx(-fake.mean().item())


def test_non_saturating_is_binary_cross_entropy_on_raw_scores():
    real, fake = torch.randn(16, dtype=torch.float64), torch.randn(16, dtype=torch.float64)
    cross_entropy = functional.binary_cross_entropy_with_logits
    expected = cross_entropy(real, torch.ones_like(real)) + cross_entropy(fake, torch.zeros_like(fake))
    torch.testing.assert_close(NonSaturating().discriminator(real, fake), expected)
    torch.testing.assert_close(NonSaturating().generator(fake), cross_entropy(fake, torch.ones_like(fake)))


def test_non_saturating_keeps_its_gradient_where_the_saturating_form_has_none():
    fake = torch.tensor([-60.0], requires_grad=True)
    NonSaturating().generator(fake).backward()
    assert fake.grad.item() == pytest.approx(-1.0)
    assert math.isfinite(NonSaturating().discriminator(torch.tensor([-1e4]), torch.tensor([1e4])).item())


def test_r1_is_the_same_cross_entropy_beside_its_penalty():
    real, fake = torch.randn(16), torch.randn(16)
    assert torch.equal(NonSaturatingR1().discriminator(real, fake), NonSaturating().discriminator(real, fake))
    assert torch.equal(NonSaturatingR1().generator(fake), NonSaturating().generator(fake))


def test_least_squares_is_the_paper_s_formula_sample_by_sample():
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-2.0, 0.5, 1.0])
    to_one = sum(0.5 * (score - 1) ** 2 for score in real.tolist()) / 3
    to_zero = sum(0.5 * score**2 for score in fake.tolist()) / 3
    assert LeastSquares().discriminator(real, fake).item() == pytest.approx(to_one + to_zero)
    expected = sum(0.5 * (score - 1) ** 2 for score in fake.tolist()) / 3
    assert LeastSquares().generator(fake).item() == pytest.approx(expected)


def test_least_squares_pulls_back_scores_that_are_too_good_where_hinge_lets_them_be():
    real, fake = torch.tensor([3.0], requires_grad=True), torch.tensor([-2.0], requires_grad=True)
    LeastSquares().discriminator(real, fake).backward()
    assert (real.grad.item(), fake.grad.item()) == (2.0, -2.0)
    real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
    Hinge().discriminator(real, fake).backward()
    assert (real.grad.item(), fake.grad.item()) == (0.0, 0.0)


class Linear(nn.Module):
    """Scores `slope · pixels`, whose gradient is `slope` everywhere."""

    def __init__(self, slope):
        super().__init__()
        self.slope = nn.Parameter(slope)

    def forward(self, images):
        return images.flatten(1) @ self.slope


def test_the_penalty_of_a_linear_discriminator_is_known_in_closed_form():
    slope = torch.randn(12, dtype=torch.float64)
    discriminator = Linear(slope)
    real, fake = torch.randn(5, 3, 2, 2, dtype=torch.float64), torch.randn(5, 3, 2, 2, dtype=torch.float64)
    penalty = WassersteinGP().penalty(discriminator, real, fake, torch.Generator().manual_seed(0))
    norm = slope.norm()
    torch.testing.assert_close(penalty, 10 * (norm - 1) ** 2)
    penalty.backward()
    torch.testing.assert_close(discriminator.slope.grad, 20 * (norm - 1) * slope / norm)


@pytest.mark.parametrize("size", [0.5, 2.0])
def test_the_penalty_is_two_sided_unless_asked_otherwise(size):
    slope = torch.tensor([size, 0.0, 0.0, 0.0])
    images = torch.zeros(2, 1, 2, 2)
    penalty = WassersteinGP().penalty(Linear(slope), images, images, torch.Generator())
    assert penalty.item() == pytest.approx(10 * (size - 1) ** 2)
    one_sided = WassersteinGP(one_sided=True).penalty(Linear(slope), images, images, torch.Generator())
    assert one_sided.item() == pytest.approx(10 * max(0.0, size - 1) ** 2)


def test_one_sided_and_two_sided_penalties_agree_on_the_samples_that_are_too_steep():
    real, fake = torch.randn(6, 1, 3, 3, dtype=torch.float64), torch.randn(6, 1, 3, 3, dtype=torch.float64)
    shares = torch.rand(6, 1, 1, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    norms = [((1 - share) * r + share * f).norm().item() for share, r, f in zip(shares, 0.3 * real, fake, strict=True)]
    assert min(norms) < 1 < max(norms)
    penalty = WassersteinGP(one_sided=True).penalty(Square(), 0.3 * real, fake, torch.Generator().manual_seed(3))
    assert penalty.item() == pytest.approx(10 * sum(max(0.0, norm - 1) ** 2 for norm in norms) / 6)


def test_r1_is_half_gamma_times_the_squared_slope_at_the_real_images():
    real = torch.randn(6, 1, 3, 3, dtype=torch.float64)
    fake = torch.full_like(real, torch.nan)  # it does not look at fake images
    penalty = NonSaturatingR1(penalty_weight=3.0).penalty(Square(), real, fake, torch.Generator())
    expected = sum(1.5 * image.square().sum().item() for image in real) / 6  # the slope of Square at x is x
    assert penalty.item() == pytest.approx(expected)


def test_r1_of_a_linear_discriminator_moves_its_slope_towards_zero():
    slope = torch.randn(12, dtype=torch.float64)
    discriminator, images = Linear(slope), torch.randn(5, 3, 2, 2, dtype=torch.float64)
    NonSaturatingR1().penalty(discriminator, images, images, torch.Generator()).backward()
    torch.testing.assert_close(discriminator.slope.grad, 10 * slope)


@pytest.mark.parametrize("loss", PENALISED, ids=["r1", "two-sided", "one-sided"])
def test_a_penalty_s_gradient_in_the_weights_is_the_numerical_one(loss):
    images = torch.randn(3, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def penalty(weight, out):
        def scores(x):
            return torch.tanh(x.flatten(1) @ weight) @ out

        return loss.penalty(scores, 2 * images, -images, torch.Generator().manual_seed(1))

    draws = torch.Generator().manual_seed(2)
    weight = 2 * torch.randn(4, 3, dtype=torch.float64, generator=draws)
    out = 2 * torch.randn(3, dtype=torch.float64, generator=draws)
    assert penalty(weight, out) > 0  # the one-sided form is not flat here
    assert torch.autograd.gradcheck(penalty, (weight.requires_grad_(), out.requires_grad_()))


@pytest.mark.parametrize("build", [NonSaturatingR1, WassersteinGP])
@pytest.mark.parametrize("weight", [-1.0, math.inf, math.nan])
def test_a_weight_that_rewards_steep_discriminators_is_refused(build, weight):
    with pytest.raises(TrainingError, match=r"penalty_weight=.* would reward steep.*finite number, 0 or larger"):
        build(penalty_weight=weight)


def test_a_side_that_is_neither_true_nor_false_is_refused():
    with pytest.raises(TrainingError, match="one_sided is True or False, got 'yes'"):
        WassersteinGP(one_sided="yes")


class Square(nn.Module):
    """Scores half the squared norm of an image: the gradient at x is x itself."""

    def forward(self, images):
        return images.flatten(1).square().sum(1) / 2


def test_the_penalty_is_taken_per_sample_between_each_real_image_and_its_fake():
    real, fake = torch.randn(6, 1, 3, 3, dtype=torch.float64), torch.randn(6, 1, 3, 3, dtype=torch.float64)
    penalty = WassersteinGP(penalty_weight=2.5).penalty(Square(), real, fake, torch.Generator().manual_seed(3))
    shares = torch.rand(6, 1, 1, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    norms = [((1 - share) * r + share * f).norm() for share, r, f in zip(shares, real, fake, strict=True)]
    expected = 2.5 * sum((norm - 1) ** 2 for norm in norms) / 6
    torch.testing.assert_close(penalty, expected)


def test_the_penalty_draws_from_its_generator_only():
    before = torch.get_rng_state()
    images = torch.randn(4, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    values = [
        WassersteinGP().penalty(Square(), images, -images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    assert values[0] == values[1] != values[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_a_flat_discriminator_has_a_finite_penalty_gradient():
    discriminator = Linear(torch.zeros(4))
    images = torch.ones(2, 1, 2, 2)
    WassersteinGP().penalty(discriminator, images, -images, torch.Generator()).backward()
    assert torch.isfinite(discriminator.slope.grad).all()


def test_spectral_norm_goes_with_every_loss_but_the_penalised_ones():
    assert all(loss.wants_spectral_norm != (loss in PENALISED) for loss in ALL_LOSSES)
    assert Hinge().penalty(nn.Identity(), torch.zeros(1), torch.zeros(1), torch.Generator()) is None
    assert NonSaturating().penalty(nn.Identity(), torch.zeros(1), torch.zeros(1), torch.Generator()) is None
