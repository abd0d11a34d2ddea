import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from rpganify.training.losses import Hinge, NonSaturating, WassersteinGP

ALL_LOSSES = [Hinge(), NonSaturating(), WassersteinGP()]
names = [type(loss).__name__ for loss in ALL_LOSSES]


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
    real, fake = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    loss.discriminator(real, fake).backward()
    assert (real.grad < 0).all() and (fake.grad > 0).all()  # descent raises real scores and lowers fake ones
    fake = torch.zeros(4, requires_grad=True)
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
def test_the_penalty_is_two_sided(size):
    slope = torch.tensor([size, 0.0, 0.0, 0.0])
    images = torch.zeros(2, 1, 2, 2)
    penalty = WassersteinGP().penalty(Linear(slope), images, images, torch.Generator())
    assert penalty.item() == pytest.approx(10 * (size - 1) ** 2)


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


def test_spectral_norm_goes_with_every_loss_but_the_penalised_one():
    assert [loss.wants_spectral_norm for loss in ALL_LOSSES] == [True, True, False]
    assert Hinge().penalty(nn.Identity(), torch.zeros(1), torch.zeros(1), torch.Generator()) is None
    assert NonSaturating().penalty(nn.Identity(), torch.zeros(1), torch.zeros(1), torch.Generator()) is None
