"""The trainer with real converted and standard generators, and the model file in each checkpoint."""

import dataclasses

import pytest
import torch
from torch import nn

import rpganify
from rpganify.modelfile import load_model, save_model
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.trainer import Trainer
from tests.unit.training.fakes import Critic, digits, seeded

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
