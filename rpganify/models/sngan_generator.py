"""The generator of Miyato's SN-ResNet: dense, residual blocks that double the size, one convolution.

Source: Miyato et al., "Spectral normalization for generative adversarial networks", 2018, appendix B;
RPGAN, section 4 (its residual blocks hold no norm unless `block_norm` is set).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rpganify.models.initialization import xavier
from rpganify.models.widths import halving


class GeneratorBlock(nn.Module):
    """A residual block that doubles height and width: ReLU, upsample, 3x3, ReLU, 3x3, plus the upsampled input.

    The skip is the identity; where the width changes, a 1x1 convolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        block_norm: a batch norm before each ReLU.
    """

    def __init__(self, in_channels: int, out_channels: int, block_norm: bool) -> None:
        super().__init__()
        if block_norm:
            self.b1: nn.Module = nn.BatchNorm2d(in_channels)
            self.b2: nn.Module = nn.BatchNorm2d(out_channels)
        else:
            self.b1 = self.b2 = nn.Identity()
        self.c1 = xavier(nn.Conv2d(in_channels, out_channels, 3, padding=1), before_relu=True)
        self.c2 = xavier(nn.Conv2d(out_channels, out_channels, 3, padding=1), before_relu=True)
        self.c_sc: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.c_sc = xavier(nn.Conv2d(in_channels, out_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """`(N, in_channels, h, w)` -> `(N, out_channels, 2h, 2w)`."""
        h = F.interpolate(torch.relu(self.b1(x)), scale_factor=2.0, mode="nearest")
        h = self.c2(torch.relu(self.b2(self.c1(h))))
        return torch.add(h, self.c_sc(F.interpolate(x, scale_factor=2.0, mode="nearest")))


class SNGANGenerator(nn.Module):
    """Latents to images in [-1, 1].

    Children, in order: `l1` (dense), `block2`, `block3`, … (residual), then a batch norm `b{n}` and a
    convolution `c{n}`, where n is one more than the last block's number.

    Args:
        base_size: height and width after the dense layer, pixels.
        widths: channels after the dense layer and after each residual block.
        latent_dim: numbers in one latent.
        image_channels: 3 for RGB, 1 for grey.
        block_norm: batch norms inside the residual blocks too.
    """

    def __init__(
        self, base_size: int, widths: tuple[int, ...], latent_dim: int, image_channels: int, block_norm: bool
    ) -> None:
        super().__init__()
        self.base_size = base_size
        self.base_channels = widths[0]
        self.latent_dim = latent_dim
        self.l1 = xavier(nn.Linear(latent_dim, base_size * base_size * widths[0]))
        self.block_names = tuple(f"block{i + 2}" for i in range(len(widths) - 1))
        for name, in_channels, out_channels in zip(self.block_names, widths[:-1], widths[1:], strict=True):
            self.add_module(name, GeneratorBlock(in_channels, out_channels, block_norm))
        self.norm_name, self.last_name = f"b{len(widths) + 1}", f"c{len(widths) + 1}"
        self.add_module(self.norm_name, nn.BatchNorm2d(widths[-1]))
        self.add_module(self.last_name, xavier(nn.Conv2d(widths[-1], image_channels, 3, padding=1)))

    def forward(self, z: Tensor) -> Tensor:
        """Latents `(N, latent_dim)` -> images `(N, image_channels, H, W)`, H = W = base_size * 2^blocks."""
        h = self.l1(z).view(-1, self.base_channels, self.base_size, self.base_size)  # (N, channels, base, base)
        for name in self.block_names:
            h = self.get_submodule(name)(h)
        h = torch.relu(self.get_submodule(self.norm_name)(h))
        h = self.get_submodule(self.last_name)(h)  # (N, image_channels, H, W)
        return torch.tanh(h)


def sngan32(
    *, latent_dim: int = 128, channels: int = 256, image_channels: int = 3, block_norm: bool = False
) -> SNGANGenerator:
    """32x32: a base of 4x4, three residual blocks of constant width `channels`."""
    return _generator(4, (channels,) * 4, latent_dim, image_channels, block_norm)


def sngan48(
    *, latent_dim: int = 128, channels: int = 512, image_channels: int = 3, block_norm: bool = False
) -> SNGANGenerator:
    """48x48: a base of 6x6, three residual blocks; the width starts at `channels` and halves, a multiple of 8."""
    return _generator(6, halving(channels, 3), latent_dim, image_channels, block_norm)


def sngan64(
    *, latent_dim: int = 128, channels: int = 1024, image_channels: int = 3, block_norm: bool = False
) -> SNGANGenerator:
    """64x64: a base of 4x4, four residual blocks; the width starts at `channels` and halves, a multiple of 16."""
    return _generator(4, halving(channels, 4), latent_dim, image_channels, block_norm)


def sngan128(
    *, latent_dim: int = 128, channels: int = 1024, image_channels: int = 3, block_norm: bool = False
) -> SNGANGenerator:
    """128x128: as 64x64 behind one more block of full width; `channels` is a multiple of 16."""
    return _generator(4, (channels, *halving(channels, 4)), latent_dim, image_channels, block_norm)


def _generator(
    base_size: int, widths: tuple[int, ...], latent_dim: int, image_channels: int, block_norm: bool
) -> SNGANGenerator:
    if min(latent_dim, image_channels, *widths) < 1:
        raise ValueError(
            f"latent_dim, image_channels and channels are at least 1, got {latent_dim}, {image_channels}, {widths[0]}."
        )
    return SNGANGenerator(base_size, widths, latent_dim, image_channels, block_norm)
