import pytest
import torch
from torch import nn

from rpganify.errors import TrainingError
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge, WassersteinGP
from rpganify.training.state import TrainingState
from rpganify.training.steps import Diversity, discriminator_step, generator_step
from tests.unit.training.fakes import Critic, TinyPaths, seeded

ARGUMENTS = {
    "real": torch.linspace(-1, 1, 4 * 64).reshape(4, 1, 8, 8),
    "codes": torch.tensor([[0, 0], [1, 1], [2, 2], [0, 3]]),
}


def fresh_state(**config):
    generator, discriminator = seeded(TinyPaths), seeded(Critic, 1, is_normalised=False)
    return TrainingState.initial(generator, discriminator.eval(), TrainConfig(**config))


def parameters_of(network):
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def changed(network, before):
    return {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("loss", [Hinge(), WassersteinGP()])
def test_a_discriminator_step_changes_the_discriminator_only_and_gives_the_generator_no_gradient(loss):
    state = fresh_state()
    generator, discriminator = parameters_of(state.generator), parameters_of(state.discriminator)
    values = discriminator_step(
        state.generator, state.discriminator, loss, state.discriminator_adam, noise=state.streams.noise, **ARGUMENTS
    )
    # The last bias cancels in a difference of mean scores, so it may stay.
    assert changed(state.discriminator, discriminator) >= {"first.weight", "first.bias", "last.weight"}
    assert changed(state.generator, generator) == set()
    assert all(parameter.grad is None for parameter in state.generator.parameters())
    assert (values.penalty is None) == isinstance(loss, Hinge)


def test_a_generator_step_changes_the_generator_only_and_gives_the_discriminator_no_gradient():
    state = fresh_state()
    generator, discriminator = parameters_of(state.generator), parameters_of(state.discriminator)
    generator_step(state.generator, state.discriminator, Hinge(), state.generator_adam, codes=ARGUMENTS["codes"])
    assert changed(state.generator, generator) >= {"Z", "first_weight", "second_weight", "second_bias", "norm.weight"}
    assert changed(state.discriminator, discriminator) == set()
    assert all(parameter.grad is None for parameter in state.discriminator.parameters())


def test_the_numbers_of_a_discriminator_step_are_those_of_the_networks_before_it():
    state = fresh_state()
    with torch.no_grad():
        real = state.discriminator(ARGUMENTS["real"])
        fake = state.discriminator(state.generator.images(ARGUMENTS["codes"]))
    values = discriminator_step(
        state.generator, state.discriminator, Hinge(), state.discriminator_adam, noise=state.streams.noise, **ARGUMENTS
    )
    assert values.real_score == pytest.approx(real.mean().item())
    assert values.fake_score == pytest.approx(fake.mean().item())
    assert values.loss == pytest.approx(Hinge().discriminator(real, fake).item())


def test_repeated_steps_on_one_batch_lower_each_network_s_own_loss():
    state = fresh_state(discriminator_lr=1e-2, generator_lr=1e-2)
    first = [
        discriminator_step(
            state.generator,
            state.discriminator,
            Hinge(),
            state.discriminator_adam,
            noise=state.streams.noise,
            **ARGUMENTS,
        ).loss
        for _ in range(10)
    ]
    second = [
        generator_step(
            state.generator, state.discriminator, Hinge(), state.generator_adam, codes=ARGUMENTS["codes"]
        ).loss
        for _ in range(10)
    ]
    assert first[-1] < first[0] - 0.1
    assert second[-1] < second[0] - 0.1


def test_the_diversity_loss_is_added_by_its_weight_and_reported_without_it():
    plain, weighted = fresh_state(), fresh_state()
    codes = ARGUMENTS["codes"]
    generator_step(plain.generator, plain.discriminator, Hinge(), plain.generator_adam, codes=codes)
    term = Diversity(lambda: weighted.generator.second_weight.sum(), weight=0.25)
    expected = weighted.generator.second_weight.sum().item()
    values = generator_step(
        weighted.generator, weighted.discriminator, Hinge(), weighted.generator_adam, codes=codes, diversity=term
    )
    assert values.diversity == pytest.approx(expected)
    torch.testing.assert_close(weighted.generator.second_weight.grad, plain.generator.second_weight.grad + 0.25)


class Unbounded(nn.Module):
    """A discriminator whose scores are what it is told."""

    def __init__(self, score):
        super().__init__()
        self.score = nn.Parameter(torch.tensor(score))

    def forward(self, images):
        return self.score * images.flatten(1).abs().sum(1)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_step_before_it_changes_anything(score):
    generator, discriminator = seeded(TinyPaths), Unbounded(score)
    state = TrainingState.initial(generator, discriminator, TrainConfig())
    before = parameters_of(generator)
    with pytest.raises(TrainingError, match=r"The generator loss became (nan|-inf)"):
        generator_step(generator, discriminator, Hinge(), state.generator_adam, codes=ARGUMENTS["codes"])
    assert changed(generator, before) == set()
    with pytest.raises(TrainingError, match=r"The discriminator loss became (nan|inf)"):
        discriminator_step(
            generator, discriminator, Hinge(), state.discriminator_adam, noise=torch.Generator(), **ARGUMENTS
        )
    assert discriminator.score.grad is None
    term = Diversity(lambda: generator.Z.sum() * float("inf"), 1.0)
    with pytest.raises(TrainingError, match="The block diversity loss became"):
        generator_step(
            generator, seeded(Critic, 1), Hinge(), state.generator_adam, codes=ARGUMENTS["codes"], diversity=term
        )
    assert changed(generator, before) == set()


@pytest.mark.parametrize("learn_Z", [True, False])
def test_the_fixed_input_is_trained_only_if_so_asked(learn_Z):
    state = fresh_state(learn_Z=learn_Z)
    before = parameters_of(state.generator)
    generator_step(state.generator, state.discriminator, Hinge(), state.generator_adam, codes=ARGUMENTS["codes"])
    assert ("Z" in changed(state.generator, before)) == learn_Z


def test_parameters_that_are_not_trainable_stay_as_they_are():
    generator = seeded(TinyPaths)
    generator.first_weight.requires_grad_(False)
    state = TrainingState.initial(generator, seeded(Critic, 1), TrainConfig())
    before = parameters_of(generator)
    generator_step(generator, state.discriminator, Hinge(), state.generator_adam, codes=ARGUMENTS["codes"])
    assert "first_weight" not in changed(generator, before)
    assert "second_weight" in changed(generator, before)


def test_a_network_without_trainable_parameters_is_refused():
    with pytest.raises(TrainingError, match="The discriminator has no trainable parameter"):
        TrainingState.initial(seeded(TinyPaths), seeded(Critic).requires_grad_(False), TrainConfig())


class Comparing:
    """A loss whose generator wants fake images to score as the real ones do."""

    wants_spectral_norm = False

    def discriminator(self, real_scores, fake_scores):
        return Hinge().discriminator(real_scores, fake_scores)

    def generator(self, fake_scores):
        raise AssertionError("there are real scores to compare with")

    def generator_against(self, real_scores, fake_scores):
        self.real_scores = real_scores
        return (fake_scores.mean() - real_scores.mean()).square()

    def penalty(self, discriminator, real, fake, generator):
        return None


def test_a_loss_that_compares_scores_is_given_those_of_the_real_images_without_gradient():
    state, loss = fresh_state(), Comparing()
    with torch.no_grad():
        real = state.discriminator(ARGUMENTS["real"])
        fake = state.discriminator(state.generator.images(ARGUMENTS["codes"]))
    values = generator_step(state.generator, state.discriminator, loss, state.generator_adam, **ARGUMENTS)
    assert torch.equal(loss.real_scores, real) and not loss.real_scores.requires_grad
    assert values.loss == pytest.approx(float((fake.mean() - real.mean()).square()))
    assert all(parameter.grad is None for parameter in state.discriminator.parameters())


def test_a_loss_that_compares_scores_needs_something_to_compare_with():
    state = fresh_state()
    with pytest.raises(TrainingError, match=r"Comparing compares the scores of fake .* real ones; pass real=…"):
        generator_step(
            state.generator, state.discriminator, Comparing(), state.generator_adam, codes=ARGUMENTS["codes"]
        )
