"""Looks after a training: says what goes wrong in it that no error would say."""

from __future__ import annotations

from typing import cast

from rpganify.training.callbacks import Alarm, StepMetrics
from rpganify.training.diversity import HasBuckets
from rpganify.training.networks import ImageGenerator
from rpganify.training.state import TrainingState
from rpganify.training.watching.block_samples import sample_bucket
from rpganify.training.watching.blocks import DeadWatch, DuplicateWatch, SilentWatch
from rpganify.training.watching.gradients import GradientWatch, gradient_norms
from rpganify.training.watching.latch import AlarmLatch
from rpganify.training.watching.scores import ScoreWatch


class Watch:
    """Finds discriminators that have won, gradients that vanish or explode, and blocks that are duplicates or dead.

    Each alarm is said once until what it is about has passed. Nothing is changed, and no random number is drawn. What it
    remembers is not saved: a resumed training's watch begins anew, and so it does after a step back.

    Args:
        every: steps between the checks that read weights and gradients.
        window: steps over which losses and scores are averaged.
        batch_size: codes per step, in all processes together.
        diversity_weight: factor of the paper's block diversity loss; 0 where there is none or another.
        draws_all: whether all blocks of a bucket are drawn equally often; else one without a gradient says nothing.
    """

    def __init__(
        self,
        *,
        every: int = 100,
        window: int = 100,
        batch_size: int = 64,
        diversity_weight: float = 0.0,
        draws_all: bool = True,
    ) -> None:
        latch = AlarmLatch()
        self._every = every
        self._draws_all = draws_all
        self._scores = ScoreWatch(latch, window)
        self._gradients = GradientWatch(latch)
        self._duplicates = DuplicateWatch(latch)
        self._dead = DeadWatch(latch)
        self._silent = SilentWatch(latch, batch_size, diversity_weight)
        self._step: int | None = None

    def is_due(self, step: int) -> bool:
        """Whether weights and gradients are read after this step, and its metrics should hold `gradient_norms`."""
        return step % self._every == 0

    def inspect(self, state: TrainingState, metrics: StepMetrics) -> list[Alarm]:
        """What went wrong with this step.

        Args:
            state: after the step, with the generator's gradients still there.
            metrics: of the step; with `gradient_norms` where they are due.
        """
        is_first = self._step is None or metrics.step != self._step + 1
        self._step = metrics.step
        if is_first:
            for part in (self._scores, self._gradients, self._duplicates, self._silent):
                part.forget()
        alarms = self._scores.inspect(metrics)
        if is_first or self.is_due(metrics.step):
            alarms += self._inspect_generator(state.generator, metrics)
        return alarms

    def _inspect_generator(self, generator: ImageGenerator, metrics: StepMetrics) -> list[Alarm]:
        alarms: list[Alarm] = []
        is_due = self.is_due(metrics.step)
        sizes = {"generator": sum(p.numel() for _, p in generator.named_parameters() if p.grad is not None)}
        if generator.codes == "paths":
            model = cast(HasBuckets, generator)
            for index, bucket in enumerate(model.plan.buckets):
                parameters = list(model.bucket_parameters(index).values())
                sizes[bucket.name] = sum(p.numel() for p in parameters if p.grad is not None)
                samples = sample_bucket(parameters)
                if samples:
                    alarms += self._dead.inspect(metrics.step, index, bucket, samples)
                if samples and bucket.num_blocks > 1:
                    alarms += self._duplicates.inspect(metrics.step, index, bucket, samples)
                    if is_due and self._draws_all:
                        alarms += self._silent.inspect(metrics.step, index, bucket, samples, parameters)
        if is_due:
            norms = gradient_norms(generator) if metrics.gradient_norms is None else metrics.gradient_norms
            alarms += self._gradients.inspect(metrics.step, norms, sizes)
        return alarms
