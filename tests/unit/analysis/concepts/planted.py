"""Generators whose concepts are known by construction, and the classifier that reads them off."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rpganify.analysis.latents import LatentMap
from rpganify.paths import PathSpace
from rpganify.plan import BucketSpec, Plan

DIM = 16
CONTROLS_A, CONTROLS_B = 3, (5, 8)
# In pairs whose signs make a noise: it changes where one of them is set, and its distribution does not.
IDLE_PAIRS = ((0, 1), (2, 4), (6, 7), (9, 10), (11, 12))


class ReadsPixels:
    """A classifier whose scores are the image's pixels, in [-1, 1] times 10."""

    concepts = ("A", "B", "C", "D")

    def scores(self, images: Tensor) -> Tensor:
        return self.logits(images).detach()

    def logits(self, images: Tensor) -> Tensor:
        return 10 * images.flatten(1)[:, : len(self.concepts)]


def planted_scores(z: Tensor, noise: float = 1.0) -> Tensor:
    """Scores of A (raised by z3), B (raised by z5 and z8 together), C and D (noise of pairs that nothing else depends on)."""
    both = z[:, CONTROLS_B[0]] + z[:, CONTROLS_B[1]]
    coin = sum((z[:, one].sign() * z[:, other].sign() for one, other in IDLE_PAIRS), torch.zeros(len(z)))
    return torch.stack([2 * z[:, CONTROLS_A], 2 * both - 4, noise * coin, -noise * coin], dim=1)


def planted_map(noise: float = 1.0) -> LatentMap:
    """A random z of 16 numbers, to images of four pixels in a row."""

    def images(latents: Tensor) -> Tensor:
        return planted_scores(latents, noise).view(-1, 1, 1, 4) / 10

    return LatentMap(
        "z",
        DIM,
        (DIM,),
        (1, 1, 4),
        torch.device("cpu"),
        torch.float32,
        lambda n, generator: torch.randn(n, DIM, generator=generator),
        images,
    )


class PlantedBlocks(nn.Module):
    """Has the interface of a converted generator: block 2 of bucket 1 (the first) raises class A, all else is noise."""

    codes = "paths"
    conditions = ()
    image_shape = (1, 1, 4)

    def __init__(self, num_blocks: tuple[int, ...] = (5, 4, 6), strength: float = 4.0) -> None:
        super().__init__()
        self.plan = Plan(tuple(BucketSpec(f"b{i + 1}", (f"layer{i + 1}",), m) for i, m in enumerate(num_blocks)))
        self.strength = nn.Parameter(torch.tensor(strength))

    @property
    def paths(self) -> PathSpace:
        return self.plan.paths

    def images(self, codes: Tensor) -> Tensor:
        # The parity of the others' sum is a coin that no single block tosses on average, for an even number of blocks.
        coin = 1.0 - 2.0 * (codes[:, 1:].sum(dim=1) % 2)
        scores = torch.stack([self.strength * (codes[:, 0] == 2), torch.zeros(len(codes)), coin, -coin], dim=1)
        return scores.view(-1, 1, 1, 4) / 10

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return self.paths.sample(n, generator=generator)
