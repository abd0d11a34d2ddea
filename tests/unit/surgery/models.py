"""Small converted models that the tests of surgery share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import rpganify
from rpganify.routing.generator import RandomPathGenerator


class Small(nn.Module):
    """Dense layers around a batch norm, 8x8 grey."""

    def __init__(self) -> None:
        super().__init__()
        self.l1 = nn.Linear(8, 16)
        self.norm = nn.BatchNorm1d(16)
        self.l2 = nn.Linear(16, 24)
        self.l3 = nn.Linear(24, 64)

    def forward(self, z: Tensor) -> Tensor:
        hidden = torch.relu(self.l2(torch.relu(self.norm(self.l1(z)))))
        return torch.tanh(self.l3(hidden)).view(-1, 1, 8, 8)


def build(seed: int = 0) -> Small:
    """A new one; its running statistics are not the initial ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = Small()
        made(torch.randn(32, 8))
    return made


def converted(
    blocks: tuple[int, ...] = (3, 2, 2), *, norm: str = "shared", num_Z: int = 1, init: str = "fresh"
) -> RandomPathGenerator:
    """Converted with buckets l1 (and the norm, where it is per block), l2 and l3; in eval mode."""
    first = "l1,norm" if norm == "per-block" else "l1"
    return rpganify.wrap(
        build(),
        buckets=[first, "l2", "l3"],
        blocks=list(blocks),
        norm="per-block" if norm == "per-block" else "shared",
        num_Z=num_Z,
        init=init,
        factory=build,
        latent="z:8",
    ).eval()
