"""A small classifier of small images, kept as data: to count the classes of samples, and as features for a Fréchet distance.

`classifier_training.train_classifier` makes one.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rpganify.errors import AnalysisError
from rpganify.report.report import JsonValue

# Files of the first format hold a strided body and no names; they are read as ever.
FIRST_FORMAT, FORMAT = "rpganify-classifier-1", "rpganify-classifier-2"
NUM_FEATURES = 64
MIN_SIZE = 8
WIDTH = 32

Body = Literal["pooled", "strided"]

# Up to here the first convolution sees every pixel; of larger images it sees every second one, in a quarter of the time.
_SMALL_SIZE = 24
_LAST_SIZE = 5


class Classifier(nn.Module):
    """Convolutions down to about 4×4 values, a hidden layer whose 64 activations are the features, and class scores.

    Args:
        image_shape: channels, height, width; at least 8×8.
        num_classes: at least 2.
        class_names: one per class; empty where they have no names but their numbers.
        body: `pooled`, or `strided`, the three convolutions of files of the first format.
        width: channels of the first convolution of the pooled body; the others have up to four times as many.
        told: what is known of its training, for reports.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        class_names: Sequence[str] = (),
        body: Body = "pooled",
        width: int = WIDTH,
        told: Mapping[str, JsonValue] | None = None,
    ) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.num_classes = num_classes
        self.class_names = tuple(class_names)
        self.body_kind: Body = body
        self.width = width
        self.told: Mapping[str, JsonValue] = dict(told or {})
        self.body = _pooled_body(image_shape, width) if body == "pooled" else _strided_body(image_shape[0])
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


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Writes weights, layout, class names and what is told of the training to one safetensors file, aside and renamed.

    Raises:
        AnalysisError: the disk refuses.
    """
    layout = {
        "image_shape": list(classifier.image_shape),
        "num_classes": classifier.num_classes,
        "class_names": list(classifier.class_names),
        "body": classifier.body_kind,
        "width": classifier.width,
    }
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in classifier.state_dict().items()}
    metadata = {"format": FORMAT, "layout": json.dumps(layout), "told": json.dumps(dict(classifier.told))}
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as aside:
            save_file(weights, Path(aside) / path.name, metadata)
            (Path(aside) / path.name).chmod(0o644)
            os.replace(Path(aside) / path.name, path)
    except (OSError, SafetensorError) as error:
        raise AnalysisError(f"The classifier cannot be written to {path}: {error}. Choose another file.") from error


def load_classifier(path: Path) -> Classifier:
    """The classifier that `save_classifier` wrote, now or in its first format, in eval mode.

    Raises:
        AnalysisError: the file is missing, truncated, or no classifier of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        written = metadata.get("format")
        if written not in (FIRST_FORMAT, FORMAT):
            raise ValueError(f"its format is {written!r}, not {FORMAT!r}")
        classifier = _from_layout(json.loads(metadata["layout"]), json.loads(metadata.get("told", "{}")))
        classifier.load_state_dict(weights)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise AnalysisError(
            f"{path} is no classifier that rpganify saved: {str(error).splitlines()[0]}. "
            "`rpganify classifier DATA -o FILE` writes one."
        ) from error
    return classifier.eval().requires_grad_(False)


def _from_layout(layout: Mapping[str, JsonValue], told: Mapping[str, JsonValue]) -> Classifier:
    sizes, names, body = layout["image_shape"], layout.get("class_names", []), layout.get("body", "strided")
    if not isinstance(sizes, list) or not isinstance(names, list) or body not in get_args(Body):
        raise ValueError("its layout is none that this version knows")
    channels, height, width = (int(str(size)) for size in sizes)
    num_classes = int(str(layout["num_classes"]))
    if names and len(names) != num_classes:
        raise ValueError(f"it names {len(names)} of {num_classes} classes")
    return Classifier(
        (channels, height, width),
        num_classes,
        class_names=[str(name) for name in names],
        body="strided" if body == "strided" else "pooled",
        width=int(str(layout.get("width", WIDTH))),
        told=told,
    )


def _pooled_body(image_shape: tuple[int, int, int], width: int) -> nn.Sequential:
    channels, height, wide = image_shape
    stride = 1 if min(height, wide) < _SMALL_SIZE else 2
    layers, size, found = [*_convolution(channels, width, stride)], -(-min(height, wide) // stride), width
    while size > _LAST_SIZE:
        wanted = min(2 * found, 4 * width)
        layers += [*_convolution(found, wanted, 1), nn.MaxPool2d(2)]
        size, found = size // 2, wanted
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(4 * found, NUM_FEATURES), nn.ReLU())


def _strided_body(channels: int) -> nn.Sequential:
    return nn.Sequential(
        *_convolution(channels, 32, stride=1),
        *_convolution(32, 64, stride=2),
        *_convolution(64, 64, stride=2),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * 64, NUM_FEATURES),
        nn.ReLU(),
    )


def _convolution(in_channels: int, out_channels: int, stride: int) -> tuple[nn.Module, ...]:
    # Without the batch norm, 900 of the real 8×8 digits teach it 93 % of the others instead of 96 %.
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(out_channels), nn.ReLU()
