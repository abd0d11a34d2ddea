"""One whole step of a training: all discriminator steps on fresh data and codes, then the generator step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor, nn

from rpganify.data.images import ImageData
from rpganify.errors import TrainingError
from rpganify.routing.compiled import CompiledGenerator
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.new_paths import sample_new_paths
from rpganify.training.augment import Augmentation
from rpganify.training.block_adam import BlockAdam
from rpganify.training.callbacks import StepMetrics
from rpganify.training.config import TrainConfig
from rpganify.training.diversity import HasBuckets, diversity_loss, margin_diversity_loss
from rpganify.training.labels import LabelSource, label_condition
from rpganify.training.losses import Loss
from rpganify.training.mechanics import Mechanics
from rpganify.training.networks import ImageGenerator
from rpganify.training.new_blocks import NewStatistics
from rpganify.training.reading.feed import Feed, RealBatch
from rpganify.training.reading.order import DataOrder
from rpganify.training.schedule import rate_factor
from rpganify.training.state import TrainingState
from rpganify.training.steps import (
    Batch,
    DiscriminatorValues,
    Diversity,
    NotFinite,
    Objective,
    discriminator_step,
    generator_step,
)


@dataclass(frozen=True, slots=True)
class _Labelling:
    """Who wants labels: where they come from, if anybody does, the generator's input, and whether they are judged."""

    source: LabelSource | None
    name: str | None
    is_judged: bool

    @classmethod
    def of(cls, state: TrainingState, data: ImageData) -> _Labelling:
        name = label_condition(state.generator, data)
        is_judged = bool(getattr(state.discriminator, "num_classes", 0))
        return cls(LabelSource(data) if name is not None or is_judged else None, name, is_judged)


