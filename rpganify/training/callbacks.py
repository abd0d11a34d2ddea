"""What happens beside the steps of a training: the protocol, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TrainStart:
    """Where a training begins or goes on.

    Args:
        run: its folder.
        step: generator steps that are done already; 0 for a new one.
        steps: generator steps in total; None if the clock ends it.
        minutes: time in training in total; None if steps end it.
    """

    run: Path
    step: int
    steps: int | None
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """The numbers of one generator step; those of the discriminator are means over its steps.

    Args:
        step: from 1.
        discriminator_loss: the penalty included.
        generator_loss: adversarial part only.
        real_score, fake_score: mean scores of the discriminator; higher is "real".
        penalty: weight included; None where the loss has none.
        diversity: block diversity loss, before its weight; None where there is none.
        data_s, discriminator_s, generator_s: where the step's time went. On a GPU the waiting falls where a number is
            read, which both networks' steps do.
        images_per_s: real images per second of this step, of all processes.
        other_s: what passed between the step before and this one: callbacks, pictures, snapshots, checks.
        diversity_s: the part of `generator_s` that the diversity loss took; None where there is none.
        gradient_norms: Euclidean norm of the generator's gradient by bucket, all its blocks together; None where it was
            not measured, which is at most steps.
    """

    step: int
    discriminator_loss: float
    generator_loss: float
    real_score: float
    fake_score: float
    penalty: float | None
    diversity: float | None
    data_s: float
    discriminator_s: float
    generator_s: float
    images_per_s: float
    other_s: float = 0.0
    diversity_s: float | None = None
    gradient_norms: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class TrainResult:
    """How a training ended.

    Args:
        run: its folder.
        step: the last step that is done and saved.
        steps: steps that were asked for; None if it was minutes.
        checkpoint: the newest checkpoint.
        is_interrupted: whether a signal ended it before its time.
        signal: number of that signal, 2 for Ctrl-C; None without one.
        duration_s: of this call, not of what it resumed.
        metrics: of the last step; None if there was none to do.
    """

    run: Path
    step: int
    steps: int | None
    checkpoint: Path
    is_interrupted: bool
    duration_s: float
    metrics: StepMetrics | None
    signal: int | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a training goes on with, but somebody should know.

    Args:
        step: the generator step after which it was seen.
        kind: one word or two for a log, such as `saturation`.
        message: what was seen, in numbers, and what may help.
    """

    step: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Quality:
    """How good the generator was, by a metric.

    Args:
        step: generator steps that were done.
        name: of the metric; it says what is measured, with which features.
        value: finite.
        is_lower_better: which way the metric goes.
        is_best: whether no earlier value of this training is as good.
    """

    step: int
    name: str
    value: float
    is_lower_better: bool
    is_best: bool


class Callback(Protocol):
    """Told what a training does, in the training's own thread; whoever inherits gets empty methods."""

    def on_start(self, start: TrainStart) -> None:
        """Before the first step."""
        return None

    def on_step(self, metrics: StepMetrics) -> None:
        """After each generator step, when the networks are consistent; before this step's checkpoint, if it has one."""
        return None

    def on_checkpoint(self, step: int, directory: Path) -> None:
        """After a checkpoint is on the disk, in the order of the steps.

        The training may be some steps further by then (`TrainConfig.background_checkpoints`): what belongs to this step
        is in the folder, not in the networks.
        """
        return None

    def on_alarm(self, alarm: Alarm) -> None:
        """When something is wrong that does not end the training."""
        return None

    def on_quality(self, quality: Quality) -> None:
        """After the generator was measured, which is after `on_step` of the same step."""
        return None

    def on_rollback(self, start: TrainStart) -> None:
        """When the training goes back to an earlier step; the steps after `start.step` are done again, differently."""
        return None

    def on_end(self, result: TrainResult) -> None:
        """After the last step, and after Ctrl-C; not after an error."""
        return None
