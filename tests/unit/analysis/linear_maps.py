"""Linear generators with a chosen singular value decomposition, whose metric, axes and distances are known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.latents import LatentMap


@dataclass(frozen=True)
class Planted:
    """images = matrix · z, with matrix = left · diag(singular) · rightᵀ; the metric is 2 · matrixᵀ · matrix.

    Args:
        space: as the code sees it.
        matrix: `(F, D)`.
        singular: falling.
        right: `(D, D)`, an axis per column.
    """

    space: LatentMap
    matrix: Tensor
    singular: Tensor
    right: Tensor

    @property
    def eigenvalues(self) -> Tensor:
        return 2 * self.singular.square()


def planted(singular: Tensor, seed: int = 0, image_shape: tuple[int, ...] = (1, 8, 8)) -> Planted:
    chance = torch.Generator().manual_seed(seed)
    dim, num_values = len(singular), torch.Size(image_shape).numel()
    left = torch.linalg.qr(torch.randn(num_values, dim, generator=chance, dtype=torch.float64)).Q
    right = torch.linalg.qr(torch.randn(dim, dim, generator=chance, dtype=torch.float64)).Q
    matrix = left * singular.double() @ right.T

    def draw(n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, dim, generator=generator, dtype=torch.float64)

    def images(latents: Tensor) -> Tensor:
        return (latents @ matrix.T).view(-1, *image_shape)

    space = LatentMap("z", dim, (dim,), image_shape, torch.device("cpu"), torch.float64, draw, images)
    return Planted(space, matrix, singular.double(), right)


def curved(linear: Planted, stretch: float = 1.0) -> LatentMap:
    """The same followed by a tanh of each value: the metric differs from place to place."""

    def images(latents: Tensor) -> Tensor:
        return torch.tanh(stretch * linear.space.images(latents))

    one = linear.space
    return LatentMap(one.name, one.dim, one.shape, one.image_shape, one.device, one.dtype, one.draw, images)


def as_they_are(images: Tensor) -> Tensor:
    """The pixel values as features."""
    return images
