"""StyleGAN2's generator: a mapping network, and a synthesis block per resolution whose images add up.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020: figure 2d for the layers,
section 4.1 and figure 7 for the skips to RGB. Of the training, neither style mixing nor path length regularisation
nor truncation is here; blocks of buckets take the place of the first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rpganify_stylegan2.layers import EPSILON, EqualizedLinear, ModulatedConv2d, leaky
from rpganify_stylegan2.resampling import Upsample

_FIRST = 4
_MAPPING_SPEED = 0.01


class MappingNetwork(nn.Module):
    """Latents to styles: each latent brought to unit mean square, then fully connected layers.

    Args:
        latent_dim: numbers in a latent, and in a style.
        num_layers: at least 1.
    """

    def __init__(self, latent_dim: int, num_layers: int) -> None:
        super().__init__()
        layers = [EqualizedLinear(latent_dim, latent_dim, speed=_MAPPING_SPEED) for _ in range(num_layers)]
        self.layers = nn.ModuleList(layers)

    def forward(self, z: Tensor) -> Tensor:
        """Latents `(N, latent_dim)` -> styles `(N, latent_dim)`."""
        w = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + EPSILON)
        for layer in self.layers:
            w = leaky(layer(w))
        return w


class StyledConv(nn.Module):
    """A modulated convolution with its style's affine map, then noise, bias and leaky ReLU.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        style_dim: numbers in a style `w`.
        is_upsampling: doubles height and width.
        has_noise: adds one normal number per pixel and sample, times a learned strength that starts at 0.
    """

    def __init__(
        self, in_channels: int, out_channels: int, style_dim: int, is_upsampling: bool, has_noise: bool
    ) -> None:
        super().__init__()
        self.affine = EqualizedLinear(style_dim, in_channels, bias=1.0)
        self.conv = ModulatedConv2d(in_channels, out_channels, 3, True, is_upsampling)
        self.noise_strength = nn.Parameter(torch.zeros(())) if has_noise else None
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """`(N, in_channels, h, w)` -> `(N, out_channels, h, w)`, or twice as large."""
        x = self.conv(x, self.affine(w))
        if self.noise_strength is not None:
            noise = torch.randn(x.shape[0], 1, x.shape[2], x.shape[3], dtype=x.dtype, device=x.device)
            x = x + noise * self.noise_strength
        return leaky(x + self.bias[:, None, None])


class ToRGB(nn.Module):
    """Features to image channels: a 1x1 modulated convolution without demodulation, and a bias.

    Args:
        in_channels: channels of the features.
        image_channels: of the image.
        style_dim: numbers in a style `w`.
    """

    def __init__(self, in_channels: int, image_channels: int, style_dim: int) -> None:
        super().__init__()
        self.affine = EqualizedLinear(style_dim, in_channels, bias=1.0)
        self.conv = ModulatedConv2d(in_channels, image_channels, 1, False)
        self.bias = nn.Parameter(torch.zeros(image_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """`(N, in_channels, h, w)` -> `(N, image_channels, h, w)`."""
        rgb: Tensor = self.conv(x, self.affine(w))
        return rgb + self.bias[:, None, None]


class FirstBlock(nn.Module):
    """4x4: the learned constant, one styled convolution, the first image.

    Args:
        channels: of the constant and of the features.
        image_channels, style_dim, has_noise: see `ToRGB` and `StyledConv`.
    """

    def __init__(self, channels: int, image_channels: int, style_dim: int, has_noise: bool) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, channels, _FIRST, _FIRST))
        self.conv = StyledConv(channels, channels, style_dim, False, has_noise)
        self.to_rgb = ToRGB(channels, image_channels, style_dim)

    def forward(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Styles `(N, style_dim)` -> features `(N, channels, 4, 4)` and image `(N, image_channels, 4, 4)`."""
        x = self.conv(self.constant.expand(w.shape[0], -1, -1, -1), w)
        return x, self.to_rgb(x, w)


