"""Generators of linear convolutions, which buckets of are merged."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import rpganify
from rpganify.routing.generator import RandomPathGenerator


class Pointwise(nn.Module):
    """1×1 convolutions with batch norms between, upsampling before the last, 3×3 first."""

    def __init__(self) -> None:
        super().__init__()
        self.l1 = nn.Linear(6, 3 * 4 * 4)
        self.c1 = nn.Conv2d(3, 4, 3, padding=1)
        self.n1 = nn.BatchNorm2d(4)
        self.c2 = nn.Conv2d(4, 5, 1)
        self.n2 = nn.BatchNorm2d(5)
        self.c3 = nn.Conv2d(5, 2, 1)

    def forward(self, z: Tensor) -> Tensor:
        h = torch.relu(self.l1(z).view(z.size(0), 3, 4, 4))
        h = self.n2(self.c2(self.n1(self.c1(h))))
        return torch.tanh(self.c3(F.interpolate(h, scale_factor=2))).mean(1, keepdim=True)


class Kernels(nn.Module):
    """A 1×1 convolution without a bias, upsampling, a padded 3×3, and one that pads nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.l1 = nn.Linear(6, 3 * 4 * 4)
        self.c1 = nn.Conv2d(3, 4, 1, bias=False)
        self.c2 = nn.Conv2d(4, 5, 3, padding=1)
        self.c3 = nn.Conv2d(5, 1, 3)

    def forward(self, z: Tensor) -> Tensor:
        h = torch.relu(self.l1(z).view(-1, 3, 4, 4))
        return torch.tanh(self.c3(self.c2(F.interpolate(self.c1(h), scale_factor=2))))


class Head(nn.Module):
    """As many generators begin: dense, a batch norm over the map, upsampling, convolution; a view by the batch size."""

    def __init__(self, mode: str = "nearest") -> None:
        super().__init__()
        self.mode = mode
        self.l1 = nn.Linear(6, 8 * 3 * 3)
        self.norm = nn.BatchNorm2d(8)
        self.c1 = nn.Conv2d(8, 4, 3, padding=1)
        self.c2 = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        h = self.norm(self.l1(z).view(z.shape[0], 8, 3, 3))
        h = self.c1(F.interpolate(h, scale_factor=2.0, mode=self.mode))
        return torch.tanh(self.c2(torch.relu(h)))


class Transposed(nn.Module):
    """DCGAN's first stages without activations, from a map of one place."""

    def __init__(self) -> None:
        super().__init__()
        self.c1, self.n1 = nn.ConvTranspose2d(6, 8, 4, bias=False), nn.BatchNorm2d(8)
        self.c2, self.n2 = nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4)
        self.c3 = nn.ConvTranspose2d(4, 1, 4, 2, 1)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.c3(self.n2(self.c2(self.n1(self.c1(z.view(-1, 6, 1, 1)))))))


def wrapped(generator: nn.Module, buckets: list[str], blocks: int = 3) -> RandomPathGenerator:
    """Converted with shared norms of uncommon values, in float64 and eval mode."""
    with torch.no_grad():
        for module in generator.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 2)
                module.bias.normal_()
        generator.double()
        generator(torch.randn(40, 6, dtype=torch.float64))  # so that statistics are not the initial ones
    return rpganify.wrap(generator, buckets=buckets, blocks=blocks, init="jitter", latent="z:6").eval()
