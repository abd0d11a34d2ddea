"""BigGAN's generator: every residual block has a part of the latent of its own, and its norms depend on it.

Source: Brock et al., "Large Scale GAN Training for High Fidelity Natural Image Synthesis", 2019, section 3 and
appendix B. The widths are ours, for small images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rpganify_biggan.layers import SelfAttention, check_widths, orthogonal, with_spectral_norm

_FIRST = 4
_ATTENTION_SIZE = 16


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose scale and shift are linear in a condition; both start near 1 and 0.

    Args:
        channels: of the features.
        condition_dim: numbers in a condition.
    """

    def __init__(self, channels: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Linear(condition_dim, channels, bias=False)
        self.shift = nn.Linear(condition_dim, channels, bias=False)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Features `(N, channels, h, w)` and conditions `(N, condition_dim)` -> the same shape as the features."""
        scale: Tensor = 1 + self.scale(condition)  # (N, channels)
        shift: Tensor = self.shift(condition)  # (N, channels)
        normed: Tensor = self.norm(x)
        return normed * scale[:, :, None, None] + shift[:, :, None, None]


class GeneratorBlock(nn.Module):
    """Norm, ReLU, upsample, 3x3, norm, ReLU, 3x3, plus the upsampled skip; then self-attention, if asked.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        condition_dim: numbers in a condition.
        has_attention: whether self-attention follows.
    """

    def __init__(self, in_channels: int, out_channels: int, condition_dim: int, has_attention: bool) -> None:
        super().__init__()
        self.norm1 = ConditionalBatchNorm(in_channels, condition_dim)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = ConditionalBatchNorm(out_channels, condition_dim)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(in_channels, out_channels, 1)
        self.attention: nn.Module = SelfAttention(out_channels) if has_attention else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """`(N, in_channels, h, w)` -> `(N, out_channels, 2h, 2w)`."""
        h = F.interpolate(torch.relu(self.norm1(x, condition)), scale_factor=2.0)
        h = self.conv2(torch.relu(self.norm2(self.conv1(h), condition)))
        # A 1x1 convolution before the nearest-neighbour upsampling gives the same as after it, for a quarter of the work.
        attended: Tensor = self.attention(h + F.interpolate(self.skip(x), scale_factor=2.0))
        return attended


@dataclass(frozen=True, slots=True)
class Layout:
    """The sizes that a generator is built from.

    Args:
        size: height and width of the images, a power of two from 8 on.
        latent_dim: numbers in one latent; a multiple of the number of blocks + 1.
        channels: up to 16x16; halved with each doubling from there.
        image_channels: 3 for RGB, 1 for grey.
    Raises:
        ValueError: numbers that do not go together.
    """

    size: int
    latent_dim: int
    channels: int
    image_channels: int

    def __post_init__(self) -> None:
        num_parts = self.num_blocks + 1
        if self.latent_dim < 1 or self.latent_dim % num_parts:
            raise ValueError(
                f"latent_dim={self.latent_dim} is split into {num_parts} parts, one for the first layer and one for each "
                f"block; give a positive multiple of {num_parts}."
            )
        if self.image_channels < 1:
            raise ValueError(f"image_channels is at least 1, got {self.image_channels}.")
        check_widths(self.channels, max(0, self.num_blocks - 2), self.size)

    @property
    def num_blocks(self) -> int:
        """From 4x4, each doubles the size."""
        return self.size.bit_length() - 3

    @property
    def part_dim(self) -> int:
        """Numbers in each part of the latent."""
        return self.latent_dim // (self.num_blocks + 1)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at 4x4, 8x8, …."""
        return tuple(self.channels // 2 ** max(0, step - 2) for step in range(self.num_blocks + 1))


class BigGANGenerator(nn.Module):
    """Latents to images in [-1, 1], without classes.

    Children: `linear`, `block1`, `block2`, …, `output`. The latent is split evenly: the first part goes through `linear`,
    each block's norms get one of the others.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.latent_dim = layout.latent_dim
        self.part_dim = layout.part_dim
        _add_layers(self, layout, layout.part_dim)
        self.apply(orthogonal)

    def forward(self, z: Tensor) -> Tensor:
        """Latents `(N, latent_dim)` -> images `(N, image_channels, size, size)`."""
        first, *conditions = torch.split(z, self.part_dim, dim=1)
        return _images(self, first, conditions)


class ClassConditionalBigGAN(nn.Module):
    """Latents and labels to images in [-1, 1].

    As `BigGANGenerator`, and a child `embedding`: each block's norms get the label's embedding beside their part of the
    latent.

    Args:
        layout: sizes.
        num_classes: labels are in [0, num_classes).
        embedding_dim: numbers in a label's embedding.
    """

    def __init__(self, layout: Layout, num_classes: int, embedding_dim: int) -> None:
        super().__init__()
        self.latent_dim = layout.latent_dim
        self.part_dim = layout.part_dim
        self.num_classes = num_classes
        self.embedding = nn.Embedding(num_classes, embedding_dim)
        _add_layers(self, layout, layout.part_dim + embedding_dim)
        self.apply(orthogonal)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Latents `(N, latent_dim)` and int64 labels `(N,)` -> images `(N, image_channels, size, size)`."""
        first, *parts = torch.split(z, self.part_dim, dim=1)
        embedded = self.embedding(labels)  # (N, embedding_dim)
        return _images(self, first, [torch.cat([embedded, part], dim=1) for part in parts])


def _add_layers(module: nn.Module, layout: Layout, condition_dim: int) -> None:
    """Give a generator the children that both kinds have."""
    widths = layout.widths
    module.linear = nn.Linear(layout.part_dim, widths[0] * _FIRST**2)
    for step in range(layout.num_blocks):
        has_attention = _FIRST * 2 ** (step + 1) == _ATTENTION_SIZE
        block = GeneratorBlock(widths[step], widths[step + 1], condition_dim, has_attention)
        module.add_module(f"block{step + 1}", block)
    module.output = nn.Sequential(
        nn.BatchNorm2d(widths[-1]), nn.ReLU(), nn.Conv2d(widths[-1], layout.image_channels, 3, padding=1), nn.Tanh()
    )


def _images(module: nn.Module, first: Tensor, conditions: Sequence[Tensor]) -> Tensor:
    """The images of the latents' first parts `(N, part_dim)` and one condition per block, `(N, condition_dim)` each."""
    x: Tensor = module.get_submodule("linear")(first).view(first.shape[0], -1, _FIRST, _FIRST)
    for index, condition in enumerate(conditions, 1):
        x = module.get_submodule(f"block{index}")(x, condition)
    x = module.get_submodule("output")(x)
    return x


def biggan_32(
    *,
    latent_dim: int = 128,
    channels: int = 128,
    image_channels: int = 3,
    num_classes: int = 0,
    embedding_dim: int = 128,
    spectral_norm: bool = False,
) -> BigGANGenerator | ClassConditionalBigGAN:
    """32x32 in three blocks, self-attention at 16x16.

    Args:
        latent_dim: numbers in one latent, a multiple of 4.
        channels: up to 16x16, a multiple of 16; 32x32 has half.
        image_channels: 3 for RGB, 1 for grey.
        num_classes: 0 for no labels.
        embedding_dim: numbers in a label's embedding.
        spectral_norm: on every convolution, linear layer and embedding, as the paper's.
    """
    return _generator(Layout(32, latent_dim, channels, image_channels), num_classes, embedding_dim, spectral_norm)


def biggan_64(
    *,
    latent_dim: int = 120,
    channels: int = 128,
    image_channels: int = 3,
    num_classes: int = 0,
    embedding_dim: int = 128,
    spectral_norm: bool = False,
) -> BigGANGenerator | ClassConditionalBigGAN:
    """64x64 in four blocks, self-attention at 16x16.

    Args:
        latent_dim: numbers in one latent, a multiple of 5.
        channels: up to 16x16, a multiple of 32; halved with each doubling from there.
        image_channels, num_classes, embedding_dim, spectral_norm: as in `biggan_32`.
    """
    return _generator(Layout(64, latent_dim, channels, image_channels), num_classes, embedding_dim, spectral_norm)


def _generator(
    layout: Layout, num_classes: int, embedding_dim: int, spectral_norm: bool
) -> BigGANGenerator | ClassConditionalBigGAN:
    if num_classes < 0 or embedding_dim < 1:
        raise ValueError(
            f"num_classes is at least 0 and embedding_dim at least 1, got {num_classes} and {embedding_dim}."
        )
    module = ClassConditionalBigGAN(layout, num_classes, embedding_dim) if num_classes else BigGANGenerator(layout)
    if spectral_norm:
        with_spectral_norm(module)
    return module
