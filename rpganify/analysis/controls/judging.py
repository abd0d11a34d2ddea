"""What a classifier says of the images of codes, latents and paths alike: the one thing that searches for controls ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# A classifier of small images is two to three times as fast on 64 of them as on 256: they stay in a CPU's cache.
BATCH_SIZE = 64


@dataclass(slots=True)
class Judge:
    """Class probabilities of the images that codes make.

    A code is a row of numbers: a latent, flat, or a path. Its coordinates are dimensions, or buckets.

    Args:
        images: codes `(n, num_coordinates)` to images `(n, C, H, W)` in [-1, 1].
        logits: images to class scores `(n, num_concepts)` before the softmax.
        batch_size: codes that are taken at once.
        num_images: counts the images that were made.
    """

    images: Callable[[Tensor], Tensor]
    logits: Callable[[Tensor], Tensor]
    batch_size: int = BATCH_SIZE
    num_images: int = 0

    def probabilities(self, codes: Tensor) -> Tensor:
        """Class probabilities of all codes: float64 `(N, num_concepts)` on the CPU.

        Args:
            codes: `(N, num_coordinates)`, N >= 1.
        """
        with torch.no_grad():
            return torch.cat([self._log_probabilities(part).exp().double().cpu() for part in self._batches(codes)])

    def log_probability(self, codes: Tensor, concept: int) -> tuple[float, Tensor]:
        """The mean log-probability of a concept, and its slope at each code.

        The slope along a shift that all codes share is the mean of its rows.

        Args:
            codes: float `(N, num_coordinates)`, N >= 1.
            concept: class index.
        Returns:
            The mean, and the gradients of each code's log-probability, `(N, num_coordinates)` on the CPU.
        """
        total, slopes = 0.0, []
        for part in self._batches(codes):
            with torch.enable_grad():
                leaf = part.detach().clone().requires_grad_(True)
                summed = self._log_probabilities(leaf)[:, concept].sum()
                (slope,) = torch.autograd.grad(summed, leaf)
            total += float(summed.detach())
            slopes.append(slope.cpu())
        return total / len(codes), torch.cat(slopes)

    def variance(self, codes: Tensor) -> float:
        """The variance of the images of codes, summed over pixels; unbiased.

        Args:
            codes: `(N, num_coordinates)`, N >= 2.
        """
        total: Tensor | float = 0.0
        squares: Tensor | float = 0.0
        with torch.no_grad():
            for part in self._batches(codes):
                images = self.images(part).double().cpu()
                total, squares = total + images.sum(dim=0), squares + images.square().sum(dim=0)
        num = len(codes)
        spread = (torch.as_tensor(squares) - torch.as_tensor(total).square() / num).clamp(min=0) / (num - 1)
        return float(spread.sum())

    def _batches(self, codes: Tensor) -> tuple[Tensor, ...]:
        self.num_images += len(codes)
        return torch.split(codes, self.batch_size)

    def _log_probabilities(self, codes: Tensor) -> Tensor:
        return torch.log_softmax(self.logits(self.images(codes)), dim=1)
