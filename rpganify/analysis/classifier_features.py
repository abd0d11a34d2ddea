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
from rpganify.data.cifar10 import CIFAR10_CLASSES
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
        is_papers: whether it is the InceptionV3 of published FID values; none of these is.
        class_names: one per class; empty where nothing but their numbers is known.
    """

    name: str
    provenance: Mapping[str, JsonValue]
    image_shape: tuple[int, int, int]
    network: _Network = field(repr=False)
    device: torch.device
    is_papers: bool = False
    class_names: tuple[str, ...] = ()

    @property
    def concepts(self) -> tuple[str, ...]:
        """A name for each class: its own, or its number."""
        if self.class_names:
            return self.class_names
        one_image = torch.zeros(1, *self.image_shape)
        return tuple(str(number) for number in range(self.scores(one_image).shape[1]))

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

    def logits(self, images: Tensor) -> Tensor:
        """The scores as a differentiable function of the images, on the classifier's device; its weights stay as they are.

        Call it inside `torch.enable_grad()` if gradients are off.
        """
        return self.network(fit_images(images.to(self.device), self.image_shape))

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
    device = next(classifier.parameters()).device
    return ClassifierFeatures(
        name, _told(classifier), classifier.image_shape, classifier, device, class_names=classifier.class_names
    )


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
        told |= _told(classifier)
        return ClassifierFeatures(
            name, told, classifier.image_shape, classifier, device, class_names=classifier.class_names
        )
    loaded = load_torch_file(content, path, _WANTED)
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
    try:
        network = resnet56.resnet56_from_state(state).to(device)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise AnalysisError(f"{path} holds the weights of another network than ResNet-56. {_WANTED}") from error
    told |= {"network": "ResNet-56 trained on CIFAR-10", "features": resnet56.NUM_FEATURES}
    names = CIFAR10_CLASSES if network.linear.out_features == len(CIFAR10_CLASSES) else ()
    network.requires_grad_(False)
    return ClassifierFeatures(name, told, resnet56.IMAGE_SHAPE, network, device, class_names=names)


def _told(classifier: Classifier) -> dict[str, JsonValue]:
    named: dict[str, JsonValue] = {"class names": list(classifier.class_names)} if classifier.class_names else {}
    return {
        "network": "rpganify's small classifier",
        "classes": classifier.num_classes,
        **named,
        **classifier.told,
    }
