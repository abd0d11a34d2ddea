"""A small classifier of small images: to count the classes of samples, and as features for a Fréchet distance."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from rpganify.errors import AnalysisError

FORMAT = "rpganify-classifier-1"
NUM_FEATURES = 64
MIN_SIZE = 8


class Classifier(nn.Module):
    """Three convolutions, a hidden layer whose 64 activations are the features, and class scores.

    Args:
        image_shape: channels, height, width; at least 8×8.
        num_classes: at least 2.
    """

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.num_classes = num_classes
        self.body = nn.Sequential(
            *_convolution(image_shape[0], 32, stride=1),
            *_convolution(32, 64, stride=2),
            *_convolution(64, 64, stride=2),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(4 * 64, NUM_FEATURES),
            nn.ReLU(),
        )
        self.head = nn.Linear(NUM_FEATURES, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """Activations of the hidden layer `(N, 64)`, of images `(N, *image_shape)` in [-1, 1]."""
        features: Tensor = self.body(images)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Class scores `(N, num_classes)` before the softmax."""
        return self.scores_of(self.features(images))

    def scores_of(self, features: Tensor) -> Tensor:
        """Class scores `(N, num_classes)` of what `features` gave."""
        scores: Tensor = self.head(features)
        return scores


def train_classifier(
    images: Tensor,
    labels: Tensor,
    *,
    seed: int = 0,
    num_epochs: int = 15,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Classifier:
    """A classifier trained on labelled images, in eval mode; equal arguments give equal weights.

    Args:
        images: uint8 `(N, C, H, W)`.
        labels: int64 `(N,)`, from 0.
        seed: of the initial weights and the order of the images; global random states stay as they were.
        num_epochs: passes over all images.
        batch_size: images per Adam step.
        learning_rate: of Adam; falls to 0 along a cosine.
        progress: told after each epoch.
    Raises:
        AnalysisError: images and labels do not fit together, are too small, or there are fewer than two classes.
    """
    if images.dtype != torch.uint8 or images.dim() != 4 or labels.shape != (len(images),) or len(images) == 0:
        raise AnalysisError(
            "A classifier is trained on uint8 images (N, C, H, W) and N labels; "
            f"got {images.dtype} {tuple(images.shape)} and labels {tuple(labels.shape)}."
        )
    if min(images.shape[2:]) < MIN_SIZE:
        raise AnalysisError(
            f"A classifier needs images of at least {MIN_SIZE}×{MIN_SIZE}, got {tuple(images.shape[2:])}; enlarge them."
        )
    num_classes = int(labels.max()) + 1
    if num_classes < 2 or int(labels.min()) < 0:
        raise AnalysisError(
            f"A classifier needs labels from 0 and at least two classes; these are {int(labels.min())} to "
            f"{int(labels.max())}."
        )
    channels, height, width = images.shape[1:]
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.default_generator.manual_seed(seed)
        classifier = Classifier((channels, height, width), num_classes)
        order = torch.Generator().manual_seed(seed)
        optimiser = torch.optim.Adam(classifier.parameters(), lr=learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, num_epochs)
        for epoch in range(num_epochs):
            for batch in torch.split(torch.randperm(len(images), generator=order), batch_size):
                loss = F.cross_entropy(classifier(images[batch].float() / 127.5 - 1), labels[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            schedule.step()
            progress("classifier", epoch + 1, num_epochs)
    return classifier.eval().requires_grad_(False)


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Writes weights and layout to one safetensors file, aside and renamed.

    Raises:
        AnalysisError: the disk refuses.
    """
    layout = {"image_shape": list(classifier.image_shape), "num_classes": classifier.num_classes}
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in classifier.state_dict().items()}
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as aside:
            save_file(weights, Path(aside) / path.name, {"format": FORMAT, "layout": json.dumps(layout)})
            os.replace(Path(aside) / path.name, path)
    except (OSError, SafetensorError) as error:
        raise AnalysisError(f"The classifier cannot be written to {path}: {error}. Choose another file.") from error


def load_classifier(path: Path) -> Classifier:
    """The classifier that `save_classifier` wrote, in eval mode.

    Raises:
        AnalysisError: the file is missing, truncated, or no classifier of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {metadata.get('format')!r}, not {FORMAT!r}")
        layout = json.loads(metadata["layout"])
        channels, height, width = (int(size) for size in layout["image_shape"])
        classifier = Classifier((channels, height, width), int(layout["num_classes"]))
        classifier.load_state_dict(weights)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise AnalysisError(
            f"{path} is no classifier that rpganify saved: {str(error).splitlines()[0]}. "
            "`rpganify.analysis.classifier.save_classifier` writes one."
        ) from error
    return classifier.eval().requires_grad_(False)


def _convolution(in_channels: int, out_channels: int, stride: int) -> tuple[nn.Module, ...]:
    # Without the batch norm, 900 of the real 8×8 digits teach it 93 % of the others instead of 96 %.
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(out_channels), nn.ReLU()
