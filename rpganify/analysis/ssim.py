"""Structural dissimilarity: 1 − SSIM, which compares the local means, contrasts and outlines of two pictures."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from rpganify.analysis.distances import CHANNEL_NAMES
from rpganify.errors import AnalysisError

WINDOW = 11
SIGMA = 1.5
K1, K2, PEAK = 0.01, 0.03, 255.0


class SsimDistance:
    """1 − SSIM of two pictures: 0 for equal ones, about 1 for unrelated ones, at most 2.

    SSIM compares Gaussian windows of 11×11 pixels (σ 1.5) that lie wholly in the picture, each channel by itself, and
    averages over windows and channels. A picture smaller than 11 pixels is compared by the largest odd window that fits.

    Args:
        num_channels: 1 or 3.
    Raises:
        AnalysisError: another number of channels.
    Source:
        Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment", 2004, sections III.B and III.C.
    """

    key = "ssim"
    title = "Structure (1 − SSIM)"
    parts = ("ssim",)
    definition = (
        "Structure: 1 − SSIM (Wang et al. 2004; Gaussian windows of 11×11 pixels with σ 1.5, in smaller pictures the "
        "largest odd window that fits, K₁ 0.01, K₂ 0.03, each channel by itself, then the mean); 0 for equal images."
    )

    def __init__(self, num_channels: int) -> None:
        if num_channels not in CHANNEL_NAMES:
            raise AnalysisError(
                f"SSIM compares images of 1 (grey) or 3 channels, these have {num_channels}. "
                "`rpganify plugins` lists the other image distances; --distance names one."
            )

    def describe(self, images: Tensor) -> Tensor:
        """The images themselves, as they are: uint8 `(N, C, H, W)`."""
        return images

    def pairs(self, described: Tensor) -> Tensor:
        """`(G, k, k, 1)`, of images `(G, k, C, H, W)`."""
        num_groups, size, channels, height, width = described.shape
        window = _window(height, width)
        values = described.double().reshape(-1, 1, height, width)  # (G·k·C, 1, H, W)
        mean = _local(values, window).view(num_groups, size, channels, -1)
        square = _local(values.square(), window).view(num_groups, size, channels, -1)
        values = values.view(num_groups, size, channels, height, width)
        distances = torch.zeros(num_groups, size, size, dtype=torch.float64)
        for one in range(size):
            for other in range(one + 1, size):
                product = (values[:, one] * values[:, other]).view(-1, 1, height, width)
                joint = _local(product, window).view(num_groups, channels, -1)
                similarity = _similarity(mean[:, one], mean[:, other], square[:, one], square[:, other], joint)
                apart = 1 - similarity.mean(dim=(1, 2))
                # Equal pictures differ from 1 by rounding only; their distance is 0.
                distances[:, one, other] = distances[:, other, one] = apart.clamp_min(0)
        return distances[..., None]


def _similarity(mean_x: Tensor, mean_y: Tensor, square_x: Tensor, square_y: Tensor, joint: Tensor) -> Tensor:
    """SSIM of each window, from its first and second moments."""
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    covariance = joint - mean_x * mean_y
    variances = square_x - mean_x.square() + square_y - mean_y.square()
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    return luminance * (2 * covariance + c2) / (variances + c2)


def _window(height: int, width: int) -> Tensor:
    """The Gaussian weights, `(size,)`, which sum to 1."""
    size = min(WINDOW, height - 1 + height % 2, width - 1 + width % 2)
    offsets = torch.arange(size, dtype=torch.float64) - size // 2
    weights = torch.exp(-offsets.square() / (2 * SIGMA**2))
    return weights / weights.sum()


def _local(values: Tensor, window: Tensor) -> Tensor:
    """Weighted means of all windows: `(N, 1, H, W)` to `(N, 1, H − size + 1, W − size + 1)`."""
    return F.conv2d(F.conv2d(values, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
