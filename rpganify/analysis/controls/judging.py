"""What a classifier says of the images of codes, latents and paths alike: the one thing that searches for controls ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# A classifier of small images is two to three times as fast on 64 of them as on 256: they stay in a CPU's cache.
BATCH_SIZE = 64
LOOKS_SIZE = 16


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to say of images.

    Args:
        probabilities: of the classes, float64 `(N, num_concepts)`.
        features: of the classifier's last hidden layer, float32 `(N, D)`.
        looks: the images shrunk to at most 16×16, float32 `(N, num_values)`.
    """

    probabilities: Tensor
    features: Tensor
    looks: Tensor


@dataclass(slots=True)
class Judge:
    """Class probabilities of the images that codes make.

    A code is a row of numbers: a latent, flat, or a path. Its coordinates are dimensions, or buckets.

    Args:
        images: codes `(n, num_coordinates)` to images `(n, C, H, W)` in [-1, 1].
        logits: images to class scores `(n, num_concepts)` before the softmax; differentiable where shifts are optimised.
        describe: images to features `(n, D)` and the same scores.
        batch_size: codes that are taken at once.
        num_images: counts the images that were made.
    """

    images: Callable[[Tensor], Tensor]
    logits: Callable[[Tensor], Tensor]
    describe: Callable[[Tensor], tuple[Tensor, Tensor]]
    batch_size: int = BATCH_SIZE
    num_images: int = 0

    def probabilities(self, codes: Tensor) -> Tensor:
        """Class probabilities of all codes: float64 `(N, num_concepts)` on the CPU.

        Args:
            codes: `(N, num_coordinates)`, N >= 1.
        """
        with torch.no_grad():
            return torch.cat([_probabilities(self.logits(self.images(part))) for part in self._batches(codes)])

    def see(self, codes: Tensor) -> Seen:
        """All that there is to say of the images of codes; on the CPU.

        Args:
            codes: `(N, num_coordinates)`, N >= 1.
        """
        parts = []
        with torch.no_grad():
            for part in self._batches(codes):
                images = self.images(part)
                features, scores = self.describe(images)
                size = (min(LOOKS_SIZE, images.shape[2]), min(LOOKS_SIZE, images.shape[3]))
                looks = F.adaptive_avg_pool2d(images.float(), size).flatten(1)
                parts.append((_probabilities(scores), features.float().cpu(), looks.cpu()))
        return Seen(*(torch.cat(column) for column in zip(*parts, strict=True)))

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
                summed = torch.log_softmax(self.logits(self.images(leaf)), dim=1)[:, concept].sum()
                (slope,) = torch.autograd.grad(summed, leaf)
            total += float(summed.detach())
            slopes.append(slope.cpu())
        return total / len(codes), torch.cat(slopes)

    def _batches(self, codes: Tensor) -> tuple[Tensor, ...]:
        self.num_images += len(codes)
        return torch.split(codes, self.batch_size)


def _probabilities(scores: Tensor) -> Tensor:
    return torch.softmax(scores, dim=1).double().cpu()
