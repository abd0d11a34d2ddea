import pytest
import torch

from rpganify.data.images import to_float
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.reading.order import DataOrder
from rpganify.training.state import TrainingState
from rpganify.training.training_step import TrainingStep
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded


class Watched:
    """Hinge that notes the scores it is shown."""

    wants_spectral_norm = True

    def __init__(self):
        self.losses, self.order = [], []

    def discriminator(self, real_scores, fake_scores):
        value = Hinge().discriminator(real_scores, fake_scores)
        self.losses.append(value.item())
        self.order.append("discriminator")
        return value

    def generator(self, fake_scores):
        self.order.append("generator")
        return Hinge().generator(fake_scores)

    def penalty(self, discriminator, real, fake, generator):
        self.shapes = real.shape, fake.shape
        return torch.full((), 0.5 * len(self.losses))


def step_with(loss, **settings):
    config = TrainConfig(batch_size=8, **settings)
    state = TrainingState.initial(seeded(TinyPaths), seeded(Critic, 1), config)
    return state, TrainingStep(loss, digits(50), config)


def test_a_step_is_d_steps_of_the_discriminator_and_one_of_the_generator():
    loss = Watched()
    state, step = step_with(loss, d_steps=3)
    metrics = step(state)
    assert loss.order == ["discriminator"] * 3 + ["generator"]
    assert (state.step, state.position, metrics.step) == (1, 24, 1)
    assert loss.shapes == ((8, 1, 8, 8), (8, 1, 8, 8))


def test_the_discriminator_s_numbers_are_means_over_its_steps():
    loss = Watched()
    state, step = step_with(loss, d_steps=2)
    metrics = step(state)
    assert metrics.penalty == pytest.approx((0.5 + 1.0) / 2)
    assert metrics.discriminator_loss == pytest.approx(sum(loss.losses) / 2 + 0.75)


def test_real_images_come_in_the_order_of_the_seed_and_in_the_networks_range(monkeypatch):
    state, step = step_with(Hinge(), d_steps=2, seed=5)
    seen = []
    monkeypatch.setattr(state.discriminator, "forward", record_into(seen, state.discriminator.forward))
    step(state)
    real = [seen[0], seen[2]]  # real, fake, real, fake, fake
    indices = DataOrder(50, seed=5).indices(0, 16)
    expected = digits(50).pixels[indices].float() / 127.5 - 1
    torch.testing.assert_close(torch.cat(real), expected)


def record_into(seen, forward):
    def recording(images):
        seen.append(images.detach().clone())
        return forward(images)

    return recording


def test_the_times_of_a_step_add_up_to_its_speed():
    state, step = step_with(Hinge(), d_steps=2)
    metrics = step(state)
    assert min(metrics.data_s, metrics.discriminator_s, metrics.generator_s) > 0
    total = metrics.data_s + metrics.discriminator_s + metrics.generator_s
    assert metrics.images_per_s == pytest.approx(16 / total, rel=1e-6)


def test_a_loss_that_compares_scores_sees_the_last_real_images_of_the_discriminator_s_steps():
    class Comparing(Watched):
        def generator_against(self, real_scores, fake_scores):
            self.order.append("generator")
            self.real_scores = real_scores
            return Hinge().generator(fake_scores)

    loss = Comparing()
    state, step = step_with(loss, d_steps=2, seed=5)
    state.discriminator.eval()
    step(state)
    last = digits(50).images(DataOrder(50, 5).indices(8, 8))
    with torch.no_grad():
        expected = state.discriminator(to_float(last)).flatten()
    assert loss.order == ["discriminator"] * 2 + ["generator"]
    assert torch.allclose(loss.real_scores, expected)


@pytest.mark.parametrize("is_sparse", [True, False])
def test_a_sparse_step_changes_the_drawn_blocks_alone_and_a_dense_one_all_that_the_diversity_loss_reaches(is_sparse):
    state, step = step_with(Hinge(), sparse_adam=is_sparse, generator_lr=1e-2)
    before = state.generator.first_weight.detach().clone()
    draw, drawn = state.generator.draw, []

    def first_two_blocks(n, generator=None):
        drawn.append(draw(n, generator).clamp_max(1))
        return drawn[-1]

    state.generator.draw = first_two_blocks
    step(state)
    moved = (state.generator.first_weight != before).flatten(1).any(1)
    assert set(drawn[-1][:, 0].tolist()) == {0, 1}
    assert moved.tolist() == [True, True, not is_sparse]
