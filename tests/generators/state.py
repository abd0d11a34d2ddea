"""Modules that keep and change state of their own, and parts that autograd must not see."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.generators.case import LATENT, Case, image


class TracksAnAverage(nn.Module):
    """StyleGAN's moving average of its mapped latents: bound to a new tensor in each pass of train mode."""

    def __init__(self) -> None:
        super().__init__()
        self.mapping, self.out = nn.Linear(LATENT, 8), nn.Linear(8, 48)
        self.register_buffer("w_avg", torch.zeros(8))
        self.register_buffer("num_updates", torch.tensor(0))

    def forward(self, z: Tensor) -> Tensor:
        w = torch.relu(self.mapping(z))
        if self.training:
            self.w_avg = 0.9 * self.w_avg + 0.1 * w.detach().mean(0)
            self.num_updates += 1
        return image(self.out(w - 0.3 * self.w_avg))


class CopiesIntoABuffer(nn.Module):
    """The same average, written in place under no_grad."""

    def __init__(self) -> None:
        super().__init__()
        self.mapping, self.out = nn.Linear(LATENT, 8), nn.Linear(8, 48)
        self.register_buffer("w_avg", torch.ones(8))

    def forward(self, z: Tensor) -> Tensor:
        w = torch.tanh(self.mapping(z))
        if self.training:
            with torch.no_grad():
                self.w_avg.copy_(torch.lerp(w.mean(dim=0), self.w_avg, 0.95))
        return image(self.out(self.w_avg + 0.7 * (w - self.w_avg)))


class WritesThroughData(nn.Module):
    """`.data` writes, invisible to autograd: a counter and a decaying buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)
        self.register_buffer("level", torch.zeros(1))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, z: Tensor) -> Tensor:
        h = self.fc(z)
        if self.training:
            self.level.data.mul_(0.5).add_(0.5 * h.data.abs().mean())
            self.calls.data += 1
        return image(h / (1 + self.level))


class AveragesItsWeight(nn.Module):
    """A buffer that follows a parameter: it belongs to the blocks once the parameter does."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = _Normalised(LATENT, 48)
        self.out = nn.Linear(48, 48)

    def forward(self, z: Tensor) -> Tensor:
        return image(self.out(self.inner(z)))


class _Normalised(nn.Module):
    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_out, num_in))
        self.register_buffer("scale", torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                self.scale.mul_(0.9).add_(0.1 * self.weight.norm())
        return x @ (self.weight / self.scale).t()


class HidesFromAutograd(nn.Module):
    """no_grad regions, detach and enable_grad around parts of the graph."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.gate, self.out = nn.Linear(LATENT, 8), nn.Linear(LATENT, 8), nn.Linear(8, 48)

    def forward(self, z: Tensor) -> Tensor:
        h = self.fc(z)
        with torch.no_grad():
            gate = torch.sigmoid(self.gate(z) + h)
            with torch.enable_grad():
                inner = torch.sin(h)
        h = h * gate + inner + self.fc(z.detach()).detach()
        return image(self.out(h))


class DecoratedWithNoGrad(nn.Module):
    """A mapping method that never learns, and parameters that are not trainable."""

    def __init__(self) -> None:
        super().__init__()
        self.mapping, self.out = nn.Linear(LATENT, 8), nn.Linear(8, 48)
        self.out.bias.requires_grad_(False)

    @torch.no_grad()
    def mapped(self, z: Tensor) -> Tensor:
        return torch.relu(self.mapping(z))

    def forward(self, z: Tensor) -> Tensor:
        return image(self.out(self.mapped(z)))


class KeepsTensorsAside(nn.Module):
    """Tensors that the state dict does not hold: plain attributes and non-persistent buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)
        self.offset = torch.linspace(-0.2, 0.2, 48)
        self.register_buffer("window", torch.hann_window(4, periodic=False)[None] + 0.5, persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        x = self.fc(z) + self.offset + torch.tensor([0.1, -0.1]).repeat(24)
        return torch.tanh(x.view(-1, 3, 4, 4) * self.window)


class CachesBetweenCalls(nn.Module):
    """Keeps its grid once made; the next call finds it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)
        self.grid: Tensor | None = None

    def forward(self, z: Tensor) -> Tensor:
        if self.grid is None:
            self.grid = torch.linspace(-1, 1, 48)
        return image(self.fc(z) * self.grid)


CASES = (
    Case(TracksAnAverage, mixes=("train",)),
    Case(CopiesIntoABuffer, mixes=("train",)),
    Case(WritesThroughData, mixes=("train",)),
    Case(AveragesItsWeight, is_found=False, mixes=("train",)),
    Case(HidesFromAutograd),
    Case(DecoratedWithNoGrad),
    Case(KeepsTensorsAside),
    Case(CachesBetweenCalls),
)
