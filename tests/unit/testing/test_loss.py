"""The check of losses passes the right ones, and says what is wrong with the others."""

import pytest
import torch
from torch.nn import functional

from rpganify.entries import LossEntry
from rpganify.registry import Registry, resolve
from rpganify.testing import BrokenLaw, check_loss


class LeastSquares:
    """A correct loss that shares nothing with the built-in ones; its fake term is flat at fake scores of 0."""

    wants_spectral_norm = False

    def discriminator(self, real_scores, fake_scores):
        return (real_scores - 1).square().mean() + fake_scores.square().mean()

    def generator(self, fake_scores):
        return (fake_scores - 1).square().mean()

    def penalty(self, discriminator, real, fake, generator):
        return None


class WithGradientPenalty(LeastSquares):
    """R1: the slope at real images."""

    def penalty(self, discriminator, real, fake, generator):
        points = real.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
        return slopes.flatten(1).square().sum(1).mean()


@pytest.mark.parametrize("entry", Registry().all(LossEntry).values(), ids=lambda entry: entry.name)
def test_every_built_in_loss_passes(entry):
    check_loss(resolve(entry.factory)())


class Relativistic:
    """How much more real the real images look than the fake ones; it has no term of fake scores alone."""

    wants_spectral_norm = True

    def discriminator(self, real_scores, fake_scores):
        return functional.softplus(fake_scores - real_scores).mean()

    def generator_against(self, real_scores, fake_scores):
        return functional.softplus(real_scores - fake_scores).mean()

    def penalty(self, discriminator, real, fake, generator):
        return None


@pytest.mark.parametrize("loss", [LeastSquares(), WithGradientPenalty(), Relativistic()])
def test_a_strangers_correct_loss_passes(loss):
    check_loss(loss)


class GeneratorPushesDown(LeastSquares):
    def generator(self, fake_scores):
        return fake_scores.mean()


class RealAndFakeSwapped(LeastSquares):
    """The distance of Wasserstein GANs, which the discriminator maximises."""

    def discriminator(self, real_scores, fake_scores):
        return real_scores.mean() - fake_scores.mean()


class FakesLeftAlone(LeastSquares):
    def discriminator(self, real_scores, fake_scores):
        return (real_scores - 1).square().mean()


class FlipsWhereItIsGood(LeastSquares):
    """Right on scores that are the wrong way round, and wrong near zero, where a training begins."""

    def discriminator(self, real_scores, fake_scores):
        return (real_scores.square() + fake_scores.square()).mean() + functional.relu(real_scores + 0.3).mean()


class Summed(LeastSquares):
    def generator(self, fake_scores):
        return (fake_scores - 1).square().sum()


class OnePerSample(LeastSquares):
    def generator(self, fake_scores):
        return (fake_scores - 1).square()


class NaiveCrossEntropy(LeastSquares):
    def discriminator(self, real_scores, fake_scores):
        return -(real_scores.sigmoid().log() + (1 - fake_scores.sigmoid()).log()).mean()


class Smoothed(LeastSquares):
    """Draws its label smoothing from the global generator."""

    def discriminator(self, real_scores, fake_scores):
        return (real_scores - torch.rand(())).square().mean() + fake_scores.square().mean()


class Ageing(LeastSquares):
    calls = 0

    def generator(self, fake_scores):
        self.calls += 1
        return (fake_scores - 1).square().mean() * self.calls


class RelativisticUpsideDown(Relativistic):
    def generator_against(self, real_scores, fake_scores):
        return self.discriminator(real_scores, fake_scores)


class Detached(LeastSquares):
    def generator(self, fake_scores):
        return (fake_scores.detach() - 1).square().mean()


class WithoutWish(LeastSquares):
    wants_spectral_norm = None