class TrainingStep:
    """Carries a training's state from one step to the next; what it holds itself follows from its arguments.

    Codes, labels and places of the data are drawn for all processes together, and each takes its share.

    Args:
        loss: the adversarial loss.
        data: real images.
        config: the settings.
        mechanics: precision, device and processes; None takes the settings' precision on the CPU.
    Raises:
        TrainingError: the settings' augmentation does not exist, or the data is no picture and there is one.
    """

    def __init__(
        self,
        loss: Loss,
        data: ImageData,
        config: TrainConfig,
        mechanics: Mechanics | None = None,
    ) -> None:
        self._data = data
        self._config = config
        self._mechanics = mechanics or Mechanics(config.precision)
        processes = self._mechanics.processes
        self._count = config.batch_size * processes.count
        self._share = processes.share(config.batch_size)
        self._total = config.total_steps(processes.count)
        augment = Augmentation(config.augment)
        augment.check(tuple(data.image_shape))
        self._objective = Objective(loss, augment if augment.names else None, config.class_weight)
        self._labelling: _Labelling | None = None
        self._compiled: tuple[ImageGenerator, nn.Module] | None = None
        self._statistics: NewStatistics | None = None
        self._ended: float | None = None
        self._feed = Feed(
            data,
            DataOrder(len(data), config.seed),
            self._count,
            part=self._share,
            num_workers=config.num_workers,
            device=processes.device,
        )

    def close(self) -> None:
        """End the workers that read images ahead."""
        self._feed.close()

    def __call__(self, state: TrainingState) -> StepMetrics:
        """Change the state, the networks and optimizers in it, by one generator step.

        Raises:
            NotFinite: a loss is not; the state is then between two steps, and not to be saved.
        """
        if not self._config.only_new:
            return self._step(state)
        if self._statistics is None:
            self._statistics = NewStatistics.of(state.generator)
        with self._statistics.gathered():
            return self._step(state)

    def _step(self, state: TrainingState) -> StepMetrics:
        config = self._config
        started = time.perf_counter()
        other_s = 0.0 if self._ended is None else started - self._ended
        self._set_rates(state)
        generator, discriminator = self._networks(state)
        data_s = 0.0
        rows: list[DiscriminatorValues] = []
        try:
            for _ in range(config.d_steps):
                begun = time.perf_counter()
                real = self._real(state)
                batch = self._batch(state, real, self._codes(state), real.labels)
                data_s += time.perf_counter() - begun
                rows.append(
                    discriminator_step(
                        generator,
                        discriminator,
                        self._objective,
                        state.discriminator_descent,
                        batch.parts(config.accumulate),
                        state.streams.noise,
                        self._mechanics,
                    )
                )
            halfway = time.perf_counter()
            codes = self._codes(state)
            batch = self._batch(state, real, codes, None)
            drawn_s = time.perf_counter() - halfway
            if isinstance(state.generator_descent.optimizer, BlockAdam):
                state.generator_descent.optimizer.choose(codes)
            outcome = generator_step(
                generator,
                discriminator,
                self._objective,
                state.generator_descent,
                batch.parts(config.accumulate),
                state.streams.noise,
                self._mechanics,
                self._diversity(state),
            )
        except NotFinite as error:
            raise NotFinite(
                f"Step {state.step + 1}: {error} Try a lower learning rate (generator_lr, discriminator_lr), another "
                "loss or another seed."
            ) from error
        except RuntimeError as error:
            self._explain_compiling(error)
            raise
        state.step += 1
        if state.average is not None:
            state.average.update(state.generator, state.step)
        ended = time.perf_counter()
        state.elapsed_s += ended - started + other_s
        self._ended = ended
        penalties = [row.penalty for row in rows if row.penalty is not None]
        return StepMetrics(
            step=state.step,
            discriminator_loss=fmean(row.loss for row in rows),
            generator_loss=outcome.loss,
            real_score=fmean(row.real_score for row in rows),
            fake_score=fmean(row.fake_score for row in rows),
            penalty=fmean(penalties) if penalties else None,
            diversity=outcome.diversity,
            data_s=data_s + drawn_s,
            discriminator_s=halfway - started - data_s,
            generator_s=ended - halfway - drawn_s,
            images_per_s=len(rows) * self._count / (ended - started),
            other_s=other_s,
            diversity_s=None if outcome.diversity is None else outcome.diversity_s,
        )

    def _set_rates(self, state: TrainingState) -> None:
        config = self._config
        factor = state.rate * rate_factor(config.schedule, state.step, self._total, config.warmup)
        for descent, rate in (
            (state.generator_descent, config.generator_lr),
            (state.discriminator_descent, config.discriminator_lr),
        ):
            for group in descent.optimizer.param_groups:
                group["lr"] = rate * factor

    def _networks(self, state: TrainingState) -> tuple[ImageGenerator, nn.Module]:
        """What is called for the state's networks: themselves, or what torch.compile makes of them."""
        if not self._config.compile:
            return state.generator, state.discriminator
        if self._compiled is None:
            generator: Any = state.generator
            if isinstance(generator, RandomPathGenerator):
                generator = CompiledGenerator(generator)
            elif generator.codes != "paths":
                generator = SimpleNamespace(images=torch.compile(generator.images))
            self._compiled = generator, cast(nn.Module, torch.compile(state.discriminator))
        return self._compiled

    def _explain_compiling(self, error: RuntimeError) -> None:
        """Turns what torch.compile says of networks or machines that it cannot serve into a refusal."""
        if self._compiled is None:
            return
        from torch._dynamo.exc import TorchDynamoException  # which is there by now, and slow to import otherwise

        if isinstance(error, TorchDynamoException):
            reason = " ".join(
                str(error).partition("Set TORCHDYNAMO")[0].split()
            )  # behind it is advice on debugging torch
            raise TrainingError(f"torch.compile fails: {reason}. Train without --compile.") from error
        if "modified by an inplace operation" in str(error):
            raise TrainingError(
                "torch.compile makes a discriminator that cannot be called twice before its gradients: it keeps state, such "
                "as spectral norm's vectors, that each call moves on. Train without --compile, or with a discriminator "
                "without spectral norm (--loss wgan-gp builds one)."
            ) from error

    def _real(self, state: TrainingState) -> RealBatch:
        """The next batch of real images."""
        real = self._feed.batch(state.position)
        state.position += self._count
        if self._config.channels_last and real.images.dim() == 4:
            return RealBatch(real.images.contiguous(memory_format=torch.channels_last), real.labels)
        return real

    def _batch(self, state: TrainingState, real: RealBatch, codes: Tensor, labels: Tensor | None) -> Batch:
        """What this process makes images of, beside real ones; codes stay on the CPU, where paths are read.

        Args:
            codes: of all processes.
            labels: of the images to make, where that is settled; None draws them like the data's.
        """
        chance = state.streams.codes
        codes = codes[self._share]
        inputs: dict[str, Tensor] = {}
        if self._config.Z == "random" and state.generator.codes == "paths":
            fixed = cast(Any, state.generator).Z
            inputs["z"] = torch.randn(self._count, *fixed.shape[1:], generator=chance)[self._share].to(fixed)
        if self._labelling is None:
            self._labelling = _Labelling.of(state, self._data)
        source, name, is_judged = self._labelling.source, self._labelling.name, self._labelling.is_judged
        if source is None:
            return Batch(real.images, codes, inputs)
        if labels is None:
            labels = source.draw(self._count, chance)[self._share].to(real.images.device)
        if name is not None:
            inputs[name] = labels
        return Batch(real.images, codes, inputs, labels if is_judged else None)

    def _codes(self, state: TrainingState) -> Tensor:
        """Fresh codes for the batches of all processes."""
        generator, chance = state.generator, state.streams.codes
        if self._config.sampling == "equal" and generator.codes == "paths":
            draw: Callable[..., Tensor] = cast(Any, generator).paths.sample_equally
            return draw(self._count, generator=chance)
        if self._config.sampling == "new":
            return sample_new_paths(cast(Any, generator), self._count, chance)
        return generator.draw(self._count, chance)

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
