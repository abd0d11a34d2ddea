"""StyleGAN2's discriminator: residual blocks, then the standard deviation over the batch as one more channel.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, section 4.1; the minibatch
standard deviation: Karras et al., "Progressive Growing of GANs", 2018, section 3.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from rpganify_stylegan2.layers import EPSILON, EqualizedConv2d, EqualizedLinear, leaky

_MIN_SIZE = 8
_GROUP = 4


class ResidualBlock(nn.Module):
    """Two convolutions, the second halving, plus the skip; divided by √2 to keep the variance.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv0 = EqualizedConv2d(in_channels, in_channels, 3)
        self.conv1 = EqualizedConv2d(in_channels, out_channels, 3, is_halving=True)
        self.skip = EqualizedConv2d(in_channels, out_channels, 1, is_halving=True, has_bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, in_channels, h, w)` -> `(N, out_channels, h // 2, w // 2)`."""
        h = leaky(self.conv1(leaky(self.conv0(x))))
        total: Tensor = h + self.skip(x)
        return total / math.sqrt(2)


class StyleGAN2Discriminator(nn.Module):
    """Images to scores. The minibatch standard deviation compares the images of a batch in groups of up to four.

    Args:
        image_shape: `(C, H, W)`.
        widths: channels before the first block and after each.
    """

    def __init__(self, image_shape: tuple[int, int, int], widths: tuple[int, ...]) -> None:
        super().__init__()
        image_channels, height, width = image_shape
        self.from_rgb = EqualizedConv2d(image_channels, widths[0], 1)
        self.blocks = nn.Sequential(*(ResidualBlock(before, after) for before, after in pairwise(widths)))
        last, num_halvings = widths[-1], len(widths) - 1
        self.conv = EqualizedConv2d(last + 1, last, 3)
        self.hidden = EqualizedLinear(last * (height >> num_halvings) * (width >> num_halvings), last)
        self.linear = EqualizedLinear(last, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Images `(N, C, H, W)` in [-1, 1] -> scores `(N,)`."""
        h = self.blocks(leaky(self.from_rgb(images)))
        h = leaky(self.conv(torch.cat([h, batch_deviation(h)], dim=1)))
        scores: Tensor = self.linear(leaky(self.hidden(h.flatten(1))))
        return scores.squeeze(1)


def batch_deviation(features: Tensor) -> Tensor:
    """For each group of samples, the standard deviation over the group, averaged over channels and pixels.

    Sample i is in group i mod (N / size), so that neighbours of a batch meet others.

    Args:
        features: `(N, C, h, w)`.
    Returns:
        `(N, 1, h, w)`, constant over pixels; the group size is the largest divisor of N up to 4.
    """
    num_samples, _, height, width = features.shape
    size = next(size for size in range(_GROUP, 0, -1) if num_samples % size == 0)
    groups = features.view(size, num_samples // size, *features.shape[1:])  # (size, N / size, C, h, w)
    deviation = (groups.var(dim=0, correction=0) + EPSILON).sqrt().mean(dim=(1, 2, 3))  # (N / size,)
    return deviation.repeat(size)[:, None, None, None].expand(-1, 1, height, width)


def stylegan2_discriminator(
    *, image_shape: tuple[int, int, int], spectral_norm: bool, channels: int = 128
) -> StyleGAN2Discriminator:
    """A StyleGAN2 discriminator for images of that shape.

    Args:
        image_shape: `(C, H, W)`; height and width each at least 8, need not be equal.
        spectral_norm: divides every weight by its largest singular value, in place of the equalised learning rate's
            factor. The paper's has none, and goes with the non-saturating loss.
        channels: width below 32 pixels; half of it at 32, a quarter at 64, and so on.
    Raises:
        ValueError: the image is too small or no image, or `channels` cannot be halved as often as the layout needs.
    """
    if len(image_shape) != 3 or min(image_shape[1:]) < _MIN_SIZE:
        raise ValueError(
            f"The stylegan2 discriminator halves images (C, H, W) down to 4x4, and takes none of {image_shape}: "
            f"{_MIN_SIZE}x{_MIN_SIZE} is the least. Take the discriminator 'mlp'."
        )
    num_blocks = min(image_shape[1:]).bit_length() - 3
    num_halvings = max(0, num_blocks - 2)
    if channels < 1 or channels % 2**num_halvings:
        raise ValueError(
            f"channels={channels} is halved {num_halvings} times for {image_shape[1]}x{image_shape[2]}; give a positive "
            f"multiple of {2**num_halvings}."
        )
    widths = tuple(channels // 2 ** max(0, num_halvings - step) for step in range(num_blocks + 1))
    module = StyleGAN2Discriminator(image_shape, widths)
    if spectral_norm:
        for layer in list(module.modules()):
            if isinstance(layer, (EqualizedConv2d, EqualizedLinear)):
                layer.scale = 1.0
                parametrizations.spectral_norm(layer)
    return module
