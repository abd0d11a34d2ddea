"""Small things that checks try extensions on: a generator with everything that state can hide in, and pictures."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rpganify.conversion.converting import wrap
from rpganify.data.images import MemoryImages
from rpganify.routing.generator import RandomPathGenerator
from rpganify.training.randomness import seeded_globals

LATENT = (6,)
SIZE = 8


class SmallGenerator(nn.Module):
    """A dense layer, a convolution with batch norm and dropout, and a convolution: 8×8 pixels of `z` `(N, 6)`.

    Args:
        num_channels: of the images.
    """

    def __init__(self, num_channels: int = 3) -> None:
        super().__init__()
        self.project = nn.Linear(LATENT[0], 4 * 4 * 4)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.dropout = nn.Dropout(0.1)
        self.to_image = nn.Conv2d(4, num_channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Latents `(N, 6)` -> images `(N, num_channels, 8, 8)` in [-1, 1]."""
        h = self.project(z).view(-1, 4, 4, 4)
        h = nn.functional.interpolate(self.conv(h), scale_factor=2.0)
        return torch.tanh(self.to_image(self.dropout(torch.relu(self.norm(h)))))


class SmallDiscriminator(nn.Module):
    """Two dense layers: images of any shape to scores `(N,)`.

    Args:
        num_values: of one image.
    """

    def __init__(self, num_values: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(num_values, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))

    def forward(self, images: Tensor) -> Tensor:
        """`(N, …)` -> `(N,)`."""
        scores: Tensor = self.layers(images)
        return scores.squeeze(1)


def small_generator(num_channels: int = 3) -> SmallGenerator:
    """A plain generator, the same each time."""
    with seeded_globals(0):
        return SmallGenerator(num_channels)


def small_model(num_channels: int = 3) -> RandomPathGenerator:
    """That generator converted: buckets `project`, `conv`, `to_image` of 3, 2 and 2 blocks, which differ."""
    generator = small_generator(num_channels)
    return wrap(generator, ["project", "conv", "to_image"], [3, 2, 2], init="jitter")


def small_discriminator(num_values: int = 3 * SIZE**2) -> SmallDiscriminator:
    """A discriminator, the same each time."""
    with seeded_globals(1):
        return SmallDiscriminator(num_values)


def small_data(num_channels: int = 3) -> MemoryImages:
    """Sixteen pictures of 8×8 pixels."""
    return MemoryImages("pictures", pictures(16, num_channels))


def pictures(count: int, num_channels: int = 3, size: int = SIZE) -> Tensor:
    """Pictures that differ in brightness, colour and outline, uint8 `(count, C, size, size)`; the first is black, the
    second white."""
    draws = torch.Generator().manual_seed(0)
    coarse = torch.randint(256, (count, num_channels, size // 4, size // 4), generator=draws)
    made = coarse.repeat_interleave(4, 2).repeat_interleave(4, 3).to(torch.uint8)
    made[0], made[1:2] = 0, 255
    return made
