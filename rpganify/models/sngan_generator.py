"""The generator of Miyato's SN-ResNet: dense, residual blocks that double the size, one convolution.

Source: Miyato et al., "Spectral normalization for generative adversarial networks", 2018, appendix B;
RPGAN, section 4 (its residual blocks hold no norm unless `block_norm` is set). With classes: Miyato and Koyama 2018,
"cGANs with Projection Discriminator", whose residual blocks hold class-conditional batch norms.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rpganify.models.conditional_norm import ConditionalBatchNorm
from rpganify.models.initialization import xavier
from rpganify.models.widths import halving


class GeneratorBlock(nn.Module):
    """A residual block that doubles height and width: ReLU, upsample, 3x3, ReLU, 3x3, plus the upsampled input.

    The skip is the identity; where the width changes, a 1x1 convolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        block_norm: a batch norm before each ReLU.
        num_classes: above 0, a class-conditional one in its place.
    """

    def __init__(self, in_channels: int, out_channels: int, block_norm: bool, num_classes: int = 0) -> None:
        super().__init__()
        if num_classes:
            self.b1: nn.Module = ConditionalBatchNorm(in_channels, num_classes)
            self.b2: nn.Module = ConditionalBatchNorm(out_channels, num_classes)
        elif block_norm:
            self.b1, self.b2 = nn.BatchNorm2d(in_channels), nn.BatchNorm2d(out_channels)
        else:
            self.b1 = self.b2 = nn.Identity()
        self.c1 = xavier(nn.Conv2d(in_channels, out_channels, 3, padding=1), before_relu=True)
        self.c2 = xavier(nn.Conv2d(out_channels, out_channels, 3, padding=1), before_relu=True)
        self.c_sc: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.c_sc = xavier(nn.Conv2d(in_channels, out_channels, 1))

    def forward(self, x: Tensor, *labels: Tensor) -> Tensor:
        """`(N, in_channels, h, w)`, and with classes int64 labels `(N,)` -> `(N, out_channels, 2h, 2w)`."""
        h = F.interpolate(torch.relu(self.b1(x, *labels)), scale_factor=2.0, mode="nearest")
        h = self.c2(torch.relu(self.b2(self.c1(h), *labels)))
        return torch.add(h, self.c_sc(F.interpolate(x, scale_factor=2.0, mode="nearest")))


@dataclass(frozen=True, slots=True)
class Layout:
    """The sizes that a generator is built from.

    Args:
        base_size: height and width after the dense layer, pixels.
        widths: channels after the dense layer and after each residual block.
        latent_dim: numbers in one latent.
        image_channels: 3 for RGB, 1 for grey.
        block_norm: batch norms inside the residual blocks too.
        num_classes: labels are in [0, num_classes); 0 for none.
    Raises:
        ValueError: a number that makes no generator.
    """

    base_size: int
    widths: tuple[int, ...]
    latent_dim: int
    image_channels: int
    block_norm: bool
    num_classes: int

    def __post_init__(self) -> None:
        if min(self.latent_dim, self.image_channels, *self.widths) < 1 or self.num_classes < 0:
            raise ValueError(
                f"latent_dim, image_channels and channels are at least 1 and num_classes at least 0, got {self.latent_dim}, "
                f"{self.image_channels}, {self.widths[0]} and {self.num_classes}."
            )


class SNGANGenerator(nn.Module):
    """Latents to images in [-1, 1].

    Children, in order: `l1` (dense), `block2`, `block3`, … (residual), then a batch norm `b{n}` and a
    convolution `c{n}`, where n is one more than the last block's number.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout, self.latent_dim = layout, layout.latent_dim
        _add_layers(self, layout)

    def forward(self, z: Tensor) -> Tensor:
        """Latents `(N, latent_dim)` -> images `(N, image_channels, H, W)`, H = W = base_size * 2^blocks."""
        return _images(self, self.layout, z)


