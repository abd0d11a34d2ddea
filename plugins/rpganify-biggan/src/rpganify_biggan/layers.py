"""What both of BigGAN's networks are made of: self-attention, orthogonal initialisation, spectral norm."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations


class SelfAttention(nn.Module):
    """Each pixel plus what it gathers from all others, times a learned gain that starts at 0.

    Keys and values are taken at half the resolution.

    Args:
        channels: of the features, at least 8.
    Source:
        Zhang et al., "Self-Attention Generative Adversarial Networks", 2019, section 3; the pooled keys and values are
        those of non-local networks, which BigGAN follows.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.key = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.value = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.output = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """`(N, channels, h, w)` -> the same; h and w at least 2."""
        query = self.query(x).flatten(2)  # (N, c / 8, hw)
        key = F.max_pool2d(self.key(x), 2).flatten(2)  # (N, c / 8, hw / 4)
        value = F.max_pool2d(self.value(x), 2).flatten(2)  # (N, c / 2, hw / 4)
        shares = torch.softmax(query.transpose(1, 2) @ key, dim=-1)  # (N, hw, hw / 4)
        gathered = (value @ shares.transpose(1, 2)).view(x.shape[0], -1, x.shape[2], x.shape[3])
        attended: Tensor = self.output(gathered)
        return x + self.gain * attended


def orthogonal(module: nn.Module) -> None:
    """Orthogonal weights, zero biases; for `Module.apply`. Source: BigGAN, section 3."""
    if isinstance(module, (nn.Conv2d, nn.Linear, nn.Embedding)):
        nn.init.orthogonal_(module.weight)
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            nn.init.zeros_(module.bias)


def with_spectral_norm(module: nn.Module) -> None:
    """Divide every weight matrix by its largest singular value, embeddings included; call it after initialisation."""
    for layer in list(module.modules()):
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.Embedding)):
            parametrizations.spectral_norm(layer)


def check_widths(channels: int, num_halvings: int, size: int) -> None:
    """Refuse a width that the layout cannot halve.

    Raises:
        ValueError: fewer than 8 channels would be left, or a fraction.
    """
    step = 8 * 2**num_halvings
    if channels < 1 or channels % step:
        raise ValueError(
            f"channels={channels} is halved {num_halvings} times for {size} pixels, and self-attention takes an eighth "
            f"of the rest; give a positive multiple of {step}."
        )
