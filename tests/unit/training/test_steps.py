import dataclasses

import pytest
import torch
from torch import nn

from rpganify.errors import TrainingError
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge, WassersteinGP
from rpganify.training.mechanics import Mechanics
from rpganify.training.state import TrainingState
from rpganify.training.steps import Batch, Diversity, Objective, discriminator_step, generator_step
from tests.unit.training.fakes import Critic, TinyPaths, seeded

BATCH = Batch(
    real=torch.linspace(-1, 1, 4 * 64).reshape(4, 1, 8, 8), codes=torch.tensor([[0, 0], [1, 1], [2, 2], [0, 3]])
)


def step_discriminator(state, loss, *, parts=(BATCH,)):
    noise, descent = torch.Generator().manual_seed(5), state.discriminator_descent
    networks = state.generator, state.discriminator
    return discriminator_step(*networks, Objective(loss), descent, parts, noise, Mechanics())


def step_generator(state, loss, *, parts=(BATCH,), diversity=None):
    noise, descent = torch.Generator().manual_seed(5), state.generator_descent
    networks = state.generator, state.discriminator
    return generator_step(*networks, Objective(loss), descent, parts, noise, Mechanics(), diversity)


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
    values = step_discriminator(state, loss)
    # The last bias cancels in a difference of mean scores, so it may stay.
    assert changed(state.discriminator, discriminator) >= {"first.weight", "first.bias", "last.weight"}
    assert changed(state.generator, generator) == set()
    assert all(parameter.grad is None for parameter in state.generator.parameters())
    assert (values.penalty is None) == isinstance(loss, Hinge)


def test_a_generator_step_changes_the_generator_only_and_gives_the_discriminator_no_gradient():
    state = fresh_state()
    generator, discriminator = parameters_of(state.generator), parameters_of(state.discriminator)
    step_generator(state, Hinge())
    assert changed(state.generator, generator) >= {"Z", "first_weight", "second_weight", "second_bias", "norm.weight"}
    assert changed(state.discriminator, discriminator) == set()
    assert all(parameter.grad is None for parameter in state.discriminator.parameters())


def test_the_numbers_of_a_discriminator_step_are_those_of_the_networks_before_it():
    state = fresh_state()
    with torch.no_grad():
        real = state.discriminator(BATCH.real)
        fake = state.discriminator(state.generator.images(BATCH.codes))
    values = step_discriminator(state, Hinge())
    assert values.real_score == pytest.approx(real.mean().item())
    assert values.fake_score == pytest.approx(fake.mean().item())
    assert values.loss == pytest.approx(Hinge().discriminator(real, fake).item())


def test_repeated_steps_on_one_batch_lower_each_network_s_own_loss():
    state = fresh_state(discriminator_lr=1e-2, generator_lr=1e-2)
    first = [step_discriminator(state, Hinge()).loss for _ in range(10)]
    second = [step_generator(state, Hinge()).loss for _ in range(10)]
    assert first[-1] < first[0] - 0.1
    assert second[-1] < second[0] - 0.1


def test_the_diversity_loss_is_added_by_its_weight_and_reported_without_it():
    plain, weighted = fresh_state(), fresh_state()
    step_generator(plain, Hinge())
    term = Diversity(lambda: weighted.generator.second_weight.sum(), weight=0.25)
    expected = weighted.generator.second_weight.sum().item()
    values = step_generator(weighted, Hinge(), diversity=term)
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
        step_generator(state, Hinge())
    assert changed(generator, before) == set()
    with pytest.raises(TrainingError, match=r"The discriminator loss became (nan|inf)"):
        step_discriminator(state, Hinge())
    assert str(discriminator.score.item()) == str(score)
    term = Diversity(lambda: generator.Z.sum() * float("inf"), 1.0)
    with pytest.raises(TrainingError, match="The block diversity loss became"):
        step_generator(dataclasses.replace(state, discriminator=seeded(Critic, 1)), Hinge(), diversity=term)
    assert changed(generator, before) == set()


@pytest.mark.parametrize("Z", ["learned", "fixed"])
def test_the_fixed_input_is_trained_only_if_so_asked(Z):
    state = fresh_state(Z=Z)
    before = parameters_of(state.generator)
    step_generator(state, Hinge())
    assert ("Z" in changed(state.generator, before)) == (Z == "learned")


