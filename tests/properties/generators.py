"""Random small generators and random conversions of them, for the laws that hold for all plans."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn

import rpganify
from rpganify.plan import NormMode
from rpganify.routing.generator import RandomPathGenerator

LATENT = 4


class RandomMLP(nn.Module):
    """Dense layers with skips where the widths agree, norms, a bare gain."""

    def __init__(self, widths: list[int], norm: str, has_gain: bool) -> None:
        super().__init__()
        sizes = [LATENT, *widths]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        norms = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "none": lambda _: nn.Identity()}
        self.norms = nn.ModuleList(norms[norm](width) for width in widths)
        self.gain = nn.Parameter(torch.rand(widths[-1]) + 0.5) if has_gain else None
        self.out = nn.Linear(widths[-1], 12)

    def forward(self, z: Tensor) -> Tensor:
        h = z
        for layer, norm in zip(self.layers, self.norms, strict=True):
            new = torch.relu(norm(layer(h)))
            h = new + h if new.shape == h.shape else new
        if self.gain is not None:
            h = h * self.gain
        return torch.tanh(self.out(h)).view(-1, 3, 2, 2)


class RandomConv(nn.Module):
    """A dense layer, convolutions of several kinds, an image."""

    def __init__(self, channels: list[int], norm: str, is_transposed: bool) -> None:
        super().__init__()
        self.first = channels[0]
        self.fc = nn.Linear(LATENT, channels[0] * 4)
        blocks: list[nn.Module] = []
        for a, b in pairwise(channels):
            kind = nn.ConvTranspose2d if is_transposed else nn.Conv2d
            norms = {"batch": nn.BatchNorm2d(b), "layer": nn.GroupNorm(1, b), "none": nn.Identity()}
            blocks.append(nn.Sequential(kind(a, b, 3, padding=1), norms[norm], nn.LeakyReLU(0.2)))
        self.blocks = nn.Sequential(*blocks)
        self.to_rgb = nn.Conv2d(channels[-1], 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.fc(z).view(-1, self.first, 2, 2)
        return torch.tanh(self.to_rgb(self.blocks(F.interpolate(x, scale_factor=1.5))))


@dataclass(frozen=True)
class Drawn:
    """A generator and how it is to be converted.

    Args:
        original: never run; tests that run it take a copy.
        assignment: of each routable layer, in order of the forward pass, its bucket; -1 leaves it shared.
    """

    original: nn.Module
    assignment: tuple[int, ...]
    num_blocks: tuple[int, ...]
    norm: NormMode
    seed: int

    def wrapped(self, init: str = "jitter", num_Z: int = 1) -> RandomPathGenerator:
        """The conversion, in eval mode."""
        names = routable(self.original, self.norm)
        buckets = [
            ",".join(name for name, bucket in zip(names, self.assignment, strict=True) if bucket == index)
            for index in range(len(self.num_blocks))
        ]
        model = rpganify.wrap(
            self.original, buckets=buckets, blocks=self.num_blocks, init=init, norm=self.norm, latent=f"z:{LATENT}",
            seed=self.seed, num_Z=num_Z,
        )  # fmt: skip
        return model.eval()


def routable(generator: nn.Module, norm: NormMode) -> list[str]:
    """Layers that a bucket may hold, in the order of the modules."""
    kinds: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    if norm == "per-block":
        kinds = (*kinds, nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
    return [name for name, module in generator.named_modules() if isinstance(module, kinds)]


@st.composite
def generators(draw: st.DrawFn) -> nn.Module:
    norm = draw(st.sampled_from(["none", "batch", "layer"]))
    widths = draw(st.lists(st.sampled_from([3, 4]), min_size=1, max_size=3))
    torch.manual_seed(draw(st.integers(0, 3)))
    if draw(st.booleans()):
        return RandomMLP(widths, norm, draw(st.booleans()))
    return RandomConv(widths, norm, draw(st.booleans()))


@st.composite
def conversions(draw: st.DrawFn) -> Drawn:
    """A generator whose layers are spread over buckets at random, some of them left shared."""
    original = draw(generators())
    norm: NormMode = draw(st.sampled_from(["shared", "per-block"]))
    layers = routable(original, norm)
    wanted = draw(st.integers(1, min(3, len(layers))))
    assignment = [draw(st.integers(-1, wanted - 1)) for _ in layers]
    for bucket, layer in enumerate(draw(st.permutations(range(len(layers))))[:wanted]):
        assignment[layer] = bucket  # so that none is empty
    num_blocks = tuple(draw(st.integers(1, 3)) for _ in range(wanted))
    return Drawn(original, tuple(assignment), num_blocks, norm, draw(st.integers(0, 3)))


@st.composite
def with_paths(draw: st.DrawFn, max_paths: int = 6) -> tuple[Drawn, Tensor]:
    """A conversion and a batch of its paths."""
    drawn = draw(conversions())
    row = st.tuples(*(st.integers(0, m - 1) for m in drawn.num_blocks))
    rows = draw(st.lists(row, min_size=1, max_size=max_paths))
    return drawn, torch.tensor(rows, dtype=torch.int64)
