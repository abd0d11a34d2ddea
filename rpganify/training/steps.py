"""One step of either network: what is computed, and which parameters it changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from rpganify.errors import TrainingError
from rpganify.training.losses import ComparesScores, Loss


class ImageGenerator(Protocol):
    """What the trainer uses of a model; converted and standard ones have it alike."""

    training: bool

    @property
    def codes(self) -> str:
        """`paths` or `z`."""

    @property
    def image_shape(self) -> tuple[int, ...]:
        """`(C, H, W)`."""

    @property
    def conditions(self) -> tuple[Any, ...]:
        """Inputs beside the codes, such as labels."""

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` random codes, on the CPU."""

    def images(self, codes: Tensor, /) -> Tensor:
        """Images `(n, C, H, W)` in about [-1, 1], differentiable, on the model's device; codes as drawn."""

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """As of `nn.Module`."""

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """As of `nn.Module`."""

    def train(self, mode: bool = True) -> Any:
        """As of `nn.Module`."""

    def to(self, device: torch.device) -> Any:
        """As of `nn.Module`."""


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


@dataclass(frozen=True, slots=True)
class Diversity:
    """A diversity loss and its factor in the generator's loss."""

    compute: Callable[[], Tensor]
    weight: float


def discriminator_step(
    generator: ImageGenerator,
    discriminator: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    *,
    real: Tensor,
    codes: Tensor,
    noise: torch.Generator,
) -> DiscriminatorValues:
    """Change the discriminator so that it tells `real` from the images of `codes`.

    The generator gets no gradient; its batch norms' running statistics move, as it is in training mode.

    Args:
        real: float images `(N, C, H, W)` in [-1, 1], on the networks' device.
        codes: `(N, ...)`, as drawn, on the CPU.
        noise: what the penalty draws from.
    Raises:
        TrainingError: the loss is not finite; the discriminator is as it was before.
    """
    with torch.no_grad():
        fake = generator.images(codes)
    real_scores = discriminator(real).flatten()
    fake_scores = discriminator(fake).flatten()
    total = loss.discriminator(real_scores, fake_scores)
    penalty = loss.penalty(discriminator, real, fake, noise)
    if penalty is not None:
        total = total + penalty
    # Read together: on a GPU every reading waits for the device.
    extra = total if penalty is None else penalty
    value, extra_value, real_score, fake_score = (
        torch.stack([total, extra, real_scores.mean(), fake_scores.mean()]).detach().tolist()
    )
    _require_finite("discriminator", value)
    _descend(total, optimizer)
    return DiscriminatorValues(value, None if penalty is None else extra_value, real_score, fake_score)


def generator_step(
    generator: ImageGenerator,
    discriminator: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    *,
    codes: Tensor,
    real: Tensor | None = None,
    diversity: Diversity | None = None,
) -> GeneratorValues:
    """Change the generator so that the discriminator takes the images of `codes` for real.

    The discriminator gets no gradient.

    Args:
        codes: `(N, ...)`, as drawn, on the CPU.
        real: float images `(N, C, H, W)` in [-1, 1], for losses that compare scores (`losses.ComparesScores`); others do
            not look at them.
        diversity: what is added to the adversarial loss.
    Raises:
        TrainingError: the loss is not finite, and the generator is as it was before; or it compares scores, and there is
            nothing real.
    """
    adversarial = _generator_loss(loss, discriminator, generator.images(codes), real)
    if diversity is None:
        value = float(adversarial.detach())
        _require_finite("generator", value)
        _descend(adversarial, optimizer)
        return GeneratorValues(value, None)
    spread = diversity.compute()
    value, spread_value = torch.stack([adversarial, spread.to(adversarial)]).detach().tolist()
    _require_finite("generator", value)
    _require_finite("block diversity", spread_value)
    _descend(adversarial + diversity.weight * spread, optimizer)
    return GeneratorValues(value, spread_value)


def _generator_loss(loss: Loss, discriminator: nn.Module, fake: Tensor, real: Tensor | None) -> Tensor:
    """What the generator's images `fake` cost it."""
    if not isinstance(loss, ComparesScores):
        return loss.generator(discriminator(fake).flatten())
    if real is None:
        raise TrainingError(
            f"{type(loss).__name__} compares the scores of fake images with those of real ones; pass real=…."
        )
    with torch.no_grad():
        real_scores = discriminator(real).flatten()
    return loss.generator_against(real_scores, discriminator(fake).flatten())


def _descend(total: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """One optimizer step on its own parameters; no gradient is computed for any other."""
    optimizer.zero_grad(set_to_none=True)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    torch.autograd.backward(total, inputs=parameters)
    optimizer.step()


def _require_finite(which: str, value: float) -> None:
    if not math.isfinite(value):
        raise TrainingError(f"The {which} loss became {value}.")
