"""A classifier's last hidden layer as features, and its opinion on the class of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from rpganify.analysis import resnet56
from rpganify.analysis.classifier import Classifier, load_classifier
from rpganify.analysis.fitting import describe_fit, fit_images
from rpganify.analysis.weight_files import load_torch_file, read_weight_file
from rpganify.errors import AnalysisError
from rpganify.report.report import JsonValue

_WANTED = (
    "`classifier:FILE` takes a classifier that rpganify saved (.safetensors), or the ResNet-56 checkpoint trained on "
    "CIFAR-10, resnet56-4bfd9763.th. `--extractor pixels` needs no file."
)


class _Network(Protocol):
    def features(self, images: Tensor) -> Tensor: ...

    def scores_of(self, features: Tensor) -> Tensor: ...

    def __call__(self, images: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class ClassifierFeatures:
    """A trained classifier, used as a feature extractor.

    Args:
        name: kind and file name.
        provenance: file, hash, network.
        image_shape: what the network was trained on; images are fitted to it.
        network: its `features` and scores.
        device: where it runs.
    """

    name: str
    provenance: Mapping[str, JsonValue]
    image_shape: tuple[int, int, int]
    network: _Network = field(repr=False)
    device: torch.device
    is_papers: bool = False

    def adaptation(self, image_shape: tuple[int, ...]) -> str:
        """How images of that shape are fitted to the network."""
        return describe_fit(image_shape, self.image_shape)

    def __call__(self, images: Tensor) -> Tensor:
        """Features of the last hidden layer, `(N, D)`."""
        with torch.no_grad():
            return self.network.features(fit_images(images.to(self.device), self.image_shape)).cpu()

    def scores(self, images: Tensor) -> Tensor:
        """Class scores `(N, num_classes)` before the softmax, of images `(N, C, H, W)` in [-1, 1]."""
        with torch.no_grad():
            return self.network(fit_images(images.to(self.device), self.image_shape)).cpu()

    def features_and_scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features `(N, D)` and class scores `(N, num_classes)`, in one pass."""
        with torch.no_grad():
            features = self.network.features(fit_images(images.to(self.device), self.image_shape))
            return features.cpu(), self.network.scores_of(features).cpu()

    def classes(self, images: Tensor) -> Tensor:
        """The likeliest class of each image, int64 `(N,)`."""
        return self.scores(images).argmax(dim=1)


def classifier_features(classifier: Classifier, name: str = "classifier") -> ClassifierFeatures:
    """A classifier at hand as a feature extractor."""
    told: dict[str, JsonValue] = {"network": "rpganify's small classifier", "classes": classifier.num_classes}
    device = next(classifier.parameters()).device
    return ClassifierFeatures(name, told, classifier.image_shape, classifier, device)


def open_classifier(*, argument: str | None = None, device: torch.device | str = "cpu") -> ClassifierFeatures:
    """The built-in extractor `classifier`, from a weight file: a classifier of ours, or the ResNet-56 of CIFAR-10.

    Args:
        argument: the file.
        device: where it runs.
    Raises:
        AnalysisError: no file was named, or it is missing, damaged, or of another network.
    """
    if argument is None:
        raise AnalysisError(f"Which classifier? Name its weight file: `classifier:FILE`. {_WANTED}")
    path, device = Path(argument), torch.device(device)
    content, sha256 = read_weight_file(path, _WANTED)
    told: dict[str, JsonValue] = {"weight file": path.name, "weight file sha256": sha256}
    name = f"classifier:{path.name}"
    if path.suffix == ".safetensors":
        classifier = load_classifier(path).to(device)
        told |= {"network": "rpganify's small classifier", "classes": classifier.num_classes}
        return ClassifierFeatures(name, told, classifier.image_shape, classifier, device)
    loaded = load_torch_file(content, path, _WANTED)
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
    try:
        network = resnet56.resnet56_from_state(state).to(device)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise AnalysisError(f"{path} holds the weights of another network than ResNet-56. {_WANTED}") from error
    told |= {"network": "ResNet-56 trained on CIFAR-10", "features": resnet56.NUM_FEATURES}
    return ClassifierFeatures(name, told, resnet56.IMAGE_SHAPE, network, device)
