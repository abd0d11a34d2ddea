"""Adversarial losses: what the discriminator's scores cost each of the two networks.

Scores are unbounded; a higher one says "real". Both networks minimise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from rpganify.errors import TrainingError
from rpganify.training.penalties import gradient_penalty, r1_penalty


class Loss(Protocol):
    """An adversarial loss, as the trainer uses it; a plugin's class needs these members and no base class."""

    @property
    def wants_spectral_norm(self) -> bool:
        """Whether the discriminator that goes with it is spectrally normalised, unless the user says otherwise."""

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Scalar that the discriminator minimises; scores `(N,)`."""

    def generator(self, fake_scores: Tensor) -> Tensor:
        """Scalar that the generator minimises; scores `(N,)`, differentiable in the generator."""

    def penalty(
        self, discriminator: nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator
    ) -> Tensor | None:
        """Scalar added to the discriminator's loss, its weight included; None if this loss has no such term.

        Args:
            discriminator: may be called on further images.
            real, fake: images `(N, C, H, W)`, detached.
            generator: the only source of randomness to use, a CPU generator; the checkpoint holds its state.
        """


@runtime_checkable
class ComparesScores(Protocol):
    """What a loss has beside the members of `Loss` if its generator's term compares fake images with real ones."""

    def generator_against(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Scalar that the generator minimises, in place of `Loss.generator`.

        Args:
            real_scores: `(N,)`, of the last real images that the discriminator was trained on; without gradient.
            fake_scores: `(N,)`, differentiable in the generator.
        """


@dataclass(frozen=True, slots=True)
class Hinge:
    """Scores beyond +1 (real) and -1 (fake) cost nothing; with spectral norm, as in SN-ResNet.

    Source: Miyato et al. 2018, equations 16 and 17; the main setting of RPGAN, section 4.
    """

    wants_spectral_norm: bool = True

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Mean of `max(0, 1 - real)` plus mean of `max(0, 1 + fake)`."""
        return functional.relu(1 - real_scores).mean() + functional.relu(1 + fake_scores).mean()

    def generator(self, fake_scores: Tensor) -> Tensor:
        """Minus the mean score."""
        return -fake_scores.mean()

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator) -> None:
        """No penalty: spectral norm bounds the discriminator."""
        return None


@dataclass(frozen=True, slots=True)
class NonSaturating:
    """The original GAN's cross entropy, the generator maximising `log D` in place of minimising `log(1 - D)`.

    Computed by softplus on raw scores, so that no score overflows; the discriminator must not end in a sigmoid.

    Source: Goodfellow et al. 2014, section 3.
    """

    wants_spectral_norm: bool = True

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Mean of `-log sigmoid(real)` plus mean of `-log(1 - sigmoid(fake))`."""
        return functional.softplus(-real_scores).mean() + functional.softplus(fake_scores).mean()

    def generator(self, fake_scores: Tensor) -> Tensor:
        """Mean of `-log sigmoid(fake)`."""
        return functional.softplus(-fake_scores).mean()

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator) -> None:
        """No penalty: spectral norm bounds the discriminator."""
        return None


@dataclass(frozen=True, slots=True)
class NonSaturatingR1:
    """The original GAN's cross entropy, with a penalty on the discriminator's slope at the real images.

    As `NonSaturating`, but the penalty bounds the discriminator in place of spectral norm. The slope is per sample, so
    the discriminator must not mix samples.

    Args:
        penalty_weight: γ of the penalty.
    Raises:
        TrainingError: a negative or infinite weight.
    Source:
        Mescheder et al. 2018, "Which Training Methods for GANs do actually Converge?", section 4.1 and its γ = 10.
    """

    penalty_weight: float = 10.0
    wants_spectral_norm: bool = False

    def __post_init__(self) -> None:
        _check_weight(self.penalty_weight)

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Mean of `-log sigmoid(real)` plus mean of `-log(1 - sigmoid(fake))`."""
        return NonSaturating().discriminator(real_scores, fake_scores)

    def generator(self, fake_scores: Tensor) -> Tensor:
        """Mean of `-log sigmoid(fake)`."""
        return NonSaturating().generator(fake_scores)

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator) -> Tensor:
        """`γ/2 · mean(‖∇D(real)‖²)`."""
        return self.penalty_weight * r1_penalty(discriminator, real)


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """Half the squared distance of the scores from 1 (real) and 0 (fake).

    Source: Mao et al. 2017, "Least Squares Generative Adversarial Networks", equation 9 (a = 0, b = c = 1).
    """

    wants_spectral_norm: bool = True

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Half the mean of `(real - 1)²` plus half the mean of `fake²`."""
        return ((real_scores - 1).square().mean() + fake_scores.square().mean()) / 2

    def generator(self, fake_scores: Tensor) -> Tensor:
        """Half the mean of `(fake - 1)²`."""
        return (fake_scores - 1).square().mean() / 2

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator) -> None:
        """No penalty: the squares hold the scores near 0 and 1."""
        return None


@dataclass(frozen=True, slots=True)
class WassersteinGP:
    """Difference of mean scores, with a penalty on the discriminator's slope.

    The slope is taken per sample, so the discriminator must not mix samples: no batch norm in it
    (Gulrajani et al. 2017, section 4).

    Args:
        penalty_weight: λ of the penalty.
        one_sided: whether only slopes over 1 cost; else those under 1 do too, the paper's main form.
    Raises:
        TrainingError: a negative or infinite weight, or another `one_sided` than True and False.
    """

    penalty_weight: float = 10.0
    wants_spectral_norm: bool = False
    one_sided: bool = False

    def __post_init__(self) -> None:
        _check_weight(self.penalty_weight)
        if not isinstance(self.one_sided, bool):
            raise TrainingError(f"one_sided is True or False, got {self.one_sided!r}.")

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Mean fake score minus mean real score: minus the estimated distance."""
        return fake_scores.mean() - real_scores.mean()

    def generator(self, fake_scores: Tensor) -> Tensor:
        """Minus the mean score."""
        return -fake_scores.mean()

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator) -> Tensor:
        """`λ · mean((‖∇D(x)‖₂ - 1)²)` at one point x between each real image and the fake one beside it.

        One-sided, `λ · mean(max(0, ‖∇D(x)‖₂ - 1)²)`.
        """
        return self.penalty_weight * gradient_penalty(discriminator, real, fake, generator, one_sided=self.one_sided)


def _check_weight(weight: float) -> None:
    if not (math.isfinite(weight) and weight >= 0):
        raise TrainingError(
            f"penalty_weight={weight} would reward steep discriminators; give a finite number, 0 or larger, e.g. "
            "--loss-arg penalty_weight=10."
        )
