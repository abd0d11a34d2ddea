"""Names that a user types, turned into the objects that the library takes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import typer

from rpganify.cli.parsing import read_literal
from rpganify.data.images import ImageData
from rpganify.entries import Architecture, CallbackEntry, DiscriminatorEntry, ExportEntry, LossEntry
from rpganify.errors import RpganifyError, TrainingError
from rpganify.registry import Registry
from rpganify.source import load_class
from rpganify.surgery.export import Writer
from rpganify.training.callbacks import Callback
from rpganify.training.labels import LabelSource, label_condition
from rpganify.training.losses import Loss
from rpganify.training.networks import ImageGenerator
from rpganify.training.randomness import seeded_globals

if TYPE_CHECKING:
    from torch import nn

# DCGAN's convolutions halve the image down to 4x4; smaller ones, and what is no picture, take fully connected layers.
_SMALLEST_DCGAN = 8
_CALLBACK_METHODS = ("on_start", "on_step", "on_checkpoint", "on_alarm", "on_quality", "on_rollback", "on_end")


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is a GPU if there is one.

    Raises:
        typer.BadParameter: there is no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise typer.BadParameter(f"{name!r} cannot be used here: {reason}", param_hint="--device") from error
    return device


def choose_loss(name: str, options: Mapping[str, Any], registry: Registry) -> Loss:
    """The adversarial loss of that name.

    Raises:
        RegistryError: there is none.
        TrainingError: it does not take these options.
    """
    factory = registry.factory(registry.get(LossEntry, name))
    try:
        loss: Loss = factory(**options)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"The loss {name} does not take --loss-arg {_typed(options)}: {error}.") from error
    return loss


def choose_callback(spec: str, registry: Registry) -> Callback:
    """The training callback that a text names: `NAME`, or `NAME:ARGUMENT` such as `csv:losses.csv`.

    Raises:
        RegistryError: there is none, or it cannot be made so.
        TrainingError: it refuses the argument, or is no callback.
    """
    name, colon, argument = spec.partition(":")
    entry = registry.get(CallbackEntry, name)
    made: Callback = registry.make(entry, argument=argument) if colon else registry.make(entry)
    missing = [method for method in _CALLBACK_METHODS if not callable(getattr(made, method, None))]
    if missing:
        raise TrainingError(
            f"The callback {name} of the plugin {registry.provider(entry)} is a {type(made).__name__} without "
            f"{', '.join(missing)}. Correct the plugin: inheriting from training.callbacks.Callback gives the rest."
        )
    return made


def choose_export(name: str, registry: Registry) -> Writer:
    """What writes a plain generator in the format of that name.

    Raises:
        RegistryError: there is none.
    """
    writer: Writer = registry.make(registry.get(ExportEntry, name))
    return writer


def default_discriminator(architecture: str | None, image_shape: Sequence[int], registry: Registry) -> str:
    """Name of the discriminator for a generator: its architecture's own, or one that fits the image."""
    known = registry.all(Architecture)
    if architecture in known:
        return known[architecture].discriminator
    return "dcgan" if len(image_shape) == 3 and min(image_shape[1:]) >= _SMALLEST_DCGAN else "mlp"


def classes_to_judge(generator: ImageGenerator, data: ImageData) -> int:
    """How many classes a discriminator has to know: those of the data, if the generator takes labels; else 0.

    Raises:
        TrainingError: it takes something else, or labels that the data does not have.
    """
    return 0 if label_condition(generator, data) is None else LabelSource(data).num_classes


def choose_discriminator(
    name: str,
    options: Mapping[str, str],
    image_shape: tuple[int, ...],
    *,
    spectral_norm: bool,
    seed: int,
    registry: Registry,
    num_classes: int = 0,
) -> nn.Module:
    """A new discriminator: a registered one, or a class of somebody's file.

    Args:
        name: registered name, `my_gan.py:Discriminator` or `package.module:Discriminator`.
        options: `--discriminator-arg` values as text.
        image_shape: `(C, H, W)` of what it judges; a class of a file is built as it is written.
        spectral_norm: whether a registered one is spectrally normalised.
        seed: of its initial weights.
        registry: where names are looked up.
        num_classes: of the data, for a generator that takes labels: a registered one with an option `num_classes` is built
            for so many, unless the options say otherwise.
    Raises:
        RegistryError, SourceError: it cannot be found.
        TrainingError: it cannot be built for such images or from these options.
    """
    if ":" in name or name.endswith(".py"):
        return load_class(name, options, role="discriminator").build(seed)
    factory = registry.factory(registry.get(DiscriminatorEntry, name))
    values = {option: read_literal(text) for option, text in options.items()}
    if num_classes and "num_classes" in inspect.signature(factory).parameters:
        values.setdefault("num_classes", num_classes)
    try:
        with seeded_globals(seed):
            module: nn.Module = factory(image_shape=tuple(image_shape), spectral_norm=spectral_norm, **values)
    except RpganifyError:
        raise
    except (TypeError, ValueError) as error:
        raise TrainingError(
            f"The discriminator {name} cannot be built: {' '.join(str(error).split())} "
            "`rpganify plugins` lists the others; --discriminator names one."
        ) from error
    return module


def _typed(options: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in options.items()) or "(none)"
