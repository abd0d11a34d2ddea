"""BigGAN's discriminator: residual blocks with self-attention, and the label as a projection.

Source: Brock et al. 2019, appendix B; the projection: Miyato and Koyama, "cGANs with Projection Discriminator", 2018,
equation 3.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rpganify_biggan.layers import SelfAttention, check_widths, orthogonal, with_spectral_norm

_MIN_SIZE = 8
_ATTENTION_SIZE = 16


class DiscriminatorBlock(nn.Module):
    """[ReLU,] 3x3, ReLU, 3x3, [average pool], plus the skip.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        is_first: reads the image itself, so no ReLU comes before the first convolution.
        is_halving: halves height and width, rounding down.
    """

    def __init__(self, in_channels: int, out_channels: int, is_first: bool, is_halving: bool) -> None:
        super().__init__()
        self.is_first = is_first
        self.is_halving = is_halving
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        has_convolution = is_halving or in_channels != out_channels
        self.skip: nn.Module = nn.Conv2d(in_channels, out_channels, 1) if has_convolution else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """`(N, in_channels, h, w)` -> `(N, out_channels, h, w)`, halved if so asked."""
        h: Tensor = self.conv2(torch.relu(self.conv1(x if self.is_first else torch.relu(x))))
        if self.is_halving:  # pooling commutes with the skip's 1x1 convolution; before it, it is a quarter of the work
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        skip: Tensor = self.skip(x)
        return h + skip


class BigGANDiscriminator(nn.Module):
    """Images to scores; with labels, plus the inner product of the features and the label's embedding.

    Args:
        image_shape: `(C, H, W)`.
        widths: channels after each block.
        num_halvings: how many blocks, from the first on, halve height and width.
        num_classes: 0 for no labels.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], widths: tuple[int, ...], num_halvings: int, num_classes: int
    ) -> None:
        super().__init__()
        in_channels, size = image_shape[0], min(image_shape[1:])
        self.num_classes = num_classes
        layers: list[nn.Module] = []
        for step, out_channels in enumerate(widths):
            is_halving = step < num_halvings
            layers.append(DiscriminatorBlock(in_channels, out_channels, step == 0, is_halving))
            in_channels = out_channels
            size = size // 2 if is_halving else size
            if is_halving and _ATTENTION_SIZE <= size < 2 * _ATTENTION_SIZE:
                layers.append(SelfAttention(out_channels))
        self.blocks = nn.Sequential(*layers)
        self.linear = nn.Linear(in_channels, 1)
        self.embedding = nn.Embedding(num_classes, in_channels) if num_classes else None
        self.apply(orthogonal)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images `(N, C, H, W)` in [-1, 1], and int64 labels `(N,)` -> scores `(N,)`.

        Without labels it is the score of the image alone, whether or not there are classes.

        Raises:
            ValueError: labels for a discriminator without classes.
        """
        h = torch.relu(self.blocks(images)).sum(dim=(2, 3))  # (N, widths[-1])
        scores: Tensor = self.linear(h).squeeze(1)
        if labels is None:
            return scores
        if self.embedding is None:
            raise ValueError("This discriminator has no classes; build it with num_classes=… to pass labels.")
        embedded: Tensor = self.embedding(labels)  # (N, widths[-1])
        return scores + (embedded * h).sum(dim=1)


def biggan_discriminator(
    *, image_shape: tuple[int, int, int], spectral_norm: bool, channels: int = 128, num_classes: int = 0
) -> BigGANDiscriminator:
    """A BigGAN discriminator for images of that shape.

    Args:
        image_shape: `(C, H, W)`; height and width each at least 8, need not be equal.
        spectral_norm: on every convolution, linear layer and embedding.
        channels: width of all blocks up to 32 pixels; larger images start with half of it, a quarter, and so on.
        num_classes: 0 for no labels.
    Raises:
        ValueError: the image is too small or no image, or `channels` cannot be halved as often as the layout needs.
    """
    if len(image_shape) != 3 or min(image_shape[1:]) < _MIN_SIZE:
        raise ValueError(
            f"The biggan discriminator halves images (C, H, W) down to 8x8 or less, and takes none of {image_shape}: "
            f"{_MIN_SIZE}x{_MIN_SIZE} is the least. Take the discriminator 'mlp'."
        )
    if num_classes < 0:
        raise ValueError(f"num_classes is at least 0, got {num_classes}.")
    size = min(image_shape[1:])
    num_halvings = max(1, size.bit_length() - 4)  # down to a shorter side of 4 to 15 pixels
    num_doublings = max(0, num_halvings - 2)
    check_widths(channels, num_doublings, size)
    growing = tuple(channels // 2 ** (num_doublings - step) for step in range(num_doublings + 1))
    widths = growing + (channels,) * (num_halvings + 2 - len(growing))
    module = BigGANDiscriminator(image_shape, widths, num_halvings, num_classes)
    if spectral_norm:
        with_spectral_norm(module)
    return module
