"""The block predictor: a small network that reads off an image which block of each bucket made it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rpganify.analysis.generation import ImageMaker, to_float
from rpganify.analysis.inversion.held_out import DrawnPaths
from rpganify.errors import AnalysisError

# Feature maps are halved down to this many pixels, which keeps where something is.
_SMALLEST = 7
_MAX_CHANNELS = 128
_NUM_STATISTICS = 512
# In [-1, 1]: images of a single colour are not blown up to noise.
_LEAST_STD = 0.02


@dataclass(frozen=True, slots=True)
class PredictorConfig:
    """How the predictor is built and trained.

    Args:
        num_samples: images it is trained on, each made and seen once.
        batch_size: of a training step.
        learning_rate: of Adam at first; it falls along a cosine to 0.
        channels: of the first convolution; doubled at each halving of the image, up to 128.
        hidden: features that all heads share.
    Raises:
        AnalysisError: a number below 1, or fewer samples than a batch.
    """

    num_samples: int = 30_000
    batch_size: int = 128
    learning_rate: float = 5e-3
    channels: int = 32
    hidden: int = 256

    def __post_init__(self) -> None:
        if min(self.batch_size - 1, self.channels, self.hidden) < 1 or self.num_samples < self.batch_size:
            raise AnalysisError(
                f"A predictor with {self.channels} channels and {self.hidden} features cannot be trained on "
                f"{self.num_samples} samples in batches of {self.batch_size}: it takes at least 1 channel, 1 feature, and one "
                "batch of 2 samples."
            )


class BlockPredictor(nn.Module):
    """Convolutions that halve the image, features that all buckets share, and a head per bucket.

    Args:
        image_shape: `(C, H, W)`.
        num_blocks: of each bucket.
        config: its sizes.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, image_shape: tuple[int, ...], num_blocks: tuple[int, ...], config: PredictorConfig) -> None:
        super().__init__()
        channels, height, width = image_shape
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("std", torch.ones(channels, 1, 1))
        layers: list[nn.Module] = []
        wider = config.channels
        while min(height, width) > _SMALLEST:
            layers += [nn.Conv2d(channels, wider, 3, stride=2, padding=1), nn.BatchNorm2d(wider), nn.ReLU()]
            channels, wider = wider, min(2 * wider, _MAX_CHANNELS)
            height, width = (height + 1) // 2, (width + 1) // 2
        layers += [nn.Flatten(), nn.Linear(channels * height * width, config.hidden)]
        layers += [nn.BatchNorm1d(config.hidden), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.heads = nn.ModuleList(nn.Linear(config.hidden, number) for number in num_blocks)

    def measure(self, images: Tensor) -> None:
        """Takes mean and standard deviation of each channel from images `(N, C, H, W)`; inputs are normalised by them."""
        self.mean.copy_(images.mean(dim=(0, 2, 3))[:, None, None])
        self.std.copy_(images.std(dim=(0, 2, 3))[:, None, None] + _LEAST_STD)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Scores of the blocks, `(N, num_blocks)` for each bucket, of images `(N, C, H, W)` in [-1, 1]."""
        features = self.body((images - self.mean) / self.std)
        return [head(features) for head in self.heads]


def train_predictor(
    maker: ImageMaker, drawn: DrawnPaths, config: PredictorConfig, progress: Callable[[int], None]
) -> BlockPredictor:
    """A predictor trained on images of random paths; in eval mode, where the images are made.

    Initial weights come from torch's global random state: call it inside `evaluating`.

    Args:
        maker: makes the images, 8-bit as a picture file holds them.
        drawn: gives the paths.
        config: sizes and steps.
        progress: told the number of images seen so far.
    """
    device = maker.device
    space = drawn.space
    with torch.enable_grad():
        predictor = BlockPredictor(maker.model.image_shape, space.num_blocks, config).to(device)
        predictor.measure(to_float(maker(drawn.draw(_NUM_STATISTICS))).to(device))
        num_steps = config.num_samples // config.batch_size
        optimizer = torch.optim.Adam(predictor.parameters(), lr=config.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
        for step in range(num_steps):
            paths = drawn.draw(config.batch_size)
            with torch.no_grad():
                images = to_float(maker(paths)).to(device)
            scores = predictor(images)
            wanted = paths.to(device)
            loss = torch.stack([F.cross_entropy(one, wanted[:, i]) for i, one in enumerate(scores)]).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            progress((step + 1) * config.batch_size)
    return predictor.eval().requires_grad_(False)


def block_log_probabilities(predictor: BlockPredictor, images: Tensor, batch_size: int = 256) -> list[Tensor]:
    """How likely each block made each image, by the predictor: natural logarithms `(N, num_blocks)` per bucket, on the CPU.

    Args:
        predictor: in eval mode.
        images: uint8 `(N, C, H, W)`.
        batch_size: images at once.
    """
    with torch.no_grad():
        parts = [
            [one.log_softmax(dim=1).double().cpu() for one in predictor(to_float(part).to(predictor.mean.device))]
            for part in images.split(batch_size)
        ]
    return [torch.cat(column) for column in zip(*parts, strict=True)]