class TakesPairs(LeastSquares):
    def discriminator(self, real_scores, fake_scores, labels):
        return real_scores.mean()


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (
            GeneratorPushesDown,
            r"generator: expected .*raise the scores of fake images.*got a gradient of \+1\. .*Turn the",
        ),
        (RealAndFakeSwapped, r"discriminator: expected .*raise the scores of real .*got a gradient of \+.*real term"),
        (FakesLeftAlone, r"discriminator: expected .*lower the scores of fake .*got a gradient of \+0\..*fake term"),
        (FlipsWhereItIsGood, r"discriminator: expected forty steps .*score every real point above.*below the highest"),
        (Summed, r"generator: expected a batch twice over to cost what it costs once.*not the sum"),
        (OnePerSample, r"generator: expected a scalar tensor; got float64 \(8,\)\. Take the mean"),
        (NaiveCrossEntropy, r"discriminator: expected a finite cost at scores of .*50.*got inf\. .*softplus"),
        (Smoothed, r"discriminator: expected the global random states to stay.*got another state of torch\."),
        (Ageing, r"generator: expected the same scores to cost the same; got .*, then .*depend on its arguments"),
        (
            RelativisticUpsideDown,
            r"generator_against: expected .*raise the scores of fake images.*got a gradient of \+",
        ),
        (Detached, r"generator: expected a cost that depends on the scores; got one without a gradient.*detach"),
        (WithoutWish, r"expected `wants_spectral_norm` to be True or False; got None.*into the class"),
        (TakesPairs, r"discriminator: expected a number; got TypeError: .*'labels'\. It is called with scores"),
        (object, r": expected a method `discriminator`; got none\. `rpganify\.training\.losses\.Loss`"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_term_is_named_with_what_came_and_how_to_repair_it(loss, sentence):
    with pytest.raises(BrokenLaw, match=f"^{loss.__name__}.*{sentence}"):
        check_loss(loss())


class InnerGradientIsConstant(LeastSquares):
    def penalty(self, discriminator, real, fake, generator):
        points = real.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(discriminator(points).sum(), points)
        return slopes.square().mean()


class HalfOfTheGradientIsLost(LeastSquares):
    """One of two factors is detached, so a gradient comes, and it is wrong."""

    def penalty(self, discriminator, real, fake, generator):
        points = real.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
        return (slopes * slopes.detach()).flatten(1).sum(1).mean()


class RootAtZero(LeastSquares):
    def penalty(self, discriminator, real, fake, generator):
        points = real.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
        return (slopes.flatten(1).square().sum(1).sqrt() - 1).square().mean()


class MarksTheImages(WithGradientPenalty):
    def penalty(self, discriminator, real, fake, generator):
        return super().penalty(discriminator, real.requires_grad_(), fake, generator)


class WritesIntoTheImages(WithGradientPenalty):
    def penalty(self, discriminator, real, fake, generator):
        return super().penalty(discriminator, real.mul_(0.5), fake, generator)


class GlobalChance(WithGradientPenalty):
    def penalty(self, discriminator, real, fake, generator):
        return super().penalty(discriminator, real + torch.rand_like(real), fake, generator)


class OnePenaltyPerSample(LeastSquares):
    def penalty(self, discriminator, real, fake, generator):
        return discriminator(real).square()


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (InnerGradientIsConstant, r"expected a penalty that the discriminator's weights can be moved by.*create_graph"),
        (HalfOfTheGradientIsLost, r"expected its gradient .* to be what finite differences give, .*create_graph"),
        (RootAtZero, r"expected a finite penalty and gradient at a discriminator that is flat; got NaN.*vector_norm"),
        (MarksTheImages, r"expected requires_grad of real to stay False; got True\. Work on a copy"),
        (WritesIntoTheImages, r"expected real to keep its values; got others afterwards\. Work on a copy"),
        (GlobalChance, r"expected the global random states to stay.*torch\. Draw from the generator that it is given"),
        (OnePenaltyPerSample, r"expected one finite number, or None .*; got float64 \(4,\)\. Take the mean"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_penalty_is_named_with_what_came_and_how_to_repair_it(loss, sentence):
    with pytest.raises(BrokenLaw, match=rf"^{loss.__name__}\.penalty: {sentence}"):
        check_loss(loss())


def test_the_check_leaves_the_random_state_as_it_was_even_when_it_fails():
    before = torch.get_rng_state()
    with pytest.raises(BrokenLaw):
        check_loss(Smoothed())
    check_loss(LeastSquares())
    assert torch.equal(torch.get_rng_state(), before)
