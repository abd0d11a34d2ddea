"""A classifier of the user's own: any module from images to class scores, put behind what analyses ask of a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rpganify.analysis.classifier_features import ClassifierFeatures
from rpganify.errors import AnalysisError
from rpganify.report.report import JsonValue

_NUM_PROBED = 8
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class ClassifierInput:
    """What images a classifier was trained on.

    Args:
        image_shape: channels (1 or 3), height, width.
        mean, std: with which they were normalised, of values in [0, 1]: one number, or one per channel. 0.5 and 0.5 are
            images in [-1, 1], as generators make them; 0 and 1 are images in [0, 1].
    Raises:
        AnalysisError: another number of channels, or of means and deviations, or a deviation that is not above 0.
    """

    image_shape: tuple[int, int, int]
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)

    def __post_init__(self) -> None:
        channels = self.image_shape[0]
        if channels not in (1, 3) or min(self.image_shape) < 1:
            raise AnalysisError(
                f"A classifier sees images of 1 or 3 channels, (C, H, W); got {self.image_shape}. Write "
                "`--classifier-input 3x32x32`."
            )
        if len(self.mean) not in (1, channels) or len(self.std) not in (1, channels) or min(self.std) <= 0:
            raise AnalysisError(
                f"Images of {channels} channel{'s' * (channels > 1)} are normalised with one mean and one deviation above 0, "
                f"or one for each; got {_listed(self.mean)} and {_listed(self.std)}. `--classifier-mean 0.485,0.456,0.406 "
                "--classifier-std 0.229,0.224,0.225` are ImageNet's."
            )


class ForeignNetwork(nn.Module):
    """A module with the features and scores that analyses ask for: its features are its scores.

    Args:
        module: images `(N, C, H, W)`, normalised as it wants them, to class scores `(N, num_classes)`.
        wanted: what it was trained on.
        gives_probabilities: whether its output is probabilities, of which the logarithm is taken.
    """

    def __init__(self, module: nn.Module, wanted: ClassifierInput, gives_probabilities: bool) -> None:
        super().__init__()
        self.module = module
        self.gives_probabilities = gives_probabilities
        self.register_buffer("mean", torch.tensor(wanted.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(wanted.std).view(1, -1, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def features(self, images: Tensor) -> Tensor:
        """Class scores `(N, num_classes)`, of images in [-1, 1]."""
        scores: Tensor = self.module(((images + 1) / 2 - self.mean) / self.std)
        if self.gives_probabilities:
            return scores.clamp_min(torch.finfo(scores.dtype).tiny).log()
        return scores

    def scores_of(self, features: Tensor) -> Tensor:
        """The scores, which are the features."""
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Class scores `(N, num_classes)` before the softmax."""
        return self.features(images)


def foreign_classifier(
    module: nn.Module,
    wanted: ClassifierInput,
    name: str,
    *,
    told: Mapping[str, JsonValue] | None = None,
    class_names: Sequence[str] = (),
    device: torch.device | str = "cpu",
) -> ClassifierFeatures:
    """Somebody's module as a classifier, tried on noise first.

    Args:
        module: images to class scores, or probabilities; put into eval mode and onto the device, its weights without
            gradients.
        wanted: what it was trained on.
        name: for reports.
        told: for the provenance: file, hash, arguments.
        class_names: one per class; empty where it has none.
        device: where it runs.
    Raises:
        AnalysisError: it does not take such images, or gives something else than a score per class and image.
    """
    place = torch.device(device)
    module.to(place).eval().requires_grad_(False)
    probed = _probe(module, wanted, name, place)
    gives_probabilities = bool((probed >= 0).all() and ((probed.sum(dim=1) - 1).abs() < _TOLERANCE).all())
    if class_names and len(class_names) != probed.shape[1]:
        raise AnalysisError(
            f"{name} tells {probed.shape[1]} classes apart, and {len(class_names)} names were given: {_listed(class_names)}."
        )
    network = ForeignNetwork(module, wanted, gives_probabilities).to(place).eval()
    provenance: dict[str, JsonValue] = {
        **(told or {}),
        "network": f"{type(module).__name__}, the user's own",
        "classes": probed.shape[1],
        "features": "its class scores",
        "normalised with mean": list(wanted.mean),
        "and std": list(wanted.std),
    }
    if gives_probabilities:
        provenance["output"] = "probabilities, of which the logarithm is taken"
    return ClassifierFeatures(
        name, provenance, wanted.image_shape, network, place, class_names=tuple(map(str, class_names))
    )


def _probe(module: nn.Module, wanted: ClassifierInput, name: str, device: torch.device) -> Tensor:
    """What the module gives for noise of its input's shape, `(n, num_classes)`."""
    noise = torch.randn(_NUM_PROBED, *wanted.image_shape, generator=torch.Generator().manual_seed(0)).to(device)
    shape = "×".join(map(str, wanted.image_shape))
    try:
        with torch.no_grad():
            given = module(noise)
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise AnalysisError(
            f"The classifier {name} does not take images of {shape}: {type(error).__name__}: {reason}. Say what it takes: "
            "`--classifier-input 3x224x224`."
        ) from error
    if not isinstance(given, Tensor) or given.dim() != 2 or len(given) != _NUM_PROBED or given.shape[1] < 2:
        found = f"of shape {tuple(given.shape)}" if isinstance(given, Tensor) else f"a {type(given).__name__}"
        raise AnalysisError(
            f"The classifier {name} gives {found} for {_NUM_PROBED} images of {shape}; wanted is one score for each of at "
            f"least 2 classes, ({_NUM_PROBED}, num_classes). Name a class whose forward returns that."
        )
    if not given.is_floating_point() or not torch.isfinite(given).all():
        raise AnalysisError(
            f"The classifier {name} gives {given.dtype} scores that are not all finite numbers. Check its weights "
            "(`--classifier-weights FILE`)."
        )
    return given.double().cpu()


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values)) or "none"
