"""ResNet-56 for 32×32 images, as trained on CIFAR-10: the layout of the checkpoint, ready for its weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

IMAGE_SHAPE = (3, 32, 32)
NUM_FEATURES = 64
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class _Block(nn.Module):
    """Two 3×3 convolutions and a shortcut without weights."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.stride = 1 if in_channels == out_channels else 2
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.bn1(self.conv1(x)))
        hidden = self.bn2(self.conv2(hidden))
        if self.stride == 2:
            # He et al.'s option A: every second pixel, and zero channels for the missing half, a quarter on each side.
            extra = (hidden.shape[1] - x.shape[1]) // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, extra, extra))
        return F.relu(hidden + x)


class ResNet56(nn.Module):
    """56 layers in three stages of nine blocks; 16, 32, 64 channels.

    Source: He et al., Deep Residual Learning, section 4.2.
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(_Block(16, 16) for _ in range(9)))
        self.layer2 = nn.Sequential(_Block(16, 32), *(_Block(32, 32) for _ in range(8)))
        self.layer3 = nn.Sequential(_Block(32, 64), *(_Block(64, 64) for _ in range(8)))
        self.linear = nn.Linear(NUM_FEATURES, num_classes)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def features(self, images: Tensor) -> Tensor:
        """Pooled activations of the last stage `(N, 64)`, of images `(N, 3, 32, 32)` in [-1, 1]."""
        x = ((images + 1) / 2 - self.mean) / self.std
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))  # (N, 64, 8, 8)
        pooled: Tensor = x.mean(dim=(2, 3))
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Class scores `(N, num_classes)` before the softmax."""
        return self.scores_of(self.features(images))

    def scores_of(self, features: Tensor) -> Tensor:
        """Class scores `(N, num_classes)` of what `features` gave."""
        scores: Tensor = self.linear(features)
        return scores


def resnet56_from_state(state: Mapping[str, Tensor]) -> ResNet56:
    """The network with a checkpoint's weights, in eval mode.

    Args:
        state: names to tensors; the prefix `module.` that `DataParallel` leaves is dropped.
    Raises:
        RuntimeError: weights missing, too many, or of other shapes.
    """
    weights = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    num_classes = len(weights["linear.weight"]) if "linear.weight" in weights else 10
    network = ResNet56(num_classes)
    network.load_state_dict(weights)
    return network.eval()
