"""Normalisation of weights and of activations, by hooks, parametrizations and hand."""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

from tests.generators.case import LATENT, Case, image
from tests.generators.inputs_outputs import CLASSES, labelled


class SpectralNormByHook(nn.Module):
    """The old hook: its power iteration advances in train mode."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = spectral_norm(nn.Linear(LATENT, 48))
        self.conv = spectral_norm(nn.Conv2d(3, 3, 3, padding=1), n_power_iterations=2)
        self.up = spectral_norm(nn.ConvTranspose2d(3, 3, 1))

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.up(torch.relu(self.conv(self.fc(z).view(-1, 3, 4, 4)))))


class SpectralNormByParametrization(nn.Module):
    """The new way."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = parametrizations.spectral_norm(nn.Linear(LATENT, 48))
        self.conv = parametrizations.spectral_norm(nn.Conv2d(3, 3, 3, padding=1, bias=False))

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.conv(self.fc(z).view(-1, 3, 4, 4)))


class WeightNormByHook(nn.Module):
    """The old hook, deprecated and everywhere."""

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            # Torch advises its parametrization; generators out there still use the hook.
            warnings.simplefilter("ignore", FutureWarning)
            self.fc = weight_norm(nn.Linear(LATENT, 48))
            self.up = weight_norm(nn.ConvTranspose2d(3, 3, 3, padding=1), dim=1)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.up(torch.relu(self.fc(z).view(-1, 3, 4, 4))))


class WeightNormByParametrization(nn.Module):
    """The new way."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = parametrizations.weight_norm(nn.Linear(LATENT, 48))
        self.conv = parametrizations.weight_norm(nn.Conv2d(3, 3, 3, padding=1))

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.conv(self.fc(z).view(-1, 3, 4, 4)))


class BatchNorms(nn.Module):
    """DCGAN in small, its norms shared."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(LATENT, 32), nn.BatchNorm1d(32), nn.ReLU(True))
        self.up = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8, 0.8))
        self.out = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.out(F.leaky_relu(self.up(self.fc(z).view(-1, 8, 2, 2)), 0.2)))


class BatchNormsPerBlock(BatchNorms):
    """The same, each block with its own norms."""


class NormsBySample(nn.Module):
    """Layer, group and instance norms, PReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.layer = nn.Linear(LATENT, 128), nn.LayerNorm(128)
        self.group, self.conv = nn.GroupNorm(4, 8), nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")
        self.instance, self.act = nn.InstanceNorm2d(8, affine=True), nn.PReLU(8)
        self.plain, self.out = nn.InstanceNorm2d(8), nn.Conv2d(8, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.conv(self.group(self.layer(self.fc(z)).view(-1, 8, 4, 4)))
        return torch.tanh(self.out(self.plain(x) + self.act(self.instance(x))))


class PixelNorms(nn.Module):
    """Normalises each pixel's features, and the latent."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.conv = nn.Linear(LATENT, 48), nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        z = z / torch.sqrt(z.pow(2).mean(dim=1, keepdim=True) + 1e-8)
        x = self.fc(z).view(-1, 3, 4, 4)
        x = x * torch.rsqrt(torch.mean(x**2, dim=1, keepdim=True) + 1e-8)
        return torch.tanh(self.conv(x))


