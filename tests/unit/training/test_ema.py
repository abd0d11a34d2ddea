import threading

import pytest
import torch
from safetensors.torch import load_file

from rpganify.errors import TrainingError
from rpganify.training.config import TrainConfig
from rpganify.training.ema import MovingAverage
from rpganify.training.losses import Hinge
from rpganify.training.randomness import seeded_globals
from rpganify.training.state import TrainingState
from rpganify.training.training_step import TrainingStep
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded
from tests.unit.training.test_trainer import trainer_at

SHORT = {"steps": 4, "batch_size": 8, "num_samples": 4}


def moving(generator, seed):
    """The generator after something has changed all of it."""
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*generator.parameters(), *generator.buffers()):
            tensor.copy_(torch.randn(tensor.shape, generator=chance).to(tensor.dtype))
    return generator


def test_an_average_begins_as_the_generator_itself_without_sharing_memory_or_training():
    generator = seeded(TinyPaths)
    average = MovingAverage(generator, 0.9)
    for name, value in average.tensors().items():
        assert torch.equal(value, generator.state_dict()[name])
        assert value.data_ptr() != generator.state_dict()[name].data_ptr()
    assert not any(parameter.requires_grad for parameter in average.generator.parameters())
    assert generator.training and not average.generator.training


@pytest.mark.parametrize("decay", [0.0, 0.2, 0.9, 0.999])
def test_it_is_the_exponential_moving_average_by_hand_short_in_the_first_steps(decay):
    generator = seeded(TinyPaths)
    average = MovingAverage(generator, decay)
    expected = {name: value.double().clone() for name, value in generator.named_parameters()}
    for step in range(1, 40):
        moving(generator, step)
        average.update(generator, step)
        kept = min(decay, (1 + step) / (10 + step))
        for name, value in generator.named_parameters():
            expected[name] = kept * expected[name] + (1 - kept) * value.detach().double()
    for name, value in average.generator.named_parameters():
        torch.testing.assert_close(value.double(), expected[name], atol=1e-6, rtol=1e-6)  # float32 rounding


def test_buffers_are_the_generator_s_own():
    generator = seeded(TinyPaths)
    average = MovingAverage(generator, 0.9)
    average.update(moving(generator, 3), 1)
    for name, value in average.generator.named_buffers():
        assert torch.equal(value, dict(generator.named_buffers())[name])


def test_the_generator_is_not_changed_and_no_random_number_drawn():
    generator = moving(seeded(TinyPaths), 5)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    chance = torch.get_rng_state()
    MovingAverage(generator, 0.9).update(generator, 1)
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
    assert torch.equal(torch.get_rng_state(), chance)


def test_a_training_keeps_it_beside_weights_that_are_the_same_without_it(tmp_path):
    trainers = [trainer_at(tmp_path / name, TrainConfig(**SHORT, ema=ema)) for name, ema in (("a", 0.5), ("b", 0.0))]
    for trainer in trainers:
        trainer.run()
    assert torch.equal(trainers[0].generator.Z, trainers[1].generator.Z)
    kept = load_file(tmp_path / "a/checkpoints/latest/ema.safetensors")["Z"]
    assert not torch.equal(kept, trainers[0].generator.Z)
    assert not (tmp_path / "b/checkpoints/latest/ema.safetensors").exists()


def test_the_average_of_a_training_is_that_of_its_steps():
    config = TrainConfig(**SHORT, ema=0.3)
    with seeded_globals(0):
        state = TrainingState.initial(seeded(TinyPaths), seeded(Critic, 1), config)
        step = TrainingStep(Hinge(), digits(50), config)
        expected = state.generator.Z.detach().clone()
        for number in range(1, 5):
            step(state)
            kept = min(0.3, (1 + number) / (10 + number))
            expected = kept * expected + (1 - kept) * state.generator.Z.detach()
    torch.testing.assert_close(state.average.generator.Z, expected, atol=1e-6, rtol=0)
    assert state.shown_generator is state.average.generator


def test_a_generator_that_cannot_be_copied_is_refused_with_the_way_out():
    generator = seeded(TinyPaths)
    generator.lock = threading.Lock()
    with pytest.raises(
        TrainingError, match=r"TinyPaths cannot be copied \(TypeError: .*\), .*or train without --ema\."
    ):
        MovingAverage(generator, 0.9)