class ClassConditionalSNGAN(nn.Module):
    """Latents and labels to images in [-1, 1]: as `SNGANGenerator`, the norms in its blocks follow the label."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout, self.latent_dim, self.num_classes = layout, layout.latent_dim, layout.num_classes
        _add_layers(self, layout)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Latents `(N, latent_dim)` and int64 labels `(N,)` -> images `(N, image_channels, H, W)`."""
        return _images(self, self.layout, z, labels)


def _add_layers(module: nn.Module, layout: Layout) -> None:
    """Give a generator the children that both kinds have."""
    base, widths = layout.base_size, layout.widths
    module.l1 = xavier(nn.Linear(layout.latent_dim, base * base * widths[0]))
    for index, (in_channels, out_channels) in enumerate(itertools.pairwise(widths), 2):
        block = GeneratorBlock(in_channels, out_channels, layout.block_norm, layout.num_classes)
        module.add_module(f"block{index}", block)
    last = len(widths) + 1
    module.add_module(f"b{last}", nn.BatchNorm2d(widths[-1]))
    module.add_module(f"c{last}", xavier(nn.Conv2d(widths[-1], layout.image_channels, 3, padding=1)))


def _images(module: nn.Module, layout: Layout, z: Tensor, *labels: Tensor) -> Tensor:
    """The images of latents `(N, latent_dim)`, and with classes of labels `(N,)`."""
    base, last = layout.base_size, len(layout.widths) + 1
    h = module.get_submodule("l1")(z).view(-1, layout.widths[0], base, base)  # (N, channels, base, base)
    for index in range(2, last):
        h = module.get_submodule(f"block{index}")(h, *labels)
    h = torch.relu(module.get_submodule(f"b{last}")(h))
    h = module.get_submodule(f"c{last}")(h)  # (N, image_channels, H, W)
    return torch.tanh(h)


def sngan32(
    *,
    latent_dim: int = 128,
    channels: int = 256,
    image_channels: int = 3,
    block_norm: bool = False,
    num_classes: int = 0,
) -> SNGANGenerator | ClassConditionalSNGAN:
    """32x32: a base of 4x4, three residual blocks of constant width `channels`.

    Args:
        latent_dim: numbers in one latent.
        channels: width of all blocks.
        image_channels: 3 for RGB, 1 for grey.
        block_norm: batch norms in the residual blocks; with classes they have class-conditional ones in any case.
        num_classes: 0 for no labels; else the generator takes `labels` in [0, num_classes).
    """
    return _generator(Layout(4, (channels,) * 4, latent_dim, image_channels, block_norm, num_classes))


def sngan48(
    *,
    latent_dim: int = 128,
    channels: int = 512,
    image_channels: int = 3,
    block_norm: bool = False,
    num_classes: int = 0,
) -> SNGANGenerator | ClassConditionalSNGAN:
    """48x48: a base of 6x6, three residual blocks; the width starts at `channels` and halves, a multiple of 8."""
    return _generator(Layout(6, halving(channels, 3), latent_dim, image_channels, block_norm, num_classes))


def sngan64(
    *,
    latent_dim: int = 128,
    channels: int = 1024,
    image_channels: int = 3,
    block_norm: bool = False,
    num_classes: int = 0,
) -> SNGANGenerator | ClassConditionalSNGAN:
    """64x64: a base of 4x4, four residual blocks; the width starts at `channels` and halves, a multiple of 16."""
    return _generator(Layout(4, halving(channels, 4), latent_dim, image_channels, block_norm, num_classes))


def sngan128(
    *,
    latent_dim: int = 128,
    channels: int = 1024,
    image_channels: int = 3,
    block_norm: bool = False,
    num_classes: int = 0,
) -> SNGANGenerator | ClassConditionalSNGAN:
    """128x128: as 64x64 behind one more block of full width; `channels` is a multiple of 16."""
    return _generator(Layout(4, (channels, *halving(channels, 4)), latent_dim, image_channels, block_norm, num_classes))


def _generator(layout: Layout) -> SNGANGenerator | ClassConditionalSNGAN:
    return ClassConditionalSNGAN(layout) if layout.num_classes else SNGANGenerator(layout)
