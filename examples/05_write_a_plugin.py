"""A loss of your own, checked and used by its name: `python examples/05_write_a_plugin.py [STEPS]`.

The plugin is examples/plugins/soft_hinge.py; every kind of thing that has a name can be offered so.
`rpganify plugins new loss NAME` begins a package with a test, `rpganify plugins doctor` checks what is installed.
"""

import sys
from pathlib import Path

import rpganify
from rpganify.data.opening import open_data
from rpganify.hookspecs import LossEntry
from rpganify.models.mlp import mlp_discriminator
from rpganify.registry import Registry
from rpganify.registry.finding import Selection
from rpganify.testing import BrokenLaw, check_loss
from rpganify.training.config import TrainConfig
from rpganify.training.trainer import Trainer

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 500
PLUGINS = Path(__file__).resolve().parent / "plugins"
RUNS = Path("runs/examples")

# What `rpganify --plugins-dir examples/plugins` does: built-in names, and those of the files in that folder.
registry = Registry(Selection(directories=(PLUGINS,)))
entry = registry.get(LossEntry, "soft-hinge")
print(f"{entry.name}: {entry.help}, from {registry.provider(entry)}")

# Each kind has a check, which knows the laws that its users rely on. It goes into the plugin's tests.
loss = registry.make(entry)
check_loss(loss)
print("it keeps the laws of losses")


class UpsideDown(type(loss)):
    """The same with a slip: this generator is rewarded for bad images."""

    def generator(self, fake_scores):
        return fake_scores.mean()


try:
    check_loss(UpsideDown())
except BrokenLaw as refusal:
    print(f"a slip is found: {refusal}")

trainer = Trainer(
    rpganify.load(RUNS / "digits"),
    mlp_discriminator(image_shape=(1, 8, 8), spectral_norm=loss.wants_spectral_norm, channels=256),
    loss,
    open_data("digits", None, registry),
    TrainConfig(steps=STEPS, loss=entry.name, sample_every=max(1, STEPS // 2)),
    run=RUNS / "digits-soft-hinge",
    save_generator=rpganify.save,
)
result = trainer.resume() if (RUNS / "digits-soft-hinge" / "checkpoints").is_dir() else trainer.run()
print(f"{result.step} steps with it, in {result.run}")