def test_parameters_that_are_not_trainable_stay_as_they_are():
    generator = seeded(TinyPaths)
    generator.first_weight.requires_grad_(False)
    state = TrainingState.initial(generator, seeded(Critic, 1), TrainConfig())
    before = parameters_of(generator)
    step_generator(state, Hinge())
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
        real = state.discriminator(BATCH.real)
        fake = state.discriminator(state.generator.images(BATCH.codes))
    values = step_generator(state, loss)
    assert torch.equal(loss.real_scores, real) and not loss.real_scores.requires_grad
    assert values.loss == pytest.approx(float((fake.mean() - real.mean()).square()))
    assert all(parameter.grad is None for parameter in state.discriminator.parameters())


@pytest.mark.parametrize("loss", [Hinge(), Comparing()], ids=["hinge", "comparing"])
def test_the_gradients_of_a_batch_in_parts_are_those_of_the_whole(loss):
    if isinstance(loss, Comparing):
        loss.generator_against = lambda real_scores, fake_scores: (fake_scores - real_scores).mean()
    parts = BATCH.parts(2)
    assert [part.size for part in parts] == [2, 2]
    for step, network in ((step_discriminator, "discriminator"), (step_generator, "generator")):
        whole, split = fresh_state(), fresh_state()
        for state in (whole, split):
            state.generator.norm.eval()  # it would take its statistics of each part
        one, other = step(whole, loss), step(split, loss, parts=parts)
        assert other.loss == pytest.approx(one.loss, abs=1e-6)
        for ours, theirs in zip(
            getattr(split, network).parameters(), getattr(whole, network).parameters(), strict=True
        ):
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


def test_parts_keep_labels_and_inputs_beside_their_images():
    batch = Batch(BATCH.real, BATCH.codes, {"z": torch.arange(4.0)}, torch.arange(4))
    first, second = batch.parts(2)
    assert torch.equal(torch.cat([first.real, second.real]), batch.real)
    assert (first.labels.tolist(), second.labels.tolist()) == ([0, 1], [2, 3])
    assert (first.inputs["z"].tolist(), second.inputs["z"].tolist()) == ([0, 1], [2, 3])


class Told(nn.Module):
    """A discriminator that wants labels, and classifies if it is so asked."""

    num_classes = 3

    def __init__(self, is_classifying):
        super().__init__()
        self.scores = nn.Linear(64, 3)
        self.classes = nn.Linear(64, 3) if is_classifying else None

    def forward(self, images, labels):
        pixels = images.flatten(1)
        scores = self.scores(pixels).gather(1, labels[:, None])
        return scores if self.classes is None else (scores, self.classes(pixels))


@pytest.mark.parametrize("is_classifying", [False, True])
def test_a_discriminator_that_wants_labels_is_given_them_for_its_scores_its_penalty_and_its_classes(is_classifying):
    state = TrainingState.initial(seeded(TinyPaths), seeded(Told, 1, is_classifying=is_classifying), TrainConfig())
    labels = torch.tensor([2, 0, 1, 2])
    batch = Batch(BATCH.real, BATCH.codes, labels=labels)
    judge = state.discriminator
    with torch.no_grad():
        fake = state.generator.images(BATCH.codes)
        outcome = [judge(images, labels) for images in (BATCH.real, fake)]
    real_scores, fake_scores = ((one[0] if is_classifying else one).flatten() for one in outcome)
    expected = float(Hinge().discriminator(real_scores, fake_scores))
    of_generator = float(Hinge().generator(fake_scores))
    if is_classifying:
        expected += float(nn.functional.cross_entropy(outcome[0][1], labels))
        of_generator += float(nn.functional.cross_entropy(outcome[1][1], labels))
    assert step_generator(state, Hinge(), parts=(batch,)).loss == pytest.approx(of_generator, abs=1e-5)
    state = TrainingState.initial(seeded(TinyPaths), judge, TrainConfig())
    assert step_discriminator(state, Hinge(), parts=(batch,)).loss == pytest.approx(expected, abs=1e-5)
    assert step_discriminator(state, WassersteinGP(), parts=(batch,)).penalty > 0
