"""One step of either network: what is computed, and which parameters it changes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rpganify.errors import TrainingError
from rpganify.training.losses import ComparesScores, Loss
from rpganify.training.mechanics import Mechanics, parameters_of
from rpganify.training.networks import ImageGenerator

# Changes a batch of images before the discriminator sees it; draws from the CPU generator only.
Augment = Callable[[Tensor, torch.Generator], Tensor]


class NotFinite(TrainingError):
    """A loss became infinite or NaN."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step is computed on.

    Args:
        real: float images `(N, C, H, W)` in [-1, 1], on the networks' device.
        codes: `(N, ...)`, as drawn, on the CPU.
        inputs: what the generator takes beside the codes, each `(N, ...)`, by its name there.
        labels: int64 `(N,)`, of the images that the generator is to make, and in the discriminator's step of the real
            ones too; None without labels.
    """

    real: Tensor
    codes: Tensor
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    labels: Tensor | None = None

    def parts(self, count: int) -> list[Batch]:
        """The batch as `count` smaller ones, of equal sizes where that can be."""
        if count == 1:
            return [self]
        inputs = {name: value.chunk(count) for name, value in self.inputs.items()}
        labels = [None] * count if self.labels is None else self.labels.chunk(count)
        pairs = zip(self.real.chunk(count), self.codes.chunk(count), labels, strict=True)
        return [
            Batch(real, codes, {name: values[index] for name, values in inputs.items()}, label)
            for index, (real, codes, label) in enumerate(pairs)
        ]

    @property
    def size(self) -> int:
        """Its number of images."""
        return len(self.codes)


@dataclass(frozen=True, slots=True)
class Objective:
    """What both networks are trained for.

    Args:
        loss: the adversarial loss.
        augment: what is done to real and fake images alike before the discriminator sees them.
        class_weight: factor of an auxiliary classifier's cross entropy, in both networks' losses.
    """

    loss: Loss
    augment: Augment | None = None
    class_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class DiscriminatorValues:
    """Numbers of a discriminator step: its whole loss, the penalty in it, and the mean scores."""

    loss: float
    penalty: float | None
    real_score: float
    fake_score: float


@dataclass(frozen=True, slots=True)
class GeneratorValues:
    """Numbers of a generator step: its adversarial loss, and the diversity loss before its weight."""

    loss: float
    diversity: float | None
    diversity_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Diversity:
    """A diversity loss and its factor in the generator's loss."""

    compute: Callable[[], Tensor]
    weight: float


@dataclass(frozen=True, slots=True)
class Descent:
    """One network's optimizer and, in fp16, the scaler of its gradients."""

    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler | None = None


def discriminator_step(
    generator: ImageGenerator,
    discriminator: nn.Module,
    objective: Objective,
    descent: Descent,
    parts: Sequence[Batch],
    noise: torch.Generator,
    mechanics: Mechanics,
) -> DiscriminatorValues:
    """Change the discriminator so that it tells real images from the generator's.

    The generator gets no gradient; its batch norms' running statistics move, as it is in training mode.

    Args:
        parts: of one batch; their gradients are summed before the change.
        noise: what penalty and augmentation draw from.
    Raises:
        NotFinite: the loss is not; the discriminator is as it was before.
    """
    parameters = parameters_of(descent.optimizer)
    descent.optimizer.zero_grad(set_to_none=True)
    size = sum(part.size for part in parts)
    sums = [0.0, 0.0, 0.0, 0.0]
    has_penalty = False
    for part in parts:
        with mechanics.casting():
            with torch.no_grad():
                fake = generator.images(part.codes, **part.inputs)
            real = part.real
            if objective.augment is not None:
                real, fake = objective.augment(real, noise), objective.augment(fake, noise)
            real_scores, real_classes = _judge(discriminator, real, part.labels)
            fake_scores, _ = _judge(discriminator, fake, part.labels)
        total = objective.loss.discriminator(real_scores, fake_scores)
        if real_classes is not None and part.labels is not None:
            total = total + objective.class_weight * _cross_entropy(real_classes, part.labels)
        with mechanics.exactly():
            # What torch.compile makes of a network has no gradients of gradients; the network itself has.
            exact: nn.Module = getattr(discriminator, "_orig_mod", discriminator)
            judge = exact if part.labels is None else _Labelled(exact, part.labels)
            penalty = objective.loss.penalty(judge, real.float(), fake.float(), noise)
        if penalty is not None:
            has_penalty = True
            total = total + penalty
        # Read together: on a GPU every reading waits for the device.
        extra = total if penalty is None else penalty
        values = torch.stack([total, extra, real_scores.mean(), fake_scores.mean()]).detach().tolist()
        share = part.size / size
        sums = [one + share * value for one, value in zip(sums, values, strict=True)]
        mechanics.backward(total * share if len(parts) > 1 else total, parameters, descent.scaler)
    value, extra_value, real_score, fake_score = mechanics.processes.mean(sums)
    _require_finite("discriminator", value)
    mechanics.descend(descent.optimizer, descent.scaler)
    return DiscriminatorValues(value, extra_value if has_penalty else None, real_score, fake_score)


