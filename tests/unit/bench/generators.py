"""Small converted generators."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rpganify.conversion.converting import wrap
from rpganify.routing.generator import RandomPathGenerator

CPU = torch.device("cpu")


class Small(nn.Module):
    """A linear layer, a convolution that all paths share, one with blocks, and one to the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(5, 4 * 4 * 4)
        self.shared = nn.Conv2d(4, 6, 1)
        self.conv = nn.Conv2d(6, 6, 3, padding=1)
        self.last = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        h = F.interpolate(self.first(z).view(-1, 4, 4, 4), scale_factor=2)
        h = F.leaky_relu(self.conv(F.leaky_relu(self.shared(h))))
        return torch.tanh(self.last(h))


class Labelled(Small):
    """The same with a label."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 4 * 4 * 4)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        h = (self.first(z) + self.embed(label)).view(-1, 4, 4, 4)
        return torch.tanh(self.last(self.conv(self.shared(F.interpolate(h, scale_factor=2)))))


class Normed(nn.Module):
    """A batch norm with one value per channel and sample."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 16)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.last(self.norm(self.first(z)))).view(-1, 1, 4, 4)


def converted(num_blocks: int | tuple[int, ...] = 3, build: type[nn.Module] = Small) -> RandomPathGenerator:
    """Buckets first, conv and last."""
    label = {"label": torch.zeros(2, dtype=torch.int64)} if build is Labelled else None
    return wrap(build(), ["first", "conv", "last"], num_blocks, init="jitter", latent="z:5", example_inputs=label)


def with_norm_of_one_value() -> RandomPathGenerator:
    """Buckets first and last."""
    return wrap(Normed(), ["first", "last"], 3, init="jitter", latent="z:5")
