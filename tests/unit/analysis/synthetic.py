"""A generator whose truth is known by construction: each bucket does one thing to a blob."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rpganify.paths import PathSpace
from rpganify.plan import BucketSpec, Plan


class SyntheticGenerator(nn.Module):
    """Has the interface of a converted generator, and draws a blob on a plain ground.

    `position` rolls the picture (its histograms stay exactly the same), `shape` draws another outline of
    the same area (the same again), `colour` and `ground` change the histograms and nothing else. In
    training mode half of the pixels are dropped, which an analyzer must never see.

    Args:
        num_blocks: of each bucket.
        factors: what each bucket does; buckets are named so.
        image_shape: channels, height, width.
        seed: of what the blocks do.
    """

    codes = "paths"
    conditions = ()

    def __init__(
        self,
        num_blocks: tuple[int, ...] = (6, 6, 6),
        factors: tuple[str, ...] = ("position", "shape", "colour"),
        image_shape: tuple[int, ...] = (3, 16, 16),
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.image_shape = image_shape
        buckets = zip(factors, num_blocks, strict=True)
        self.plan = Plan(tuple(BucketSpec(name, (f"layer_{name}",), m) for name, m in buckets))
        chance = torch.Generator().manual_seed(seed)
        self.blocks = nn.ParameterDict()
        for factor, m in zip(factors, num_blocks, strict=True):
            self.blocks[factor] = nn.Parameter(self._born(factor, m, chance))
        self.noise = nn.Sequential(nn.Dropout(0.5))

    @property
    def paths(self) -> PathSpace:
        return self.plan.paths

    def images(self, codes: Tensor) -> Tensor:
        codes = self.paths.check(codes)
        return self.noise(torch.stack([self._one(path) for path in codes.tolist()]))

    def sample(self, num_images: int, generator: torch.Generator | None = None) -> Tensor:
        return self.images(self.paths.sample(num_images, generator=generator))

    def _born(self, factor: str, num_blocks: int, chance: torch.Generator) -> Tensor:
        channels, height, width = (*self.image_shape, 16, 16)[:3]
        if factor == "position":
            return torch.rand(num_blocks, 2, generator=chance) - 0.5
        if factor in ("colour", "ground"):
            value = torch.rand(num_blocks, channels, generator=chance)
            return value * 1.8 - 0.8 if factor == "colour" else value * 0.6 - 1
        grid = torch.stack(torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"))
        outlines = []
        for _ in range(num_blocks):
            angle, stretch, power = torch.rand(3, generator=chance).tolist()
            turn = torch.tensor([[1.0, 1.5 * angle], [-1.5 * angle, 1.0]])
            x, y = torch.einsum("ij,jhw->ihw", turn, grid)
            radius = (x.abs() / (0.4 + stretch)) ** (1 + 3 * power) + y.abs() ** (1 + 3 * power)
            inside = radius.flatten().argsort()[: height * width // 7]
            outlines.append(torch.zeros(height * width).index_fill(0, inside, 1.0).view(height, width))
        return torch.stack(outlines)

    def _block(self, factor: str, path: list[int]) -> Tensor | None:
        names = [bucket.name for bucket in self.plan.buckets]
        return self.blocks[factor][path[names.index(factor)]] if factor in names else None

    def _one(self, path: list[int]) -> Tensor:
        channels, height, width = self.image_shape
        outline = self._block("shape", path)
        if outline is None:
            outline = torch.zeros(height, width)
            outline[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = 1
        colour = self._block("colour", path)
        ground = self._block("ground", path)
        colour = torch.full((channels,), 0.7) if colour is None else colour
        ground = torch.full((channels,), -0.9) if ground is None else ground
        image = ground.view(-1, 1, 1) + outline * (colour - ground).view(-1, 1, 1)
        shift = self._block("position", path)
        if shift is None:
            return image
        return image.roll((int(shift[0] * height), int(shift[1] * width)), dims=(1, 2))
