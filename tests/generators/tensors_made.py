"""Tensors that forward makes itself: constants, numpy, random draws."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.generators.case import LATENT, Case, image


class MakesTensors(nn.Module):
    """zeros, ones_like, arange, eye, full, new_zeros, linspace."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT + 2, 48)
        self.conv = nn.Conv2d(5, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        n = len(z)
        more = torch.cat([z, torch.zeros(n, 1), torch.full((z.size(0), 1), 0.5, device=z.device)], 1)
        x = self.fc(more).view(n, 3, 4, 4) + torch.eye(4) - z.new_zeros(n, 1, 1, 1)
        rows = torch.linspace(-1, 1, 4).view(1, 1, 4, 1).expand(n, 1, 4, 4)
        columns = torch.arange(4, dtype=x.dtype, device=x.device).repeat(n, 1, 4, 1)
        return torch.tanh(self.conv(torch.cat([x * torch.ones_like(x), rows, columns], 1)))


class MakesCoordinates(nn.Module):
    """A meshgrid of the size of its activation, as CoordConv and SIREN have it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 4)
        self.net = nn.Conv2d(6, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        axis = torch.linspace(-1, 1, steps=4, device=z.device)
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"))
        grid = grid.unsqueeze(0).repeat(z.shape[0], 1, 1, 1)
        h = self.fc(z)[:, :, None, None].expand(-1, -1, *grid.shape[-2:])
        return torch.tanh(self.net(torch.cat((h, torch.sin(math.pi * grid)), dim=1)))


class NumpyInTheConstructor(nn.Module):
    """Sizes and filters that numpy computed; numpy numbers among the arguments of layers and functions."""

    def __init__(self) -> None:
        super().__init__()
        self.size = np.int64(4)
        self.gain = np.sqrt(2.0)
        self.fc = nn.Linear(LATENT, int(np.prod([3, self.size, self.size])))
        kernel = np.outer([1.0, 2.0, 1.0], [1.0, 2.0, 1.0])
        self.register_buffer("kernel", torch.from_numpy(kernel / kernel.sum()).to(self.fc.weight.dtype)[None, None])
        self.scales = np.array([0.5, 1.0, 2.0], dtype=np.float32)

    def forward(self, z: Tensor) -> Tensor:
        x = self.fc(z).view(-1, 3, self.size, self.size) * self.gain
        x = F.conv2d(x, self.kernel.repeat(3, 1, 1, 1), padding=1, groups=3)
        return torch.tanh(x * torch.from_numpy(self.scales).view(1, 3, 1, 1))


class DrawsNoise(nn.Module):
    """randn of a shape, randn_like, an in-place draw, the old FloatTensor(...).normal_()."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT + 2, 48)
        self.strength = nn.Parameter(torch.zeros(3, 1, 1))

    def forward(self, z: Tensor) -> Tensor:
        old = torch.FloatTensor(z.size(0), 1).normal_().to(z.dtype)
        x = self.fc(torch.cat([z, old, torch.randn(z.shape[0], 1)], 1)).view(-1, 3, 4, 4)
        x = x + self.strength * torch.randn(x.size(0), 1, x.size(2), x.size(3), device=x.device)
        x = x + 0.1 * torch.rand_like(x) + 0.1 * torch.empty_like(x).uniform_(-1, 1)
        return torch.tanh(x + 0.1 * x.new_empty(x.shape).normal_(0, 2))


class DropsOut(nn.Module):
    """Dropout layers and functions, off in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(LATENT, 16), nn.Linear(16, 48)
        self.drop = nn.Dropout(0.3)

    def forward(self, z: Tensor) -> Tensor:
        h = self.drop(torch.relu(self.fc(z)))
        x = self.out(F.dropout(h, 0.2, self.training)).view(-1, 3, 4, 4)
        return torch.tanh(F.dropout2d(x, training=self.training))


class AlwaysDropsOut(nn.Module):
    """pix2pix keeps dropout on when sampling."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)

    def forward(self, z: Tensor) -> Tensor:
        return image(F.dropout(self.fc(z), 0.5, training=True))


class NoisyParameters(nn.Module):
    """Noise on a parameter and dropout of one, in train mode."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)
        self.scale, self.shift = nn.Parameter(torch.rand(48)), nn.Parameter(torch.rand(48))

    def forward(self, z: Tensor) -> Tensor:
        scale = self.scale
        if self.training:
            scale = scale + 0.1 * torch.randn_like(scale)
        return image(self.fc(z) * scale + F.dropout(self.shift, 0.3, self.training))


class Quantises(nn.Module):
    """Straight-through rounding, comparison masks and gathers on activations."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)
        self.codebook = nn.Parameter(torch.randn(4))

    def forward(self, z: Tensor) -> Tensor:
        h = self.fc(z)
        hard = h + (h.round() - h).detach()
        order = h.argsort(dim=1)
        picked = torch.where(h > 0, hard, h.gather(1, order))
        index = (h.detach().abs() * 2).long().clamp(0, 3)
        return image(picked + self.codebook[index])


CASES = (
    Case(MakesTensors, is_found=False),
    Case(MakesCoordinates),
    Case(NumpyInTheConstructor),
    Case(DrawsNoise, is_found=False, draws_noise=("eval", "train")),
    Case(DropsOut, draws_noise=("train",)),
    Case(AlwaysDropsOut, draws_noise=("eval", "train")),
    Case(NoisyParameters, draws_noise=("train",)),
    Case(Quantises),
)
