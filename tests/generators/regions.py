"""Modules with parameters of their own that are no built-in layer."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.generators.case import LATENT, Case, image


class EqualLinear(nn.Module):
    """Weights scaled when used, as StyleGAN has it."""

    def __init__(self, num_in: int, num_out: int, bias_init: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_out, num_in))
        self.bias = nn.Parameter(torch.full((num_out,), bias_init))
        self.scale = 1 / math.sqrt(num_in)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, bias=self.bias * 2.0)


class EqualConv(nn.Module):
    """The same for convolutions; ProGAN's `x * scale` and a bias of its own."""

    def __init__(self, num_in: int, num_out: int, size: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(num_in, num_out, size, padding=size // 2, bias=False)
        self.bias = nn.Parameter(torch.zeros(num_out))
        self.scale = (2 / self.conv.weight[0].numel()) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x * self.scale) + self.bias.view(1, -1, 1, 1)


class EqualisedLayers(nn.Module):
    """ProGAN in small."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.conv = EqualLinear(LATENT, 128), EqualConv(8, 8, 3)
        self.to_rgb = EqualConv(8, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.to_rgb(F.leaky_relu(self.conv(self.fc(z).view(-1, 8, 4, 4)), 0.2)))


class EqualisedByHook(nn.Module):
    """A pre-forward hook sets the scaled weight, as many ProGAN ports do it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(LATENT, 48), nn.Conv2d(3, 3, 3, padding=1)
        for layer in (self.fc, self.out):
            weight = layer.weight
            del layer._parameters["weight"]
            layer.register_parameter("weight_orig", nn.Parameter(weight.data))
            layer.register_forward_pre_hook(_scale_weight)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.out(self.fc(z).view(-1, 3, 4, 4)))


def _scale_weight(module: nn.Module, _: object) -> None:
    weight = module.weight_orig
    assert isinstance(weight, Tensor)
    module.weight = weight * math.sqrt(2 / weight[0].numel())  # type: ignore[assignment]


class LearnedConstantExpanded(nn.Module):
    """A constant that all samples start from, expanded."""

    def __init__(self) -> None:
        super().__init__()
        self.const = nn.Parameter(torch.randn(1, 8, 4, 4))
        self.shift, self.out = nn.Linear(LATENT, 8), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.const.expand(z.size(0), -1, -1, -1)
        return torch.tanh(self.out(torch.relu(x + self.shift(z)[..., None, None])))


