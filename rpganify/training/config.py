"""The settings of a training: plain data, written into the run, compared when it is resumed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rpganify.errors import TrainingError, closest
from rpganify.training.mechanics import Precision
from rpganify.training.schedule import Schedule

DiversityForm = Literal["paper", "margin", "none"]
Sampling = Literal["independent", "equal", "new"]
FixedInput = Literal["learned", "fixed", "random"]
OptionValue = str | int | float | bool

# The authors' code weighs its margin form by 1. The paper gives its form, a sum over all pairs, no weight; ours is
# measured: five dense buckets of 20 blocks on MNIST, 500 steps, Fréchet distance of 7×7 pixel means 0.83 without it,
# 0.87 at 1e-4, 0.88 at 1e-3, 1.07 at 1e-2, 35 at 1; at 1e-4 most parameters' diversity is within 2 % of its maximum.
DIVERSITY_WEIGHTS: dict[str, float] = {"paper": 1e-4, "margin": 1.0, "none": 0.0}

DEFAULT_STEPS = 2000

# How long a training goes on and what it leaves behind does not change its weights, so these may differ on resuming.
FREE_SETTINGS = (
    "steps",
    "images",
    "minutes",
    "sample_every",
    "num_samples",
    "checkpoint_every",
    "quality_every",
    "keep",
    "background_checkpoints",
    "num_workers",
)

_CHOICES: dict[str, tuple[str, ...]] = {
    "diversity": get_args(DiversityForm),
    "sampling": get_args(Sampling),
    "Z": get_args(FixedInput),
    "schedule": get_args(Schedule),
    "precision": get_args(Precision),
}
_COUNTS = (
    "batch_size",
    "d_steps",
    "accumulate",
    "sample_every",
    "num_samples",
    "checkpoint_every",
    "watch_every",
    "quality_every",
    "keep",
)
_AMOUNTS = (
    "generator_lr",
    "discriminator_lr",
    "diversity_weight",
    "diversity_margin",
    "class_weight",
    "warmup",
    "num_workers",
    "max_rollbacks",
)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What a training does with the objects that the trainer is given.

    Defaults are the paper's (section 4) where it has one value for all its data sets. The training ends after `steps`,
    `images` or `minutes`, whichever one is given; without any, after 2000 steps. A resumed one goes on up to them.

    Args:
        steps: generator steps in total, >= 1.
        images: real images that the discriminator is shown in total; the step that reaches it is the last.
        minutes: time in training, that of earlier calls of a resumed training included.
        batch_size: images per step of either network, in each process.
        accumulate: into how many parts a batch is split, one after the other through the networks, to need less memory;
            divides `batch_size`. What networks take from a whole batch, such as batch norm, they take from a part.
        generator_lr, discriminator_lr: Adam's learning rates.
        betas: Adam's decay rates, both networks.
        schedule: how the rates change: `constant`, or falling to 0 at the last step, `linear` or `cosine`.
        warmup: generator steps in which the rates rise to their values.
        sparse_adam: whether a step of the generator changes only the blocks that its batch drew (`block_adam.BlockAdam`,
            another algorithm than the paper's Adam); a standard generator has none.
        only_new: whether only the blocks are trained that a model last grew by (`new_blocks.NewBlocksAdam`). The generator
            is then in eval mode, so that shared norms use their running statistics and leave them as they are; only norms
            that new blocks have of their own go by their batch, and gather statistics.
        d_steps: discriminator steps before each generator step. The paper has 5 on CIFAR-10 and 1 on its larger
            images; 1 is the default because it is the fastest by the clock.
        loss: name of the adversarial loss, for the record; the trainer is given the loss itself.
        loss_options: the loss's own options as (name, value) pairs, for the record.
        discriminator_from: the run whose discriminator the training begins with, for the record; the trainer is given
            the discriminator itself (`saving.discriminator.load_discriminator`). Empty for a fresh one.
        class_weight: factor of an auxiliary classifier's cross entropy, where the discriminator has one.
        augment: changes that real and fake images go through before the discriminator, such as `translation,cutout`
            (`training.augment`); empty for none.
        diversity: form of the block diversity loss; used for converted models only.
        diversity_weight: its factor in the generator's loss; None takes the form's default.
        diversity_margin: distance beyond which the margin form leaves a pair alone.
        sampling: how a batch's paths are drawn: `independent` of each other; so that every block of a bucket comes
            `equal`ly often; or only through at least one `new` block of a grown model.
        Z: whether the fixed input of a converted model is `learned`, stays `fixed` as it was born, or is drawn at
            `random` for each sample.
        ema: decay of the moving average of the generator's weights, kept beside them, in [0, 1); 0 keeps none.
        precision: `fp32`, or what the networks compute in, `bf16` or `fp16`; parameters and losses stay in float32.
        compile: whether torch.compile makes the networks. A converted generator is compiled for batches in which every
            block occurs equally often (`routing.compiled`): `equal` sampling, and a batch that is a multiple of the
            blocks of each bucket; for others it runs as without.
        channels_last: whether the discriminator's convolutions and the real images lie channels last in memory.
        seed: of everything random: paths, data order, penalty, and the global generators that dropout uses.
        sample_every: steps between sample grids.
        num_samples: images in a grid.
        checkpoint_every: steps between checkpoints; the last step is always saved.
        keep: how many of the newest checkpoints stay on disk, beside the best.
        background_checkpoints: whether a checkpoint is written from a snapshot while the training goes on. The snapshot
            costs the CPU's memory one copy of the state: both networks and both optimizers, with Adam three values for
            each parameter. False writes in place, and the training waits.
        quality_every: steps between measurements of quality, if the trainer is given one.
        watch_every: steps between the expensive checks for trouble: blocks that are duplicates or dead, gradient norms.
        max_rollbacks: how many times a training may go back to its last good state, at half the learning rate, because
            a loss was not finite; 0 gives up at the first.
        num_workers: how many workers read images ahead that are not in memory.
    Raises:
        TrainingError: a value outside its range, or more than one way to end.
    """

    steps: int | None = None
    images: int | None = None
    minutes: float | None = None
    batch_size: int = 64
    accumulate: int = 1
    generator_lr: float = 0.25e-3
    discriminator_lr: float = 0.25e-3
    betas: tuple[float, float] = (0.5, 0.999)
    schedule: Schedule = "constant"
    warmup: int = 0
    sparse_adam: bool = False
    only_new: bool = False
    d_steps: int = 1
    loss: str = "hinge"
    loss_options: tuple[tuple[str, OptionValue], ...] = ()
    discriminator_from: str = ""
    class_weight: float = 1.0
    augment: str = ""
    diversity: DiversityForm = "paper"
    diversity_weight: float | None = None
    diversity_margin: float = 1.5
    sampling: Sampling = "independent"
    Z: FixedInput = "learned"
    ema: float = 0.0
    precision: Precision = "fp32"
    compile: bool = False
    channels_last: bool = False
    seed: int = 0
    sample_every: int = 500
    num_samples: int = 64
    checkpoint_every: int = 500
    keep: int = 2
    background_checkpoints: bool = True
    quality_every: int = 500
    watch_every: int = 100
    max_rollbacks: int = 5
    num_workers: int = 2

    def __post_init__(self) -> None:
        self._check_budget()
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise TrainingError(f"{name} is one of {', '.join(choices)}; got {getattr(self, name)!r}.")
        if self.diversity_weight is None:
            # The run's record then holds the number that was used.
            object.__setattr__(self, "diversity_weight", DIVERSITY_WEIGHTS[self.diversity])
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in _AMOUNTS:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise TrainingError(f"{name} must be a finite number, 0 or larger; got {value}.")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise TrainingError(f"betas are two numbers in [0, 1), e.g. (0.5, 0.999); got {self.betas}.")
        if not 0 <= self.ema < 1:
            raise TrainingError(f"ema is a decay in [0, 1), e.g. 0.999, or 0 for no average; got {self.ema}.")
        if self.batch_size % self.accumulate:
            raise TrainingError(
                f"A batch of {self.batch_size} cannot be split into {self.accumulate} equal parts (accumulate)."
            )
        if self.only_new and self.sparse_adam:
            raise TrainingError(
                "only_new trains the new blocks by Adam, sparse_adam the drawn blocks by another algorithm. Leave one out."
            )
        if self.seed < 0:
            raise TrainingError(f"seed must be 0 or larger, got {self.seed}.")

    def _check_budget(self) -> None:
        given = [name for name in ("steps", "images", "minutes") if getattr(self, name) is not None]
        if not given:
            object.__setattr__(self, "steps", DEFAULT_STEPS)
        if len(given) > 1:
            raise TrainingError(f"A training ends by one of steps, images and minutes; got {' and '.join(given)}.")
        for name in given:
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0) or (name != "minutes" and value < 1):
                raise TrainingError(f"{name} must be {'above 0' if name == 'minutes' else 'at least 1'}, got {value}.")
        if self.minutes is not None and self.schedule != "constant":
            raise TrainingError(
                f"A {self.schedule} schedule ends with the last step, which a training of {self.minutes:g} minutes does not "
                "know. Give steps or images."
            )

    def total_steps(self, num_processes: int = 1) -> int | None:
        """Generator steps until the end; None if the clock decides."""
        if self.images is not None:
            return math.ceil(self.images / (self.batch_size * num_processes * self.d_steps))
        return self.steps

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

    def differences(self, other: TrainConfig) -> dict[str, str]:
        """Settings that make `other` another training than this one, each as `this -> other`, by name.

        `FREE_SETTINGS` are left out, but for the length of a training whose learning rate depends on it.
        """
        free = set(FREE_SETTINGS) - ({"steps", "images"} if self.schedule != "constant" else set())
        names = [field.name for field in dataclasses.fields(self) if field.name not in free]
        return {
            name: f"{getattr(self, name)} -> {getattr(other, name)}"
            for name in names
            if getattr(self, name) != getattr(other, name)
        }
