"""What is seen of a training from outside its steps: who is told, what is wrong with it, and how good it is."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from rpganify.data.images import ImageData
from rpganify.training.audience import Audience
from rpganify.training.callbacks import Callback, StepMetrics
from rpganify.training.config import TrainConfig
from rpganify.training.processes import Processes
from rpganify.training.recording.grids import grids_of_training
from rpganify.training.recording.quality import QualityLog, QualityMetric
from rpganify.training.recording.writers import AlarmWriter, MetricsWriter
from rpganify.training.run import RunDirectory
from rpganify.training.state import Best, TrainingState
from rpganify.training.watching.gradients import gradient_norms
from rpganify.training.watching.watch import Watch

log = logging.getLogger(__name__)


class Observer:
    """Watches one training, measures it, and has an audience for it; silent in processes that are not the main one.

    Args:
        run: where the run's own writers write.
        state: of the training; what is drawn and measured is its shown generator.
        data: real images.
        config: how often.
        processes: those that train together; `measure` is called in all of them.
        quality: what is measured; None measures nothing.
        callbacks: told after the run's own writers.
    """

    def __init__(
        self,
        run: RunDirectory,
        state: TrainingState,
        data: ImageData,
        config: TrainConfig,
        processes: Processes,
        quality: QualityMetric | None,
        callbacks: Sequence[Callback],
    ) -> None:
        self._config = config
        self._processes = processes
        self._measures = quality is not None
        self._quality: QualityLog | None = None
        self._watch = Watch(
            every=config.watch_every,
            batch_size=config.batch_size * processes.count,
            diversity_weight=(config.diversity_weight or 0.0) if config.diversity == "paper" else 0.0,
            draws_all=config.sampling in ("independent", "equal"),
        )
        told: list[Callback] = []
        if processes.is_main:
            grids = grids_of_training(run.samples, state.shown_generator, data, config)
            told = [MetricsWriter(run.metrics), AlarmWriter(run.events), grids]
            if quality is not None:
                self._quality = QualityLog(run.quality, quality)
                told.append(self._quality)
            told.extend(callbacks)
        self.audience = Audience(told)

    def inspect(self, state: TrainingState, metrics: StepMetrics) -> StepMetrics:
        """Look for trouble, and tell of the step and of what was found; the metrics with what was measured for it."""
        if not self._processes.is_main:
            return metrics
        if self._watch.is_due(metrics.step):
            metrics = replace(metrics, gradient_norms=gradient_norms(state.generator))
        self.audience.on_step(metrics)
        for alarm in self._watch.inspect(state, metrics):
            log.warning("Step %d: %s", alarm.step, alarm.message)
            self.audience.on_alarm(alarm)
        return metrics

    def is_measuring(self, step: int, *, is_last: bool) -> bool:
        """Whether the quality is measured after this step."""
        return self._measures and (is_last or step % self._config.quality_every == 0)

    def measure(self, state: TrainingState) -> bool:
        """Measure the quality, tell of it, and note it in the state if it is the best so far; whether it is."""
        is_best = False
        if self._quality is not None:
            quality = self._quality.measure(state.shown_generator, state.step)
            self.audience.on_quality(quality)
            is_best = quality.is_best
            if is_best:
                state.best = Best(quality.value, quality.step)
        return self._processes.any(is_best)