class LearnedConstantRepeated(nn.Module):
    """The same, repeated, as a module of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.input = ConstantInput()
        self.shift, self.out = nn.Linear(LATENT, 8), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.out(torch.relu(self.input(z) + self.shift(z)[..., None, None])))


class ConstantInput(nn.Module):
    """Looks at its operand for the batch size only."""

    def __init__(self) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, 8, 4, 4))

    def forward(self, like: Tensor) -> Tensor:
        batch = like.shape[0]
        return self.input.repeat(batch, 1, 1, 1)


class ModulatedConv(nn.Module):
    """StyleGAN2: the weight is scaled per sample, demodulated, and used in one grouped convolution."""

    def __init__(self, num_in: int, num_out: int, size: int, style: int, is_demodulated: bool = True) -> None:
        super().__init__()
        self.num_in, self.num_out, self.size, self.is_demodulated = num_in, num_out, size, is_demodulated
        self.scale = 1 / math.sqrt(num_in * size**2)
        self.weight = nn.Parameter(torch.randn(1, num_out, num_in, size, size))
        self.modulation = EqualLinear(style, num_in, bias_init=0.5)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        style = self.modulation(style).view(batch, 1, self.num_in, 1, 1)
        weight = self.scale * self.weight * style  # (N, out, in, k, k)
        if self.is_demodulated:
            demod = torch.rsqrt(weight.pow(2).sum([2, 3, 4]) + 1e-8)
            weight = weight * demod.view(batch, self.num_out, 1, 1, 1)
        weight = weight.view(batch * self.num_out, self.num_in, self.size, self.size)
        x = x.reshape(1, batch * self.num_in, height, width)
        out = F.conv2d(x, weight, padding=self.size // 2, groups=batch)
        return out.view(batch, self.num_out, height, width)


class ModulatedConvolutions(nn.Module):
    """StyleGAN2 in small: constant, mapping, modulated convolutions, noise, RGB skip, blur."""

    def __init__(self) -> None:
        super().__init__()
        self.mapping = nn.Sequential(EqualLinear(LATENT, 8), nn.LeakyReLU(0.2))
        self.input = ConstantInput()
        self.conv = ModulatedConv(8, 8, 3, 8)
        self.noise_strength = nn.Parameter(torch.zeros(1))
        self.register_buffer("noise_const", torch.randn(1, 1, 4, 4))
        self.bias = nn.Parameter(torch.zeros(1, 8, 1, 1))
        self.to_rgb = ModulatedConv(8, 3, 1, 8, is_demodulated=False)
        kernel = torch.tensor([1.0, 3.0, 3.0, 1.0])
        self.register_buffer("kernel", torch.outer(kernel, kernel) / kernel.sum() ** 2)

    def forward(self, z: Tensor) -> Tensor:
        w = self.mapping(z)
        x = self.conv(self.input(w), w) + self.noise_strength * self.noise_const + self.bias
        x = self._blurred(F.leaky_relu(x, 0.2) * math.sqrt(2))
        return torch.tanh(self.to_rgb(x, w))

    def _blurred(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        kernel = torch.flip(self.kernel, [0, 1])[None, None].repeat(channels, 1, 1, 1)
        return F.conv2d(F.pad(x, [2, 1, 2, 1]), kernel, groups=channels)


class NoiseInjection(nn.Module):
    """Noise scaled by a learned strength per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        if noise is None:
            noise = x.new_empty(x.shape[0], 1, *x.shape[2:]).normal_()
        return x + self.weight * noise