class AdaptiveInstanceNorm(nn.Module):
    """AdaIN: scale and shift of each channel from the style."""

    def __init__(self) -> None:
        super().__init__()
        self.const = nn.Parameter(torch.randn(1, 4, 4, 4))
        self.norm = nn.InstanceNorm2d(4, affine=False)
        self.style, self.out = nn.Linear(LATENT, 8), nn.Conv2d(4, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        scale, shift = self.style(z)[:, :, None, None].chunk(2, 1)
        x = self.norm(self.const.expand(z.shape[0], -1, -1, -1)) * (1 + scale) + shift
        return torch.tanh(self.out(x))


class ConditionalNormByEmbedding(nn.Module):
    """SNGAN's conditional batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = LATENT
        self.fc, self.norm = nn.Linear(LATENT, 128), nn.BatchNorm2d(8, affine=False)
        self.gamma, self.beta = nn.Embedding(CLASSES, 8), nn.Embedding(CLASSES, 8)
        self.out = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        x = self.norm(self.fc(z).view(-1, 8, 4, 4))
        x = self.gamma(y).view(-1, 8, 1, 1) * x + self.beta(y).view(-1, 8, 1, 1)
        return torch.tanh(self.out(torch.relu(x)))


class ConditionalNormByLinear(nn.Module):
    """BigGAN's: gains and biases from the latent, normalised by F.batch_norm on its own buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.norm, self.out = nn.Linear(LATENT, 128), _ConditionalNorm(LATENT, 8), nn.Conv2d(8, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.out(torch.relu(self.norm(self.fc(z).view(-1, 8, 4, 4), z))))


class _ConditionalNorm(nn.Module):
    def __init__(self, num_in: int, channels: int) -> None:
        super().__init__()
        self.gain, self.bias = (spectral_norm(nn.Linear(num_in, channels, bias=False)) for _ in range(2))
        self.register_buffer("stored_mean", torch.zeros(channels))
        self.register_buffer("stored_var", torch.ones(channels))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        gain = (1 + self.gain(z)).view(z.size(0), -1, 1, 1)
        bias = self.bias(z).view(z.size(0), -1, 1, 1)
        return F.batch_norm(x, self.stored_mean, self.stored_var, None, None, self.training, 0.1, 1e-5) * gain + bias


class OwnBatchNorm(nn.Module):
    """F.batch_norm with parameters and buffers of its own, each block with its own."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.norm, self.out = nn.Linear(LATENT, 64), _FunctionalNorm(4), nn.Conv2d(4, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.out(torch.relu(self.norm(self.fc(z).view(-1, 4, 4, 4)))))


class _FunctionalNorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.rand(channels) + 0.5), nn.Parameter(torch.rand(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.mean, self.var, self.weight, self.bias, self.training, 0.2, 1e-5)


class SpatiallyAdaptiveNorm(nn.Module):
    """SPADE with a map that the latent makes."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.map = nn.Linear(LATENT, 64), nn.Linear(LATENT, 4)
        self.shared = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
        self.gamma, self.beta, self.out = (nn.Conv2d(4, n, 3, padding=1) for n in (4, 4, 3))

    def forward(self, z: Tensor) -> Tensor:
        x = F.instance_norm(self.fc(z).view(-1, 4, 4, 4))
        actv = self.shared(F.interpolate(self.map(z).view(-1, 1, 2, 2), size=x.shape[2:], mode="nearest"))
        return torch.tanh(self.out(x * (1 + self.gamma(actv)) + self.beta(actv)))


class MinibatchDeviation(nn.Module):
    """The standard deviation over the batch as a feature: one sample's image depends on the others."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(LATENT, 48), nn.Conv2d(4, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.fc(z).view(-1, 3, 4, 4)
        deviation = (x - x.mean(0, keepdim=True)).square().mean(0).add(1e-8).sqrt().mean()
        return torch.tanh(self.out(torch.cat([x, deviation.expand(x.shape[0], 1, 4, 4)], 1)))


class OrthogonalByParametrization(nn.Module):
    """Square weights kept orthogonal."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = parametrizations.orthogonal(nn.Linear(LATENT, LATENT), orthogonal_map="cayley")
        self.out = nn.Linear(LATENT, 48)

    def forward(self, z: Tensor) -> Tensor:
        return image(self.out(torch.relu(self.fc(z))))


def latent_and_class(batch: int, draws: torch.Generator) -> dict[str, Any]:
    drawn: dict[str, Any] = labelled("z", "y")(batch, draws)
    return drawn


CASES = (
    Case(SpectralNormByHook),
    Case(SpectralNormByParametrization),
    Case(WeightNormByHook),
    Case(WeightNormByParametrization),
    Case(BatchNorms, mixes=("train",), single=("eval",)),
    Case(BatchNormsPerBlock, norm="per-block", mixes=("train",), single=("eval",)),
    Case(NormsBySample, norm="per-block"),
    Case(PixelNorms),
    Case(AdaptiveInstanceNorm),
    Case(ConditionalNormByEmbedding, latent_and_class, mixes=("train",)),
    Case(ConditionalNormByLinear, mixes=("train",)),
    Case(OwnBatchNorm, norm="per-block", mixes=("train",)),
    Case(SpatiallyAdaptiveNorm),
    Case(MinibatchDeviation, mixes=("eval", "train")),
    Case(OrthogonalByParametrization),
)
