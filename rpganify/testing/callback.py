"""The laws of a training callback."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from rpganify.entries import Factory
from rpganify.registry import resolve
from rpganify.testing.examples import small_data, small_discriminator, small_model
from rpganify.testing.laws import name_of, require, working
from rpganify.training.callbacks import Callback
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.networks import network_tensors
from rpganify.training.trainer import Trainer

_METHODS = ("on_start", "on_step", "on_checkpoint", "on_alarm", "on_quality", "on_rollback", "on_end")


def check_callback(factory: Factory) -> None:
    """A callback is told of a training, and the training is the same as without it.

    Its laws, in a training of two steps that is resumed for two more, on 8×8 pictures:

    - it has the methods of `rpganify.training.callbacks.Callback`, and none of them fails, in a new run or a resumed one;
    - all steps are done, and the weights of both networks are, bit for bit, those of a training without it.

    Args:
        factory: makes it, one for the run and one for its resumption; called without arguments.
    Raises:
        BrokenLaw: a law does not hold.

    Example:
        check_callback(CsvMetrics)
    """
    name = name_of(factory)
    make = resolve(factory)
    with working(name, expected="to be made without arguments", repair="`--callback NAME` passes none."):
        callback = make()
    for method in _METHODS:
        require(
            callable(getattr(callback, method, None)),
            name,
            expected=f"a method {method}",
            found="none",
            repair="Inherit from rpganify.training.callbacks.Callback, whose methods do nothing.",
        )
    expected = _trained(name, list)
    found = _trained(name, lambda: [make()])
    for key, tensor in expected.items():
        require(
            torch.equal(found[key], tensor),
            name,
            expected="the weights of a training without it",
            found=f"others in {key!r}",
            repair="A callback reads; it moves no weights, training flags or random states.",
        )


def _trained(name: str, make: Callable[[], list[Callback]]) -> dict[str, Tensor]:
    """Both networks' tensors after two steps and two more."""
    with tempfile.TemporaryDirectory() as folder:
        for steps in (2, 4):
            trainer = Trainer(
                small_model(),
                small_discriminator(),
                Hinge(),
                small_data(),
                TrainConfig(steps=steps, batch_size=4, num_samples=4, sample_every=2, checkpoint_every=2),
                run=Path(folder) / "run",
                callbacks=make(),
            )
            with working(
                name, expected="a training that it is told of to end well", repair="Each method may do nothing."
            ):
                result = trainer.run() if steps == 2 else trainer.resume()
            require(
                result.step == steps,
                name,
                expected=f"all {steps} steps to be done",
                found=f"{result.step} steps",
                repair="Stop a training only when the user asked for it.",
            )
        networks = (("generator", trainer.generator), ("discriminator", trainer.discriminator))
        return {
            f"{network}.{key}": tensor.detach().clone()
            for network, module in networks
            for key, tensor in network_tensors(module).items()
        }
