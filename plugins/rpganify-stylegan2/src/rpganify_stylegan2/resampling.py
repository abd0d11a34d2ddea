"""Resampling with a small low-pass filter, so that nothing folds back from above the Nyquist frequency.

The filter is the outer product of [1, 3, 3, 1] / 8 with itself. Source: Karras et al., "A Style-Based Generator
Architecture for Generative Adversarial Networks", 2019, section 2, has the low-pass filter; these are StyleGAN2's taps.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = (1.0, 3.0, 3.0, 1.0)


class Blur(nn.Module):
    """The low-pass filter, each channel by itself.

    Args:
        padding: rows and columns of zeros on every side; the output is `2 * padding - 3` larger.
        gain: factor of the output; 4 makes up for the zeros that doubling the size puts between pixels.
    """

    kernel: Tensor

    def __init__(self, padding: int, gain: float = 1.0) -> None:
        super().__init__()
        self.padding = padding
        self.register_buffer("kernel", filter_kernel(gain), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, h, w)` -> `(N, C, h + 2 * padding - 3, w + 2 * padding - 3)`."""
        return blur(x, self.kernel, self.padding)


class Upsample(nn.Module):
    """Twice the size: zeros between the pixels, then the filter."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", filter_kernel(4.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(N, C, h, w)` -> `(N, C, 2h, 2w)`."""
        channels = x.shape[1]
        kernel = self.kernel.expand(channels, 1, -1, -1)
        return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=channels)


def blur(x: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """Each channel of `(N, C, h, w)` filtered with `kernel`, `(1, 1, 4, 4)`; see `Blur`."""
    channels = x.shape[1]
    return F.conv2d(x, kernel.expand(channels, 1, -1, -1), padding=padding, groups=channels)


def filter_kernel(gain: float) -> Tensor:
    """The filter's weights, `(1, 1, 4, 4)`, which sum to `gain`."""
    taps = torch.tensor(TAPS) / sum(TAPS)
    return (taps[:, None] * taps * gain)[None, None]
