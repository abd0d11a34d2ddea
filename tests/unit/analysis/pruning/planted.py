"""A small model with blocks that do harm, and the images that are real to it: those of all its other blocks."""

from __future__ import annotations

import torch
from torch import Tensor

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.generation import to_uint8
from rpganify.data.images import MemoryImages
from rpganify.routing.generator import RandomPathGenerator
from tests.unit.surgery.models import converted


class Quarters:
    """Four features of an image: the means of its quarters."""

    name = "quarters"
    is_papers = False

    def __init__(self, num_copies: int = 1) -> None:
        self.num_copies = num_copies
        self.provenance: dict[str, object] = {}

    def adaptation(self, image_shape: tuple[int, ...]) -> str:
        return ""

    def __call__(self, images: Tensor) -> Tensor:
        pooled = torch.nn.functional.adaptive_avg_pool2d(images.mean(dim=1, keepdim=True), 2).flatten(1)
        return pooled.repeat(1, self.num_copies)


def harmed() -> RandomPathGenerator:
    """Blocks 2 of l2 and 3 of l3 draw what no other does."""
    model = converted((4, 4, 5))
    with torch.no_grad():
        model.get_parameter("l3.bias")[3] += 0.6
        model.get_parameter("l2.bias")[2] += 1.5
    return model


def context(model: RandomPathGenerator, num_images: int = 600, extractor: Quarters | None = None) -> AnalysisContext:
    """With the images of paths through the other blocks as real ones."""
    sound = rpganify.prune(model, drop={1: [2], 2: [3]})
    with torch.no_grad():
        pixels = to_uint8(sound.sample(1200, torch.Generator().manual_seed(9)))
    return AnalysisContext(
        data=MemoryImages("its own", pixels), extractor=extractor or Quarters(), num_images=num_images
    )
