"""The settings of a training: plain data, written into the run, compared when it is resumed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rpganify.errors import TrainingError, closest

DiversityForm = Literal["paper", "margin", "none"]
OptionValue = str | int | float | bool

# The authors' code weighs its margin form by 1. The paper gives its form, a sum over all pairs, no weight; ours is
# measured: five dense buckets of 20 blocks on MNIST, 500 steps, Fréchet distance of 7×7 pixel means 0.83 without it,
# 0.87 at 1e-4, 0.88 at 1e-3, 1.07 at 1e-2, 35 at 1; at 1e-4 most parameters' diversity is within 2 % of its maximum.
DIVERSITY_WEIGHTS: dict[str, float] = {"paper": 1e-4, "margin": 1.0, "none": 0.0}

# How long a training goes on and what it leaves behind does not change its weights, so these may differ on resuming.
FREE_SETTINGS = ("steps", "sample_every", "num_samples", "checkpoint_every", "keep", "background_checkpoints")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What a training does with the objects that the trainer is given.

    Defaults are the paper's (section 4) where it has one value for all its data sets.

    Args:
        steps: generator steps in total, >= 1; a resumed training goes on up to them.
        batch_size: images per step of either network.
        generator_lr, discriminator_lr: Adam's learning rates.
        betas: Adam's decay rates, both networks.
        sparse_adam: whether a step of the generator changes only the blocks that its batch drew (`block_adam.BlockAdam`,
            another algorithm than the paper's Adam); a standard generator has none.
        d_steps: discriminator steps before each generator step. The paper has 5 on CIFAR-10 and 1 on its larger
            images; 1 is the default because it is the fastest by the clock.
        loss: name of the adversarial loss, for the record; the trainer is given the loss itself.
        loss_options: the loss's own options as (name, value) pairs, for the record.
        diversity: form of the block diversity loss; used for converted models only.
        diversity_weight: its factor in the generator's loss; None takes the form's default.
        diversity_margin: distance beyond which the margin form leaves a pair alone.
        learn_Z: whether the fixed input of a converted model is trained.
        seed: of everything random: paths, data order, penalty, and the global generators that dropout uses.
        sample_every: steps between sample grids.
        num_samples: images in a grid.
        checkpoint_every: steps between checkpoints; the last step is always saved.
        keep: how many of the newest checkpoints stay on disk.
        background_checkpoints: whether a checkpoint is written from a snapshot while the training goes on. The snapshot
            costs the CPU's memory one copy of the state: both networks and both optimizers, with Adam three values for
            each parameter. False writes in place, and the training waits.
    Raises:
        TrainingError: a value outside its range.
    """

    steps: int = 2000
    batch_size: int = 64
    generator_lr: float = 0.25e-3
    discriminator_lr: float = 0.25e-3
    betas: tuple[float, float] = (0.5, 0.999)
    sparse_adam: bool = False
    d_steps: int = 1
    loss: str = "hinge"
    loss_options: tuple[tuple[str, OptionValue], ...] = ()
    diversity: DiversityForm = "paper"
    diversity_weight: float | None = None
    diversity_margin: float = 1.5
    learn_Z: bool = True
    seed: int = 0
    sample_every: int = 500
    num_samples: int = 64
    checkpoint_every: int = 500
    keep: int = 2
    background_checkpoints: bool = True

    def __post_init__(self) -> None:
        if self.diversity not in get_args(DiversityForm):
            raise TrainingError(f"diversity is one of {', '.join(get_args(DiversityForm))}; got {self.diversity!r}.")
        if self.diversity_weight is None:
            # The run's record then holds the number that was used.
            object.__setattr__(self, "diversity_weight", DIVERSITY_WEIGHTS[self.diversity])
        for name in ("steps", "batch_size", "d_steps", "sample_every", "num_samples", "checkpoint_every", "keep"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("generator_lr", "discriminator_lr", "diversity_weight", "diversity_margin"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise TrainingError(f"{name} must be a finite number, 0 or larger; got {value}.")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise TrainingError(f"betas are two numbers in [0, 1), e.g. (0.5, 0.999); got {self.betas}.")
        if self.seed < 0:
            raise TrainingError(f"seed must be 0 or larger, got {self.seed}.")

    def to_json(self) -> dict[str, Any]:
        """Plain data; `TrainConfig.from_json` gives an equal config back."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**values, "betas": list(self.betas), "loss_options": dict(self.loss_options)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrainConfig:
        """The config that `to_json` wrote; settings that are missing take their defaults.

        Raises:
            TrainingError: a setting that does not exist, or a value that it cannot have.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in data:
            if name not in known:
                raise TrainingError(
                    f"There is no setting {name!r}.{closest(name, known)} There are: {', '.join(known)}."
                )
        values = dict(data)
        try:
            if "betas" in values:
                values["betas"] = tuple(float(beta) for beta in values["betas"])
            if "loss_options" in values:
                values["loss_options"] = tuple(sorted(values["loss_options"].items()))
            return cls(**values)
        except (TypeError, AttributeError) as error:
            raise TrainingError(f"These are no settings of a training: {error}.") from error

    def differences(self, other: TrainConfig) -> list[str]:
        """Settings that make `other` another training than this one, each as `name: this -> other`.

        `FREE_SETTINGS` are left out.
        """
        names = [field.name for field in dataclasses.fields(self) if field.name not in FREE_SETTINGS]
        return [
            f"{name}: {getattr(self, name)} -> {getattr(other, name)}"
            for name in names
            if getattr(self, name) != getattr(other, name)
        ]