class SynthesisBlock(nn.Module):
    """Twice the resolution: two styled convolutions, and their image added to the one before, upsampled.

    Args:
        in_channels: channels of the smaller features.
        out_channels: channels of the larger ones.
        image_channels, style_dim, has_noise: see `ToRGB` and `StyledConv`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, image_channels: int, style_dim: int, has_noise: bool
    ) -> None:
        super().__init__()
        self.conv0 = StyledConv(in_channels, out_channels, style_dim, True, has_noise)
        self.conv1 = StyledConv(out_channels, out_channels, style_dim, False, has_noise)
        self.to_rgb = ToRGB(out_channels, image_channels, style_dim)
        self.upsample = Upsample()

    def forward(self, x: Tensor, image: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """Features and image of one resolution -> those of the next."""
        x = self.conv1(self.conv0(x, w), w)
        return x, self.upsample(image) + self.to_rgb(x, w)


class StyleGAN2Generator(nn.Module):
    """Latents to images. Children: `mapping`, then a block per resolution, `b4`, `b8`, ….

    The output has no bound of its own, as in the paper; trained, it keeps to about [-1, 1].

    Args:
        size: height and width, a power of two from 8 on.
        latent_dim: numbers in one latent, and in a style.
        channels: of the features up to 16x16; halved with each doubling from there.
        image_channels: 3 for RGB, 1 for grey.
        mapping_layers: of the mapping network.
        has_noise: whether pixels get noise inputs.
    """

    def __init__(
        self, size: int, latent_dim: int, channels: int, image_channels: int, mapping_layers: int, has_noise: bool
    ) -> None:
        super().__init__()
        self.mapping = MappingNetwork(latent_dim, mapping_layers)
        widths = feature_widths(size, channels)
        self.b4 = FirstBlock(widths[0], image_channels, latent_dim, has_noise)
        self.names = tuple(f"b{_FIRST * 2**step}" for step in range(1, len(widths)))
        for name, in_channels, out_channels in zip(self.names, widths, widths[1:], strict=False):
            block = SynthesisBlock(in_channels, out_channels, image_channels, latent_dim, has_noise)
            self.add_module(name, block)

    def forward(self, z: Tensor) -> Tensor:
        """Latents `(N, latent_dim)` -> images `(N, image_channels, size, size)`."""
        w = self.mapping(z)
        x, image = self.b4(w)
        for name in self.names:
            x, image = self.get_submodule(name)(x, image, w)
        return image  # type: ignore[no-any-return]


def feature_widths(size: int, channels: int) -> tuple[int, ...]:
    """Channels at 4x4, 8x8, … up to `size`: `channels` up to 16x16, then half with each doubling.

    Raises:
        ValueError: `channels` cannot be halved as often as that.
    """
    num_blocks = size.bit_length() - 2
    num_halvings = max(0, num_blocks - 3)
    if channels < 1 or channels % 2**num_halvings:
        raise ValueError(
            f"channels={channels} is halved {num_halvings} times up to {size}x{size}; give a positive multiple of "
            f"{2**num_halvings}."
        )
    return tuple(channels // 2 ** max(0, step - 2) for step in range(num_blocks))


def stylegan2_32(
    *,
    latent_dim: int = 128,
    channels: int = 128,
    image_channels: int = 3,
    mapping_layers: int = 4,
    noise: bool = True,
) -> StyleGAN2Generator:
    """32x32.

    Args:
        latent_dim: numbers in one latent, and in a style.
        channels: of the features at 4x4 to 16x16, even; 32x32 has half. The paper's models have 512.
        image_channels: 3 for RGB, 1 for grey.
        mapping_layers: of the mapping network; the paper's has 8.
        noise: whether pixels get noise inputs.
    """
    return _generator(32, latent_dim, channels, image_channels, mapping_layers, noise)


def stylegan2_64(
    *,
    latent_dim: int = 128,
    channels: int = 128,
    image_channels: int = 3,
    mapping_layers: int = 4,
    noise: bool = True,
) -> StyleGAN2Generator:
    """64x64; `channels` is a multiple of 4, all else as in `stylegan2_32`."""
    return _generator(64, latent_dim, channels, image_channels, mapping_layers, noise)


def _generator(
    size: int, latent_dim: int, channels: int, image_channels: int, mapping_layers: int, noise: bool
) -> StyleGAN2Generator:
    if min(latent_dim, image_channels, mapping_layers) < 1:
        raise ValueError(
            f"latent_dim, image_channels and mapping_layers are at least 1, got {latent_dim}, {image_channels} and "
            f"{mapping_layers}."
        )
    return StyleGAN2Generator(size, latent_dim, channels, image_channels, mapping_layers, noise)
