"""A grown model, real images and a classifier of them that is known exactly: by the brightness of the upper half."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

import rpganify
from rpganify.data.images import MemoryImages
from rpganify.routing.generator import RandomPathGenerator
from tests.unit.surgery.models import build, converted

NAMES = ("dark", "dim", "light", "bright")


class Brightness:
    """Four classes of 8x8 images, by the mean of their upper half in [-1, 1]; 2 features."""

    name = "brightness"
    is_papers = False
    class_names: tuple[str, ...] = NAMES
    provenance: ClassVar[dict[str, str]] = {"network": "none"}

    def adaptation(self, image_shape: tuple[int, ...]) -> str:
        return ""

    def __call__(self, images: Tensor) -> Tensor:
        return torch.stack([images[:, :, :4].mean(dim=(1, 2, 3)), images[:, :, 4:].mean(dim=(1, 2, 3))], dim=1)

    def scores(self, images: Tensor) -> Tensor:
        level = self(images)[:, :1] * 6
        return -60 * (level - torch.tensor([-0.75, -0.25, 0.25, 0.75])).abs()

    def classes(self, images: Tensor) -> Tensor:
        return self.scores(images).argmax(dim=1)


def grown() -> RandomPathGenerator:
    return rpganify.grow(converted(), (2, 1, 0), factory=build)


def real_images(count: int = 600, classes: tuple[int, ...] = (0, 1, 2, 3), seed: int = 0) -> MemoryImages:
    """Images whose labels are those that `Brightness` finds."""
    chance = torch.Generator().manual_seed(seed)
    levels = torch.tensor(classes)[torch.randint(len(classes), (count,), generator=chance)]
    centre = (levels.float() * 0.5 - 0.75) / 6
    noise = torch.randn(count, 1, 8, 8, generator=chance) * 0.1
    noise[:, :, :4] -= noise[:, :, :4].mean(dim=(2, 3), keepdim=True)
    pixels = ((centre[:, None, None, None] + noise + 1) * 127.5).round().to(torch.uint8)
    return MemoryImages("levels", pixels, levels, NAMES)
