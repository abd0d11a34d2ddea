"""One whole step of a training: all discriminator steps on fresh data and codes, then the generator step."""

from __future__ import annotations

import time
from statistics import fmean
from typing import cast

import torch
from torch import Tensor

from rpganify.data.images import ImageData, to_float
from rpganify.errors import TrainingError
from rpganify.training.block_adam import BlockAdam
from rpganify.training.callbacks import StepMetrics
from rpganify.training.config import TrainConfig
from rpganify.training.diversity import HasBuckets, diversity_loss, margin_diversity_loss
from rpganify.training.losses import Loss
from rpganify.training.order import DataOrder
from rpganify.training.state import TrainingState
from rpganify.training.steps import DiscriminatorValues, Diversity, discriminator_step, generator_step


class TrainingStep:
    """Carries a training's state from one step to the next; holds nothing that changes.

    Args:
        loss: the adversarial loss.
        data: real images.
        config: the settings.
        device: where the networks are.
    """

    def __init__(self, loss: Loss, data: ImageData, config: TrainConfig, device: torch.device) -> None:
        self._loss = loss
        self._data = data
        self._config = config
        self._device = device
        self._order = DataOrder(len(data), config.seed)

    def __call__(self, state: TrainingState) -> StepMetrics:
        """Change the state, the networks and optimizers in it, by one generator step.

        Raises:
            TrainingError: a loss is not finite; the state is then between two steps, and not to be saved.
        """
        started = time.perf_counter()
        data_s = 0.0
        rows: list[DiscriminatorValues] = []
        try:
            for _ in range(self._config.d_steps):
                begun = time.perf_counter()
                real = self._real(state)
                data_s += time.perf_counter() - begun
                rows.append(self._discriminator_step(state, real))
            halfway = time.perf_counter()
            codes = self._codes(state)
            if isinstance(state.generator_adam, BlockAdam):
                state.generator_adam.choose(codes)
            outcome = generator_step(
                state.generator,
                state.discriminator,
                self._loss,
                state.generator_adam,
                codes=codes,
                real=real,
                diversity=self._diversity(state),
            )
        except TrainingError as error:
            raise TrainingError(
                f"Step {state.step + 1}: {error} Try a lower learning rate (generator_lr, discriminator_lr), another "
                "loss or another seed."
            ) from error
        ended = time.perf_counter()
        state.step += 1
        penalties = [row.penalty for row in rows if row.penalty is not None]
        return StepMetrics(
            step=state.step,
            discriminator_loss=fmean(row.loss for row in rows),
            generator_loss=outcome.loss,
            real_score=fmean(row.real_score for row in rows),
            fake_score=fmean(row.fake_score for row in rows),
            penalty=fmean(penalties) if penalties else None,
            diversity=outcome.diversity,
            data_s=data_s,
            discriminator_s=halfway - started - data_s,
            generator_s=ended - halfway,
            images_per_s=len(rows) * self._config.batch_size / (ended - started),
        )

    def _discriminator_step(self, state: TrainingState, real: Tensor) -> DiscriminatorValues:
        return discriminator_step(
            state.generator,
            state.discriminator,
            self._loss,
            state.discriminator_adam,
            real=real,
            codes=self._codes(state),
            noise=state.streams.noise,
        )

    def _real(self, state: TrainingState) -> Tensor:
        """The next batch of real images, float `(batch_size, C, H, W)` in [-1, 1], on the device."""
        indices = self._order.indices(state.position, self._config.batch_size)
        state.position += self._config.batch_size
        return to_float(self._data.images(indices).to(self._device))

    def _codes(self, state: TrainingState) -> Tensor:
        """Fresh codes for one batch, on the CPU: paths are read there, and the model moves what else it needs."""
        return state.generator.draw(self._config.batch_size, state.streams.codes)

    def _diversity(self, state: TrainingState) -> Diversity | None:
        """The diversity loss of the settings; None for a standard generator."""
        weight = self._config.diversity_weight
        if state.generator.codes != "paths" or self._config.diversity == "none" or not weight:
            return None
        model = cast(HasBuckets, state.generator)
        if self._config.diversity == "paper":
            return Diversity(lambda: diversity_loss(model), weight)
        noise, margin = state.streams.noise, self._config.diversity_margin
        return Diversity(lambda: margin_diversity_loss(model, noise, margin), weight)
