"""Fully connected generator and discriminator.

Source: RPGAN, section 4.4 and table 3: 128 -> 128 -> 256 -> 512 -> 1024 -> 784 on MNIST.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from rpganify.models.spectral import with_spectral_norm
from rpganify.models.widths import halving

_SIZE = 28


class MLPGenerator(nn.Module):
    """Latents to images in [-1, 1], five dense layers `l1` … `l5`.

    Args:
        widths: outputs of the first four layers.
        latent_dim: numbers in one latent.
        image_shape: `(C, H, W)`.
        linear: no activation between the layers, so that neighbours can be multiplied into one; the tanh
            at the end stays.
    """

    def __init__(
        self, widths: tuple[int, int, int, int], latent_dim: int, image_shape: tuple[int, int, int], linear: bool
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.image_shape = image_shape
        self.l1 = nn.Linear(latent_dim, widths[0])
        self.l2 = nn.Linear(widths[0], widths[1])
        self.l3 = nn.Linear(widths[1], widths[2])
        self.l4 = nn.Linear(widths[2], widths[3])
        self.l5 = nn.Linear(widths[3], math.prod(image_shape))
        self.activation: nn.Module = nn.Identity() if linear else nn.ReLU()

    def forward(self, z: Tensor) -> Tensor:
        """Latents `(N, latent_dim)` -> images `(N, C, H, W)`."""
        h = self.activation(self.l1(z))
        h = self.activation(self.l2(h))
        h = self.activation(self.l3(h))
        h = self.activation(self.l4(h))
        return torch.tanh(self.l5(h)).view(-1, *self.image_shape)


class MLPDiscriminator(nn.Module):
    """Images to scores: three hidden layers with leaky ReLU, each half as wide as the one before.

    Args:
        image_shape: `(C, H, W)`.
        channels: units of the first hidden layer, a multiple of 4.
    """

    def __init__(self, image_shape: tuple[int, int, int], channels: int) -> None:
        super().__init__()
        widths = (math.prod(image_shape), *halving(channels, 2))
        layers: list[nn.Module] = []
        for in_features, out_features in itertools.pairwise(widths):
            layers += [nn.Linear(in_features, out_features), nn.LeakyReLU(0.2)]
        self.hidden = nn.Sequential(*layers)
        self.linear = nn.Linear(widths[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        """Images `(N, C, H, W)` in [-1, 1] -> scores `(N,)`."""
        scores: Tensor = self.linear(self.hidden(images.flatten(1)))
        return scores.squeeze(1)


def mlp28(*, latent_dim: int = 128, channels: int = 128, image_channels: int = 1, linear: bool = False) -> MLPGenerator:
    """28x28 through layers of `channels`, twice, four and eight times that many units.

    Args:
        latent_dim: numbers in one latent.
        channels: units of the first layer.
        image_channels: 1 for grey, 3 for RGB.
        linear: no activations, RPGAN's linear generator.
    """
    if min(latent_dim, channels, image_channels) < 1:
        raise ValueError(
            f"latent_dim, channels and image_channels are at least 1, got {latent_dim}, {channels}, {image_channels}."
        )
    widths = (channels, 2 * channels, 4 * channels, 8 * channels)
    return MLPGenerator(widths, latent_dim, (image_channels, _SIZE, _SIZE), linear)


def mlp_discriminator(
    *, image_shape: tuple[int, int, int], spectral_norm: bool, channels: int | None = None
) -> nn.Module:
    """A fully connected discriminator for images of that shape.

    Args:
        image_shape: `(C, H, W)`, of any size.
        spectral_norm: on every layer.
        channels: units of the first hidden layer, a multiple of 4; 1024 if left out.
    Raises:
        ValueError: `channels` is no positive multiple of 4.
    """
    module = MLPDiscriminator(image_shape, 1024 if channels is None else channels)
    return with_spectral_norm(module) if spectral_norm else module
