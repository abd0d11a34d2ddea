"""A small generator of many kinds of operation, for the tests of model files."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LATENT = 6


class Varied(nn.Module):
    """Layers, a region, a norm, constants, slices, infinities, another program in train mode."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 16)
        self.norm = nn.BatchNorm2d(4)
        self.conv = nn.Conv2d(4, 3, 3, padding=1)
        self.gain = nn.Parameter(torch.rand(3, 1, 1))
        self.register_buffer("shift", torch.linspace(-1, 1, 4))

    def forward(self, z: Tensor, y: Tensor) -> Any:
        x = self.norm(self.fc(z).view(-1, 4, 2, 2) * y[:, None, None, None])
        x = F.interpolate(x, scale_factor=2, mode="nearest") + self.shift
        if self.training:
            x = F.dropout(x, 0.1)
        x = self.conv(x[..., ::1, :].clamp(-math.inf, 5)) * self.gain
        flat = x.flatten(1).to(torch.float64).sum(dim=-1, keepdim=True).float()
        return {"fake": torch.tanh(x), "aux": (flat, None)}


def examples(batch: int) -> dict[str, Tensor]:
    draws = torch.Generator().manual_seed(batch)
    return {"z": torch.randn(batch, LATENT, generator=draws), "y": torch.rand(batch, generator=draws)}
