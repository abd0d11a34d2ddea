"""The smallest generators with the interface that the trainer uses, a discriminator, and data."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from rpganify.data.images import MemoryImages
from rpganify.plan import BucketSpec, Plan
from rpganify.routing.generator import Condition

T = TypeVar("T", bound=nn.Module)


class TinyPaths(nn.Module):
    """A converted generator by hand: two routed linear layers around a shared batch norm."""

    codes = "paths"
    conditions: tuple[object, ...] = ()

    def __init__(
        self, num_blocks: tuple[int, int] = (3, 4), image_shape: tuple[int, ...] = (1, 8, 8), width: int = 16
    ) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.plan = Plan((BucketSpec("one", ("first",), num_blocks[0]), BucketSpec("two", ("second",), num_blocks[1])))
        num_pixels = math.prod(image_shape)
        self.Z = nn.Parameter(torch.randn(1, 8))
        self.first_weight = nn.Parameter(torch.randn(num_blocks[0], width, 8) / 8**0.5)
        self.first_bias = nn.Parameter(torch.zeros(num_blocks[0], width))
        self.norm = nn.BatchNorm1d(width)
        self.second_weight = nn.Parameter(torch.randn(num_blocks[1], num_pixels, width) / width**0.5)
        self.second_bias = nn.Parameter(torch.zeros(num_blocks[1], num_pixels))

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return self.plan.paths.sample(n, generator=generator)

    def images(self, codes: Tensor) -> Tensor:
        one, two = codes.unbind(1)
        hidden = torch.einsum("nij,j->ni", self.first_weight[one], self.Z[0]) + self.first_bias[one]
        hidden = torch.relu(self.norm(hidden))
        flat = torch.einsum("nij,nj->ni", self.second_weight[two], hidden) + self.second_bias[two]
        return torch.tanh(flat).unflatten(1, self.image_shape)

    def bucket_parameters(self, bucket_index: int) -> dict[str, nn.Parameter]:
        name = ("first", "second")[bucket_index]
        return {f"{name}.weight": getattr(self, f"{name}_weight"), f"{name}.bias": getattr(self, f"{name}_bias")}


class TinyLabelled(nn.Module):
    """A class-conditional generator of paths by hand: the label's embedding beside one routed layer's weights."""

    codes = "paths"

    def __init__(self, num_classes: int = 10, num_blocks: int = 3) -> None:
        super().__init__()
        self.image_shape = (1, 8, 8)
        self.conditions = (Condition("labels", (), torch.int64),)
        self.plan = Plan((BucketSpec("one", ("layer",), num_blocks),))
        self.embedding = nn.Embedding(num_classes, 16)
        self.weight = nn.Parameter(torch.randn(num_blocks, 64, 16) / 4)

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return self.plan.paths.sample(n, generator=generator)

    def images(self, codes: Tensor, *, labels: Tensor) -> Tensor:
        flat = torch.einsum("nij,nj->ni", self.weight[codes[:, 0]], self.embedding(labels))
        return torch.tanh(flat).unflatten(1, self.image_shape)

    def bucket_parameters(self, bucket_index: int) -> dict[str, nn.Parameter]:
        return {"layer.weight": self.weight}


class TinyLatent(nn.Module):
    """A standard generator: a plain perceptron with random `z`, and dropout, which draws from the global generator."""

    codes = "z"
    conditions: tuple[object, ...] = ()

    def __init__(self, image_shape: tuple[int, int, int] = (1, 8, 8), width: int = 32, dropout: float = 0.2) -> None:
        super().__init__()
        self.image_shape = image_shape
        num_pixels = image_shape[0] * image_shape[1] * image_shape[2]
        self.net = nn.Sequential(
            nn.Linear(8, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, num_pixels), nn.Tanh()
        )

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(n, 8, generator=generator)

    def images(self, codes: Tensor) -> Tensor:
        return self.net(codes).unflatten(1, self.image_shape)


class Critic(nn.Module):
    """Images to scores `(N,)`; spectral norm keeps state of its own that a resumed training needs."""

    def __init__(self, num_pixels: int = 64, width: int = 32, is_normalised: bool = True) -> None:
        super().__init__()
        wrap = nn.utils.parametrizations.spectral_norm if is_normalised else lambda layer: layer
        self.first = wrap(nn.Linear(num_pixels, width))
        self.dropout = nn.Dropout(0.1)
        self.last = wrap(nn.Linear(width, 1))

    def forward(self, images: Tensor) -> Tensor:
        hidden = nn.functional.leaky_relu(self.first(images.flatten(1)), 0.2)
        return self.last(self.dropout(hidden)).squeeze(1)


def digits(count: int = 1797) -> MemoryImages:
    """The first of scikit-learn's real digits, 8x8 grey."""
    pixels = torch.from_numpy(load_digits().images[:count]).mul(255 / 16).round().to(torch.uint8)
    return MemoryImages("digits", pixels[:, None])


def labelled_digits(count: int = 1797) -> MemoryImages:
    """The same with what they show."""
    labels = torch.from_numpy(load_digits().target[:count]).long()
    return MemoryImages("digits", digits(count).pixels, labels, tuple("0123456789"))


def seeded(build: type[T], seed: int = 0, **arguments: object) -> T:
    """A network whose initial weights depend on the seed only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(**arguments)