class InjectsNoise(nn.Module):
    """Two injections between layers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.first = nn.Linear(LATENT, 128), NoiseInjection(8)
        self.conv, self.second, self.out = nn.Conv2d(8, 8, 3, padding=1), NoiseInjection(8), nn.Conv2d(8, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.first(self.fc(z).view(-1, 8, 4, 4))
        return torch.tanh(self.out(torch.relu(self.second(self.conv(x)))))


class GatedSelfAttention(nn.Module):
    """SAGAN: queries, keys and values by 1x1 convolutions, a gate that starts at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 128)
        self.attention = SelfAttention(8)
        self.out = nn.Conv2d(8, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        out, _ = self.attention(self.fc(z).view(-1, 8, 4, 4))
        return torch.tanh(self.out(out))


class SelfAttention(nn.Module):
    """Returns the attended features and the attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.key = (spectral_free(channels, channels // 4) for _ in range(2))
        self.value = spectral_free(channels, channels)
        self.gamma = nn.Parameter(torch.zeros(1))
        self.softmax = nn.Softmax(dim=-1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        n, c, width, height = x.size()
        query = self.query(x).view(n, -1, width * height).permute(0, 2, 1)
        attention = self.softmax(torch.bmm(query, self.key(x).view(n, -1, width * height)))
        value = self.value(x).view(n, -1, width * height)
        out = torch.bmm(value, attention.permute(0, 2, 1)).view(n, c, width, height)
        return self.gamma * out + x, attention


def spectral_free(num_in: int, num_out: int) -> nn.Conv2d:
    """A 1x1 convolution."""
    return nn.Conv2d(num_in, num_out, 1)


class ScalesAndMixes(nn.Module):
    """Bare parameters of every shape: scalar gains, a LayerScale, a mixing matrix, a table looked up by position."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.7))
        self.layer_scale = nn.Parameter(torch.rand(8))
        self.mix = nn.Parameter(torch.randn(8, 8))
        self.positions = nn.Parameter(torch.randn(16, 8))
        self.fc, self.out = nn.Linear(LATENT, 128), nn.Linear(8, 3)

    def forward(self, z: Tensor) -> Tensor:
        t = self.fc(z).view(-1, 16, 8) + self.positions
        t = t + self.layer_scale * torch.einsum("ntc,dc->ntd", t, F.softmax(self.mix, dim=-1)) * self.gain
        t = t + torch.matmul(t.permute(1, 0, 2), self.mix).permute(1, 0, 2)
        return torch.tanh(self.out(t).transpose(1, 2).reshape(z.shape[0], 3, 4, 4))


class MixesKernels(nn.Module):
    """Dynamic convolution: each sample mixes a bank of kernels, used in one grouped convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.mix = nn.Linear(LATENT, 48), nn.Linear(LATENT, 4)
        self.bank = nn.Parameter(torch.randn(4, 3, 3, 3, 3))

    def forward(self, z: Tensor) -> Tensor:
        n = z.size(0)
        share = self.mix(z).softmax(1)
        kernels = (share.view(n, 4, 1, 1, 1, 1) * self.bank).sum(1).view(n * 3, 3, 3, 3)
        x = F.conv2d(self.fc(z).view(1, n * 3, 4, 4), kernels, padding=1, groups=n)
        return torch.tanh(x.view(n, 3, 4, 4))


class ParameterLists(nn.Module):
    """ParameterList and ParameterDict."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList([nn.Parameter(torch.randn(LATENT, 16)), nn.Parameter(torch.randn(16, 48))])
        self.biases = nn.ParameterDict({"a": nn.Parameter(torch.randn(16)), "b": nn.Parameter(torch.randn(48))})

    def forward(self, z: Tensor) -> Tensor:
        h = torch.addmm(self.biases["a"], z, self.weights[0])
        return image(F.elu(h).mm(self.weights[1]) + self.biases["b"])


class MaskedLayer(nn.Module):
    """A subclass of a built-in layer with a forward of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(LATENT, 48), _MaskedConv(3, 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.out(self.fc(z).view(-1, 3, 4, 4)))


class _MaskedConv(nn.Conv2d):
    def __init__(self, *args: int, padding: int) -> None:
        super().__init__(*args, padding=padding)
        self.register_buffer("mask", torch.ones_like(self.weight))
        self.mask[:, :, 1, 2:] = 0

    def forward(self, x: Tensor) -> Tensor:
        mean = self.weight.mean(dim=(1, 2, 3), keepdim=True)
        return self._conv_forward(x, (self.weight - mean) * self.mask, self.bias)


class WritesParametersInPlace(nn.Module):
    """In-place arithmetic and item assignment with bare parameters, on activations and on a new tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)
        self.gain = nn.Parameter(torch.rand(3, 1, 1) + 0.5)
        self.corner = nn.Parameter(torch.randn(3))
        self.start = nn.Parameter(torch.randn(3, 4))

    def forward(self, z: Tensor) -> Tensor:
        x = self.fc(z).view(-1, 3, 4, 4)
        x *= self.gain
        x[:, :, 0, 0] += self.corner
        frame = torch.zeros(z.shape[0], 3, 4, 4)
        frame[:, :, 1] = self.start
        frame[:, :, :, 3].sub_(self.start.sin())
        return torch.tanh(x + frame)


CASES = (
    Case(EqualisedLayers, is_found=False),
    Case(EqualisedByHook),
    Case(LearnedConstantExpanded),
    Case(LearnedConstantRepeated),
    Case(ModulatedConvolutions, is_found=False),
    Case(InjectsNoise, draws_noise=("eval", "train")),
    Case(GatedSelfAttention),
    Case(ScalesAndMixes),
    Case(MixesKernels, buckets=("fc", "mix", "bank")),
    Case(ParameterLists, is_found=False, buckets=("weights,biases",)),
    Case(MaskedLayer),
    Case(WritesParametersInPlace),
)
