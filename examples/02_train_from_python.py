"""Trains an RPGAN and its standard twin on real digits: `python examples/02_train_from_python.py [STEPS]`."""

import sys
from pathlib import Path

import torch
from torch import nn

import rpganify
from rpganify.data.opening import open_data
from rpganify.models.mlp import mlp_discriminator
from rpganify.registry import default_registry
from rpganify.training.callbacks import Callback, StepMetrics
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.trainer import Trainer

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
RUNS = Path("runs/examples")


def new_generator(seed: int) -> nn.Module:
    """Four dense layers from 32 numbers to 8×8 pixels; with a seed, every block can be born as you would build it."""
    torch.manual_seed(seed)
    layers = [nn.Linear(32, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 64)]
    return nn.Sequential(*layers, nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))


class Talk(Callback):
    """A callback hears of every step; this one prints a few of them."""

    def on_step(self, metrics: StepMetrics) -> None:
        if metrics.step % max(1, STEPS // 4) == 0:
            print(f"  step {metrics.step}: D {metrics.discriminator_loss:.3f}  G {metrics.generator_loss:.3f}")


data = open_data("digits", None, default_registry())  # 1,797 real ones, which come with scikit-learn
config = TrainConfig(steps=STEPS, generator_lr=1e-3, discriminator_lr=1e-3, ema=0.99, sample_every=max(1, STEPS // 4))

# Both are trained under the same settings; they differ in where their images come from: paths, or a random z.
models = {
    "digits": rpganify.wrap(new_generator(0), buckets=3, blocks=10, factory=new_generator),
    "digits-twin": rpganify.standard(new_generator(0)),
}
for name, model in models.items():
    torch.manual_seed(1)
    discriminator = mlp_discriminator(image_shape=(1, 8, 8), spectral_norm=Hinge().wants_spectral_norm, channels=256)
    trainer = Trainer(
        model, discriminator, Hinge(), data, config, run=RUNS / name, callbacks=(Talk(),), save_generator=rpganify.save
    )
    print(name)
    is_begun = (RUNS / name / "checkpoints").is_dir()
    result = trainer.resume() if is_begun else trainer.run()  # Ctrl-C saves, and the next call goes on, bit for bit
    print(f"  {result.step} steps, in {result.run}: metrics.jsonl, samples/, checkpoints/")
