"""StyleGAN2's layers with parameters: equalised linear and convolution layers, and the modulated convolution.

Equalised: weights start as N(0, 1) and are multiplied at run time by what He's initialisation would have given
them, so that all of them learn at one speed. Source: Karras et al., "Progressive Growing of GANs", 2018, section 4.1.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rpganify_stylegan2.resampling import Blur, blur, filter_kernel

EPSILON = 1e-8


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2, times √2 to keep the variance."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


class EqualizedLinear(nn.Module):
    """A linear layer with equalised learning rate.

    Args:
        in_features: numbers per sample that go in.
        out_features: numbers per sample that come out.
        bias: at the start.
        speed: factor of its learning rate; weights start 1 / speed larger, so that the output is the same.
    """

    def __init__(self, in_features: int, out_features: int, bias: float = 0.0, speed: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / speed)
        self.bias = nn.Parameter(torch.full((out_features,), bias / speed))
        self.speed = speed
        self.scale = speed / math.sqrt(in_features)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, in_features)` -> `(N, out_features)`."""
        return F.linear(x, self.weight * self.scale, self.bias * self.speed)


class EqualizedConv2d(nn.Module):
    """A convolution with equalised learning rate that keeps the size, or halves it.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: 1 or 3.
        is_halving: blurs, then takes every second pixel; rounds down.
        has_bias: whether a number per channel is added.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, is_halving: bool = False, has_bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if has_bias else None
        self.scale = 1 / math.sqrt(in_channels * kernel_size**2)
        # The blur's padding covers the convolution's, which then needs none of its own.
        self.blur = Blur((kernel_size + 1) // 2) if is_halving else nn.Identity()
        self.stride = 2 if is_halving else 1
        self.padding = 0 if is_halving else kernel_size // 2

    def forward(self, x: Tensor) -> Tensor:
        """`(N, in_channels, h, w)` -> `(N, out_channels, h, w)`, or `(…, h // 2, w // 2)`."""
        return F.conv2d(self.blur(x), self.weight * self.scale, self.bias, self.stride, self.padding)


class ModulatedConv2d(nn.Module):
    """A convolution whose input channels are scaled by each sample's style, and its output brought back to unit size.

    Args:
        in_channels: channels of the input, and numbers of a style.
        out_channels: channels of the output.
        kernel_size: 1 or 3; 3 for upsampling.
        is_demodulated: divide each output channel by the norm of the weights that make it.
        is_upsampling: doubles height and width: transposed convolution, then the low-pass filter.
    """

    kernel: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        is_demodulated: bool = True,
        is_upsampling: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        # The gain makes up for the zeros that the transposed convolution puts between pixels.
        self.register_buffer("kernel", filter_kernel(4.0) if is_upsampling else None, persistent=False)
        self.is_demodulated = is_demodulated

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Features `(N, in_channels, h, w)` and styles `(N, in_channels)` -> `(N, out_channels, h, w)`, or twice that."""
        return modulated_conv2d(x, style, self.weight, self.kernel, self.is_demodulated)

    def options(self) -> dict[str, int | bool]:
        """The constructor's values."""
        out_channels, in_channels, kernel_size, _ = self.weight.shape
        return {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "kernel_size": kernel_size,
            "is_demodulated": self.is_demodulated,
            "is_upsampling": self.kernel is not None,
        }

    def extra_repr(self) -> str:
        """The constructor's values, for `print`."""
        return ", ".join(f"{name}={value}" for name, value in self.options().items())


def modulated_conv2d(x: Tensor, style: Tensor, weight: Tensor, kernel: Tensor | None, is_demodulated: bool) -> Tensor:
    """What a `ModulatedConv2d` of these tensors gives.

    Scaling weights by a style, as the paper writes it, is scaling the input's channels, and dividing by the norms of the
    scaled weights is scaling the output's: so one convolution with shared weights serves the whole batch.

    Args:
        x: `(N, in_channels, h, w)`.
        style: `(N, in_channels)`.
        weight: `(out_channels, in_channels, k, k)`, before the factor of the equalised learning rate.
        kernel: the low-pass filter, `(1, 1, 4, 4)`, for twice the size; None keeps the size.
        is_demodulated: divide each output channel by the norm of the weights that make it.
    Source:
        Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, section 2.2, equations 1 to 3.
    """
    weight = weight / math.sqrt(weight[0].numel())
    x = x * style[:, :, None, None]
    if kernel is None:
        x = F.conv2d(x, weight, padding=weight.shape[2] // 2)
    else:  # (h - 1) * 2 + 3 = 2h + 1, and (2h + 1) + 2 - 3 = 2h
        x = blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), kernel, padding=1)
    if not is_demodulated:
        return x
    # Squared norm of each sample's scaled weights: Σ_in style² · Σ_k weight².
    norms = F.linear(style.square(), weight.square().sum(dim=(2, 3)))  # (N, out)
    return x * torch.rsqrt(norms + EPSILON)[:, :, None, None]
