"""The discriminator of Miyato's SN-ResNet, its depth fitted to the image.

Source: Miyato et al. 2018, appendix B: for 32x32 two halving blocks and two that keep the size, 128 channels
throughout; for larger images one halving block after the other, doubling from 64 channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rpganify.models.initialization import xavier
from rpganify.models.label_heads import Conditioning, Judgement, judged, label_head
from rpganify.models.spectral import with_spectral_norm
from rpganify.models.widths import halving

_MIN_SIZE = 8


class DiscriminatorBlock(nn.Module):
    """A residual block: [ReLU,] 3x3, ReLU, 3x3, [average pool], plus the skip.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        is_first: reads the image itself, so no ReLU comes before the first convolution, and the skip
            pools before its 1x1 convolution rather than after.
        is_halving: halves height and width, rounding down.
    """

    def __init__(self, in_channels: int, out_channels: int, is_first: bool, is_halving: bool) -> None:
        super().__init__()
        self.is_first = is_first
        self.is_halving = is_halving
        self.c1 = xavier(nn.Conv2d(in_channels, out_channels, 3, padding=1), before_relu=True)
        self.c2 = xavier(nn.Conv2d(out_channels, out_channels, 3, padding=1), before_relu=True)
        has_convolution = is_halving or in_channels != out_channels
        self.c_sc: nn.Module = xavier(nn.Conv2d(in_channels, out_channels, 1)) if has_convolution else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """`(N, in_channels, h, w)` -> `(N, out_channels, h, w)`, halved if so asked."""
        h = x if self.is_first else torch.relu(x)
        h = self.c2(torch.relu(self.c1(h)))
        if not self.is_halving:
            return torch.add(h, self.c_sc(x))
        skip = self.c_sc(F.avg_pool2d(x, 2)) if self.is_first else F.avg_pool2d(self.c_sc(x), 2)
        return F.avg_pool2d(h, 2) + skip


class SNGANDiscriminator(nn.Module):
    """Images to scores; any image size that survives the halvings.

    Args:
        image_channels: channels of the images.
        widths: channels after each block.
        num_halvings: how many blocks, from the first on, halve height and width.
        num_classes, conditioning: of its `label_heads.label_head`.
    """

    def __init__(
        self, image_channels: int, widths: tuple[int, ...], num_halvings: int, num_classes: int, conditioning: str
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.blocks = nn.Sequential(
            *(
                DiscriminatorBlock(in_channels, out_channels, is_first=i == 0, is_halving=i < num_halvings)
                for i, (in_channels, out_channels) in enumerate(zip((image_channels, *widths), widths, strict=False))
            )
        )
        self.linear = xavier(nn.Linear(widths[-1], 1))
        self.label_head = label_head(widths[-1], num_classes, conditioning)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Judgement:
        """Images `(N, C, H, W)` in [-1, 1], int64 labels `(N,)` -> scores `(N,)`; see `label_heads.judged`."""
        h = torch.relu(self.blocks(images)).sum(dim=(2, 3))  # (N, widths[-1])
        scores: Tensor = self.linear(h)
        return judged(self.label_head, scores.squeeze(1), h, labels)


def sngan_discriminator(
    *,
    image_shape: tuple[int, int, int],
    spectral_norm: bool,
    channels: int | None = None,
    num_classes: int = 0,
    conditioning: Conditioning = "projection",
) -> nn.Module:
    """An SN-ResNet discriminator for images of that shape.

    Args:
        image_shape: `(C, H, W)`; height and width each at least 8, need not be equal.
        spectral_norm: on every convolution, linear layer and embedding.
        channels: width of the widest block; 128 below 48 pixels, 512 below 64, else 1024.
        num_classes: judge images by labels in [0, num_classes) too; 0 for no labels.
        conditioning: how, "projection" or "auxiliary" (a classifier beside the scores).
    Raises:
        ValueError: the image is too small, `channels` cannot be halved as often as the layout needs, or there is no such
            number of classes or conditioning.
    """
    image_channels, height, width = image_shape
    size = min(height, width)
    if size < _MIN_SIZE:
        raise ValueError(
            f"The sngan discriminator halves its images; {height}x{width} is too small, {_MIN_SIZE}x{_MIN_SIZE} is "
            "the least. Take the discriminator 'mlp'."
        )
    widths, num_halvings = _layout(size, channels)
    module = SNGANDiscriminator(image_channels, widths, num_halvings, num_classes, conditioning)
    return with_spectral_norm(module) if spectral_norm else module


def _layout(size: int, channels: int | None) -> tuple[tuple[int, ...], int]:
    """Widths of the blocks and number of halvings, for the image's shorter side in pixels."""
    if size < 48:
        return halving(128 if channels is None else channels, 0) * 4, 2
    # 48 -> 3x3, 64 -> 2x2; from 128 on down to 4x4 and then one more block of full width that keeps the size.
    has_plain_block = size >= 128
    num_halvings = size.bit_length() - (3 if has_plain_block else 2)
    num_doublings = min(num_halvings - 1, 4)
    growing = halving(64 * 2**num_doublings if channels is None else channels, num_doublings)[::-1]
    num_blocks = num_halvings + has_plain_block
    return growing + growing[-1:] * (num_blocks - len(growing)), num_halvings
