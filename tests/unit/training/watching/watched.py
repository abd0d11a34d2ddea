"""Generators and trainings for a watch to look at."""

import json
from types import SimpleNamespace

import torch

from rpganify.training.callbacks import StepMetrics
from rpganify.training.config import TrainConfig
from rpganify.training.trainer import Trainer
from rpganify.training.watching.watch import Watch
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded


def metrics_of(step, loss=1.5, real=0.5, fake=-0.5, penalty=None, **others):
    return StepMetrics(step, loss, -0.5, real, fake, penalty, None, 0.01, 0.02, 0.03, 1000.0, **others)


def with_gradients(model, scale=1.0):
    """The model with a random gradient for each parameter."""
    chance = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.grad = scale * torch.randn(parameter.shape, generator=chance)
    return model


def checked(model, count, *, change=lambda step: None, watch=None, **options):
    """Alarms by step of a watch that checks each step; `change` is called before each."""
    watch = watch or Watch(every=1, **options)
    alarms = {}
    for step in range(1, count + 1):
        change(step)
        if found := watch.inspect(SimpleNamespace(generator=model), metrics_of(step)):
            alarms[step] = found
    return alarms


def trained(run, generator, loss, *, discriminator=None, data=None, **config):
    """The alarms that a real training wrote down."""
    discriminator = discriminator or seeded(Critic, 1, is_normalised=loss.wants_spectral_norm)
    settings = TrainConfig(num_samples=4, sample_every=1000, checkpoint_every=1000, **config)
    Trainer(generator, discriminator, loss, data or digits(), settings, run=run).run()
    events = run / "events.jsonl"
    return [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []


class Deaf(TinyPaths):
    """A generator in which block 1 of the second bucket does nothing."""

    def images(self, codes):
        return super().images(codes) * (codes[:, 1] != 1)[:, None, None, None]
