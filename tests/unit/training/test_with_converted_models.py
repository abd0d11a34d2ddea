"""The trainer with real converted and standard generators, and the model file in each checkpoint."""

import dataclasses
import json
import signal

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import rpganify
from rpganify.modelfile import load_model, save_model
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge, WassersteinGP
from rpganify.training.trainer import Trainer
from tests.unit.training.fakes import Critic, digits, seeded
from tests.unit.training.test_background import At

CONFIG = TrainConfig(steps=6, batch_size=8, checkpoint_every=3, sample_every=6, num_samples=4)


class Small(nn.Module):
    """Two dense layers around a batch norm, 8x8 grey."""

    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(8, 16)
        self.norm = nn.BatchNorm1d(16)
        self.l2 = nn.Linear(16, 64)

    def forward(self, z):
        return torch.tanh(self.l2(torch.relu(self.norm(self.l1(z))))).view(-1, 1, 8, 8)


def converted():
    return rpganify.wrap(seeded(Small), buckets=2, blocks=3, latent="z:8")


def standard():
    return rpganify.standard(seeded(Small), latent="z:8")


@pytest.mark.parametrize("build", [converted, standard])
def test_every_checkpoint_holds_a_model_that_opens_by_itself_and_resuming_is_exact(tmp_path, build):
    def train(run, config, method):
        trainer = Trainer(
            build(), seeded(Critic, 1), Hinge(), digits(50), config, run=tmp_path / run, save_generator=save_model
        )
        return trainer, getattr(trainer, method)()

    straight, result = train("straight", CONFIG, "run")
    train("stopped", dataclasses.replace(CONFIG, steps=4), "run")
    resumed, _ = train("stopped", CONFIG, "resume")
    opened = load_model(result.checkpoint / "generator.rpgan")
    codes = opened.draw(5, torch.Generator().manual_seed(0))
    images = [model.eval().images(codes) for model in (straight.generator, resumed.generator, opened)]
    assert torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])
    assert not torch.equal(images[0], build().eval().images(codes))
    newest = load_model(tmp_path / "straight")
    assert torch.equal(newest.images(codes), images[0])


SETTINGS = {
    "random Z": {"Z": "random", "ema": 0.5},
    "sparse Adam": {"sparse_adam": True, "ema": 0.5},
    "equal paths": {"sampling": "equal", "diversity": "margin", "diversity_weight": 1.0},
    "parts and augmentation": {"accumulate": 2, "augment": "diffaugment", "d_steps": 2},
    "schedule": {"schedule": "cosine", "warmup": 2},
    "fewer bits": {"precision": "fp16", "ema": 0.5},
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("loss", [Hinge(), WassersteinGP()], ids=["hinge", "wgan-gp"])
def test_a_converted_model_goes_on_exactly_under_every_kind_of_setting(tmp_path, name, loss):
    config = dataclasses.replace(CONFIG, **SETTINGS[name])

    def train(run, method, stop=None):
        critic = seeded(Critic, 1, is_normalised=loss.wants_spectral_norm)
        callbacks = [] if stop is None else [At(stop, lambda: signal.raise_signal(signal.SIGINT))]
        arguments = {"run": tmp_path / run, "save_generator": save_model, "callbacks": callbacks}
        getattr(Trainer(converted(), critic, loss, digits(50), config, **arguments), method)()

    train("straight", "run")
    train("stopped", "run", stop=4)
    train("stopped", "resume")
    one, other = (tmp_path / run / "checkpoints/latest" for run in ("straight", "stopped"))
    files = sorted(path.relative_to(one) for path in one.rglob("*.safetensors"))
    assert len(files) == (4 if config.ema else 3)
    for file in files:
        expected, found = load_file(one / file), load_file(other / file)
        assert [key for key in expected if not torch.equal(expected[key], found[key])] == []
    numbers = [json.loads((place / "state.json").read_text()) | {"elapsed_s": 0} for place in (one, other)]
    assert numbers[0] == numbers[1]
