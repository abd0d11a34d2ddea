"""Adversarial losses: what the discriminator's scores cost each of the two networks.

Scores are unbounded; a higher one says "real". Both networks minimise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional


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
class WassersteinGP:
    """Difference of mean scores, with a two-sided penalty on the discriminator's slope.

    The slope is taken per sample, so the discriminator must not mix samples: no batch norm in it
    (Gulrajani et al. 2017, section 4).

    Args:
        penalty_weight: λ of the penalty.
    """

    penalty_weight: float = 10.0
    wants_spectral_norm: bool = False

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Mean fake score minus mean real score: minus the estimated distance."""
        return fake_scores.mean() - real_scores.mean()

    def generator(self, fake_scores: Tensor) -> Tensor:
        """Minus the mean score."""
        return -fake_scores.mean()

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator) -> Tensor:
        """`λ · mean((‖∇D(x)‖₂ - 1)²)` at one point x between each real image and the fake one beside it."""
        num_images = real.shape[0]
        shape = (num_images,) + (1,) * (real.dim() - 1)
        # Drawn on the CPU, so that one seed gives the same points on every device.
        share = torch.rand(shape, generator=generator, dtype=real.dtype).to(real.device)
        between = torch.lerp(real, fake, share).requires_grad_()  # (N, C, H, W)
        scores = discriminator(between)
        # Scores of one sample depend on that sample only, so the gradient of the sum is every sample's own.
        (slopes,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
        norms = torch.linalg.vector_norm(slopes.flatten(1), dim=1)  # (N,)
        penalty: Tensor = self.penalty_weight * (norms - 1).square().mean()
        return penalty
