"""Losses by how much more real an image looks than the average image of the other side.

With C(x) the score of an image, they see C(real) − mean C(fake) and C(fake) − mean C(real) in place of the scores. The
generator is judged by both, so its step needs real images too (`rpganify.training.losses.ComparesScores`).

Source: Jolicoeur-Martineau, "The relativistic discriminator: a key element missing from standard GAN", 2019, section 4.2;
the hinge form: its appendix D.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class RaHinge:
    """Hinge of relative scores: real images are to score 1 above the average fake, fake ones 1 below the average real.

    Args:
        wants_spectral_norm: whether a registered discriminator is spectrally normalised.
    """

    wants_spectral_norm: bool = True

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Mean of `max(0, 1 - (real - mean fake))` plus mean of `max(0, 1 + (fake - mean real))`."""
        real, fake = relative(real_scores, fake_scores)
        return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()

    def generator(self, fake_scores: Tensor) -> Tensor:
        """As `generator_against` real images that all score 0, where there are none to compare with."""
        return self.generator_against(torch.zeros_like(fake_scores), fake_scores)

    def generator_against(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """The discriminator's term with real and fake changed round."""
        return self.discriminator(fake_scores, real_scores)

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator) -> None:
        """No penalty."""
        return None


@dataclass(frozen=True, slots=True)
class RaStandard:
    """Cross entropy of relative scores: the probability that an image is more real than the average of the other side.

    Args:
        wants_spectral_norm: whether a registered discriminator is spectrally normalised.
    """

    wants_spectral_norm: bool = True

    def discriminator(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """Mean of `-log sigmoid(real - mean fake)` plus mean of `-log(1 - sigmoid(fake - mean real))`."""
        real, fake = relative(real_scores, fake_scores)
        return functional.softplus(-real).mean() + functional.softplus(fake).mean()

    def generator(self, fake_scores: Tensor) -> Tensor:
        """As `generator_against` real images that all score 0, where there are none to compare with."""
        return self.generator_against(torch.zeros_like(fake_scores), fake_scores)

    def generator_against(self, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
        """The discriminator's term with real and fake changed round."""
        return self.discriminator(fake_scores, real_scores)

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator) -> None:
        """No penalty."""
        return None


def relative(real_scores: Tensor, fake_scores: Tensor) -> tuple[Tensor, Tensor]:
    """Each side's scores `(N,)` less the mean of the other side's."""
    return real_scores - fake_scores.mean(), fake_scores - real_scores.mean()
