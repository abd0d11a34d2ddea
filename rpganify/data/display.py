"""Any sample as a picture to look at: images as they are, signals as curves, volumes by a slice."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# A curve's picture: 256 columns show a second of sound and leave room for eight beside one another on a screen.
CURVE_HEIGHT = 96
CURVE_WIDTH = 256
MAX_CURVES = 8
_PAPER, _INK, _AXIS = 1.0, -0.7, 0.6


def is_picture(shape: tuple[int, ...]) -> bool:
    """Whether samples of that shape are pictures of one (grey) or three (colour) channels, `(C, H, W)`."""
    return len(shape) == 3 and shape[0] in (1, 3)


def as_pictures(values: Tensor) -> Tensor:
    """Samples of any shape as pictures.

    `(C, H, W)` stays as it is where C is 1 or 3, else the channels are averaged. A signal `(C, L)` or `(L,)` becomes a curve
    per channel, one below the other; of more than 8 channels, a grey picture of C rows. What has more axes is
    cut in the middle of the first axis after the channels until it is `(C, H, W)`.

    Args:
        values: float `(N, *shape)`, in about [-1, 1].
    Returns:
        float32 `(N, 1 or 3, H, W)`, in about [-1, 1].
    """
    values = values.float()
    if values.dim() <= 3:
        signals = values.reshape(len(values), -1, values.shape[-1]) if values.dim() > 1 else values[:, None, None]
        return draw_curves(signals) if signals.shape[1] <= MAX_CURVES else _rows(signals)
    while values.dim() > 4:
        values = values[:, :, values.shape[2] // 2]
    return values if values.shape[1] in (1, 3) else values.mean(dim=1, keepdim=True)


def draw_curves(signals: Tensor) -> Tensor:
    """Curves of signals over the range [-1, 1], dark on light, with a line at 0.

    Where a column of the picture holds several values, it is filled from their least to their largest.

    Args:
        signals: float `(N, C, L)`; values outside [-1, 1] are drawn at the edge.
    Returns:
        float `(N, 1, C * 96, 256)`.
    """
    num_samples, channels, length = signals.shape
    if length < 4 * CURVE_WIDTH:  # so that every column holds some
        signals = F.interpolate(signals, size=4 * CURVE_WIDTH, mode="linear", align_corners=True)
    signals = signals.clamp(-1, 1)
    high = F.adaptive_max_pool1d(signals, CURVE_WIDTH)  # (N, C, 256)
    low = -F.adaptive_max_pool1d(-signals, CURVE_WIDTH)
    # Each column reaches the one before it, so that a steep curve has no gaps.
    above, below = high.clone(), low.clone()
    above[:, :, 1:] = torch.maximum(high[:, :, 1:], low[:, :, :-1])
    below[:, :, 1:] = torch.minimum(low[:, :, 1:], high[:, :, :-1])
    rows = torch.linspace(1, -1, CURVE_HEIGHT, device=signals.device)[:, None]  # (96, 1)
    half = 1 / (CURVE_HEIGHT - 1)
    picture = torch.where(rows.abs() <= half, _AXIS, _PAPER).expand(num_samples, channels, -1, CURVE_WIDTH)
    is_ink = (rows <= above[:, :, None] + half) & (rows >= below[:, :, None] - half)  # (N, C, 96, 256)
    return torch.where(is_ink, _INK, picture).reshape(num_samples, 1, channels * CURVE_HEIGHT, CURVE_WIDTH)


def _rows(signals: Tensor) -> Tensor:
    """`(N, C, L)` as grey pictures `(N, 1, C, L)`, averaged to 256 columns where L is more."""
    pictures = signals[:, None]
    if pictures.shape[3] > CURVE_WIDTH:
        pictures = F.interpolate(pictures, size=(pictures.shape[2], CURVE_WIDTH), mode="area")
    return pictures
