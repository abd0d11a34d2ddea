"""Penalties on the slope of the discriminator's scores, per image."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def slopes(discriminator: nn.Module, images: Tensor) -> Tensor:
    """Gradient of each image's score in that image, differentiable in the discriminator: as `images`.

    Args:
        discriminator: one that judges each image alone; the scores of one sample depend on that sample only, so the
            gradient of their sum is every sample's own.
        images: `(N, ...)`, detached.
    """
    points = images.detach().requires_grad_()
    (found,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
    return found


def gradient_penalty(
    discriminator: nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator, *, one_sided: bool
) -> Tensor:
    """Mean squared distance of the slope's norm from 1, at one point between each real image and the fake beside it.

    Args:
        real, fake: images `(N, ...)`, detached.
        generator: a CPU generator, which the points are drawn from.
        one_sided: whether norms under 1 cost nothing.
    Source:
        Gulrajani et al. 2017, equation 3; its section 4 compares the two sides.
    """
    shape = (real.shape[0],) + (1,) * (real.dim() - 1)
    # Drawn on the CPU, so that one seed gives the same points on every device.
    share = torch.rand(shape, generator=generator, dtype=real.dtype).to(real.device)
    found = slopes(discriminator, torch.lerp(real, fake, share))
    excess = torch.linalg.vector_norm(found.flatten(1), dim=1) - 1  # (N,)
    return (torch.relu(excess) if one_sided else excess).square().mean()


def r1_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """Half the mean squared norm of the slope at the real images: `½ · mean(‖∇D(x)‖²)`.

    Source: Mescheder et al. 2018, "Which Training Methods for GANs do actually Converge?", equation 9.
    """
    return slopes(discriminator, real).flatten(1).square().sum(dim=1).mean() / 2
