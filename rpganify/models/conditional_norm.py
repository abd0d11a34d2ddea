"""Batch norm whose scale and shift belong to a class.

Source: Dumoulin et al. 2017, "A Learned Representation For Artistic Style"; the norm of the generators in Miyato and
Koyama 2018, "cGANs with Projection Discriminator", section 5.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConditionalBatchNorm(nn.Module):
    """Batch norm over all samples, then each sample's class's own scale and shift, which start at 1 and 0.

    Its parameters are its own, so that a conversion takes it for a norm layer, shared by all paths unless asked otherwise.

    Args:
        channels: of the features.
        num_classes: labels are in [0, num_classes).
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.weight = nn.Parameter(torch.ones(num_classes, channels))
        self.bias = nn.Parameter(torch.zeros(num_classes, channels))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Features `(N, channels, h, w)` and int64 labels `(N,)` -> the same shape as the features."""
        scale = functional.embedding(labels, self.weight)[:, :, None, None]  # (N, channels, 1, 1)
        shift = functional.embedding(labels, self.bias)[:, :, None, None]
        normed: Tensor = self.norm(x)
        return normed * scale + shift