def generator_step(
    generator: ImageGenerator,
    discriminator: nn.Module,
    objective: Objective,
    descent: Descent,
    parts: Sequence[Batch],
    noise: torch.Generator,
    mechanics: Mechanics,
    diversity: Diversity | None = None,
) -> GeneratorValues:
    """Change the generator so that the discriminator takes its images for real.

    The discriminator gets no gradient.

    Args:
        parts: of one batch; their gradients are summed before the change. Only losses that compare scores
            (`losses.ComparesScores`) look at the real images in it.
        noise: what the augmentation draws from.
        diversity: what is added to the adversarial loss.
    Raises:
        NotFinite: a loss is not; the generator is as it was before.
    """
    parameters = parameters_of(descent.optimizer)
    descent.optimizer.zero_grad(set_to_none=True)
    size = sum(part.size for part in parts)
    value = 0.0
    for part in parts:
        with mechanics.casting():
            fake = generator.images(part.codes, **part.inputs)
            if objective.augment is not None:
                fake = objective.augment(fake, noise)
            fake_scores, fake_classes = _judge(discriminator, fake, part.labels)
            real_scores = _real_scores(discriminator, objective, part, noise)
        if isinstance(objective.loss, ComparesScores) and real_scores is not None:
            adversarial = objective.loss.generator_against(real_scores, fake_scores)
        else:
            adversarial = objective.loss.generator(fake_scores)
        if fake_classes is not None and part.labels is not None:
            adversarial = adversarial + objective.class_weight * _cross_entropy(fake_classes, part.labels)
        share = part.size / size
        value += share * float(adversarial.detach())
        mechanics.backward(adversarial * share if len(parts) > 1 else adversarial, parameters, descent.scaler)
    spread: float | None = None
    diversity_s = 0.0
    if diversity is not None:
        started = time.perf_counter()
        term = diversity.compute()
        spread = float(term.detach())
        if term.requires_grad:
            mechanics.backward(diversity.weight * term, parameters, descent.scaler)
        diversity_s = time.perf_counter() - started
    (value,) = mechanics.processes.mean([value])
    _require_finite("generator", value)
    if spread is not None:
        _require_finite("block diversity", spread)
    mechanics.descend(descent.optimizer, descent.scaler)
    return GeneratorValues(value, spread, diversity_s)


class _Labelled(nn.Module):
    """A discriminator that has been told the labels, for losses that call it on images of theirs."""

    def __init__(self, discriminator: nn.Module, labels: Tensor) -> None:
        super().__init__()
        self.discriminator = discriminator
        self._labels = labels

    def forward(self, images: Tensor) -> Tensor:
        return _judge(self.discriminator, images, self._labels)[0]


def _judge(discriminator: nn.Module, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Scores `(N,)`, and class logits `(N, num_classes)` from an auxiliary classifier; both in float32 at least."""
    outcome: Any = discriminator(images) if labels is None else discriminator(images, labels)
    scores, classes = outcome if isinstance(outcome, tuple) else (outcome, None)
    return _at_least_float(scores.flatten()), None if classes is None else _at_least_float(classes)


def _at_least_float(values: Tensor) -> Tensor:
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def _real_scores(discriminator: nn.Module, objective: Objective, part: Batch, noise: torch.Generator) -> Tensor | None:
    """What a loss that compares scores compares with; None for others."""
    if not isinstance(objective.loss, ComparesScores):
        return None
    with torch.no_grad():
        real = part.real if objective.augment is None else objective.augment(part.real, noise)
        return _judge(discriminator, real, part.labels)[0]


def _cross_entropy(classes: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(classes, labels)


def _require_finite(which: str, value: float) -> None:
    if not math.isfinite(value):
        raise NotFinite(f"The {which} loss became {value}.")
