"""Latent maps written by hand, and the metric by its definition: the whole Jacobian by reverse differentiation."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from rpganify.analysis.geometry.products import Products
from rpganify.analysis.latents import LatentMap

DOUBLE = torch.float64
Images = Callable[[Tensor], Tensor]


def space_of(images: Callable[[Tensor], Tensor], dim: int, dtype: torch.dtype = DOUBLE) -> LatentMap:
    """A map whose images are `images` of `(n, dim)`."""
    shape = tuple(images(torch.zeros(1, dim, dtype=dtype)).shape[1:])

    def draw(n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, dim, generator=generator).to(dtype)

    return LatentMap("z", dim, (dim,), shape, torch.device("cpu"), dtype, draw, images)


def flat(images: Tensor) -> Tensor:
    """The features of the squared error."""
    return images.flatten(1)


def products_of(images: Callable[[Tensor], Tensor], dim: int, dtype: torch.dtype = DOUBLE) -> Products:
    """Products with the Jacobian of the pixels."""
    return Products(space_of(images, dim, dtype), flat)


def network(activation: nn.Module, dim: int = 10, seed: int = 0, dtype: torch.dtype = DOUBLE) -> Images:
    """A small generator of 1 × 6 × 6 pixels; the same in both precisions, but for rounding."""
    chance = torch.Generator().manual_seed(seed)
    sizes = (dim, 24, 30, 36)
    weights = [torch.randn(one, next_one, generator=chance) / one**0.5 for one, next_one in pairwise(sizes)]
    biases = [0.3 * torch.randn(size, generator=chance) for size in sizes[1:]]

    # No nn.Linear: with a bias it makes torch load its compiler at the first product, which takes seconds.
    def images(latents: Tensor) -> Tensor:
        for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            latents = latents @ weight.to(dtype) + bias.to(dtype)
            latents = activation(latents) if index < len(weights) - 1 else latents
        return latents.view(-1, 1, 6, 6)

    return images


def by_definition(images: Callable[[Tensor], Tensor], position: Tensor) -> Tensor:
    """The second derivative of the squared error to a position, there: float64 `(dim, dim)`."""
    wanted = images(position[None]).detach()

    def squared(latent: Tensor) -> Tensor:
        return (images(latent[None]) - wanted).square().sum()

    return torch.autograd.functional.hessian(squared, position)


def somewhere(dim: int, seed: int = 1) -> Tensor:
    """A normal latent `(dim,)`."""
    return torch.randn(dim, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
