"""What is checked before the first step, so that a training does not fail after it has begun."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import nn

from rpganify.data.images import ImageData, to_float
from rpganify.errors import TrainingError
from rpganify.training.labels import LabelSource, label_condition
from rpganify.training.networks import ImageGenerator
from rpganify.training.randomness import seeded_globals

log = logging.getLogger(__name__)


def check_objects(
    generator: ImageGenerator,
    discriminator: nn.Module,
    data: ImageData,
    device: torch.device,
    needs: Sequence[str] = (),
) -> None:
    """Refuse networks and data that cannot be trained together, warn of what trains badly; changes nothing.

    Args:
        generator, discriminator: on `device`. A discriminator with an attribute `num_classes` above 0 is called as
            `discriminator(images, labels)`.
        data: real images.
        device: where they are trained.
        needs: what the loss needs of the discriminator, see `entries.LossEntry`.
    Raises:
        TrainingError: the images' shapes differ, one of the networks or the data has no labels or too few classes where
            another wants them, the generator wants something else than a label, or the discriminator does not give
            scores for the images.
    """
    if tuple(data.image_shape) != tuple(generator.image_shape):
        raise TrainingError(
            f"The images of {data.name} are {_shape(data.image_shape)}, the generator's are "
            f"{_shape(generator.image_shape)}. `fit_to(data, generator.image_shape)` of "
            "rpganify.data.opening resizes them."
        )
    num_classes = _check_classes(generator, discriminator, data)
    _check_scores(discriminator, data, device, num_classes)
    _warn_of_layers(discriminator, needs)


def _check_classes(generator: ImageGenerator, discriminator: nn.Module, data: ImageData) -> int:
    """The classes of a discriminator that goes with generator and data; 0 for one without."""
    name = label_condition(generator, data)
    num_classes = int(getattr(discriminator, "num_classes", 0) or 0)
    if name is None and num_classes:
        raise TrainingError(
            f"The discriminator judges images by their label, of {num_classes} classes, but the generator takes none, so it "
            "cannot make what it is asked for. Convert a generator of labels (often --arg num_classes=…), or take a "
            "discriminator without classes."
        )
    if name is None:
        return 0
    source = LabelSource(data)
    if not num_classes:
        raise TrainingError(
            f"The generator takes a label ({name}), but the discriminator does not look at labels, so nothing would teach "
            f"the generator to obey it. Give the discriminator classes (--discriminator-arg num_classes="
            f"{source.num_classes}; one of yours says so by an attribute num_classes)."
        )
    if num_classes <= source.largest:
        raise TrainingError(
            f"The images of {data.name} have labels up to {source.largest}, but the discriminator has {num_classes} "
            f"classes, 0 to {num_classes - 1}. Give it as many as the data (--discriminator-arg num_classes="
            f"{source.num_classes})."
        )
    return num_classes


def _check_scores(discriminator: nn.Module, data: ImageData, device: torch.device, num_classes: int) -> None:
    """Refuse a discriminator that does not judge two of the images as it should."""
    indices = torch.zeros(2, dtype=torch.int64)
    given = [to_float(data.images(indices)).to(device)]
    if num_classes and data.labels is not None:
        given.append(data.labels[indices].to(device))
    was_training = discriminator.training
    discriminator.eval()
    try:
        with torch.no_grad(), seeded_globals(0):
            outcome = discriminator(*given)
    except (RuntimeError, TypeError) as error:
        labelled = " and labels, discriminator(images, labels)" if num_classes else ""
        made_for = "this size and for labels" if num_classes else "this size"
        raise TrainingError(
            f"The discriminator does not take images of {_shape(tuple(given[0].shape[1:]))}{labelled}: {error} "
            f"Choose one that is made for {made_for}."
        ) from error
    finally:
        discriminator.train(was_training)
    scores, classes = outcome if num_classes and isinstance(outcome, tuple) and len(outcome) == 2 else (outcome, None)
    if not isinstance(scores, torch.Tensor) or scores.dim() == 0 or scores.shape[0] != 2:
        raise TrainingError(
            f"The discriminator must give one score per image, (2,) or (2, 1) for two images; it gave {_found(scores)}."
        )
    if classes is not None and (not isinstance(classes, torch.Tensor) or classes.shape != (2, num_classes)):
        raise TrainingError(
            f"Beside its scores the discriminator must give one logit per class, (2, {num_classes}) for two images; it gave "
            f"{_found(classes)}."
        )


def _found(value: object) -> str:
    return _shape(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__


def _warn_of_layers(discriminator: nn.Module, needs: Sequence[str]) -> None:
    """Say what trains, but badly."""
    layers = [module for module in discriminator.modules() if not list(module.children())]
    if layers and isinstance(layers[-1], nn.Sigmoid):
        log.warning(
            "The discriminator ends in a sigmoid, but the losses here take unbounded scores: "
            "it will learn slowly at best. Leave the sigmoid out."
        )
    norms = [
        name for name, module in discriminator.named_modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]
    if norms and "no-batch-norm" in needs:
        log.warning(
            "The discriminator has batch norm (%s), which mixes the images of a batch, but this loss is meant for one "
            "that judges each image alone. Take one without batch norm, or another loss.",
            ", ".join(norms),
        )
    if "spectral-norm" in needs and not _is_spectrally_normalised(discriminator):
        log.warning(
            "No weight of the discriminator is spectrally normalised, but this loss is meant for one whose weights are: "
            "nothing else bounds its scores. Take a registered one (--discriminator), or another loss."
        )


def _is_spectrally_normalised(discriminator: nn.Module) -> bool:
    """Whether a part of it is torch's spectral norm, old or new, or somebody's own of that name."""
    parts = [part for module in discriminator.modules() for part in (module, *module._forward_pre_hooks.values())]
    return any("spectralnorm" in type(part).__name__.replace("_", "").lower() for part in parts)


def _shape(shape: tuple[int, ...] | torch.Size) -> str:
    return "×".join(str(size) for size in shape)
