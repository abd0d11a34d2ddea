"""What is checked before the first step, so that a training does not fail after it has begun."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import nn

from rpganify.data.images import ImageData, to_float
from rpganify.errors import TrainingError
from rpganify.training.randomness import seeded_globals
from rpganify.training.steps import ImageGenerator

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
        generator, discriminator: on `device`.
        data: real images.
        device: where they are trained.
        needs: what the loss needs of the discriminator, see `entries.LossEntry`.
    Raises:
        TrainingError: the generator needs labels, the images' shapes differ, or the discriminator does not give
            scores for them.
    """
    if generator.conditions:
        names = ", ".join(str(condition.name) for condition in generator.conditions)
        raise TrainingError(
            f"The generator needs more than its codes: {names}. Class-conditional training is not supported yet. "
            "Bind such an input to a constant when converting, or use a generator without it."
        )
    if tuple(data.image_shape) != tuple(generator.image_shape):
        raise TrainingError(
            f"The images of {data.name} are {_shape(data.image_shape)}, the generator's are "
            f"{_shape(generator.image_shape)}. `fit_to(data, generator.image_shape)` of "
            "rpganify.data.opening resizes them."
        )
    real = to_float(data.images(torch.zeros(2, dtype=torch.int64))).to(device)
    was_training = discriminator.training
    discriminator.eval()
    try:
        with torch.no_grad(), seeded_globals(0):
            scores = discriminator(real)
    except RuntimeError as error:
        raise TrainingError(
            f"The discriminator does not take images of {_shape(generator.image_shape)}: {error} "
            "Choose one that is made for this size."
        ) from error
    finally:
        discriminator.train(was_training)
    if not isinstance(scores, torch.Tensor) or scores.dim() == 0 or scores.shape[0] != len(real):
        found = _shape(scores.shape) if isinstance(scores, torch.Tensor) else type(scores).__name__
        raise TrainingError(
            f"The discriminator must give one score per image, (2,) or (2, 1) for two images; it gave {found}."
        )
    _warn_of_layers(discriminator, needs)


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
