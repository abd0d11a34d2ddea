"""What `rpganify train` does around the trainer: opens the generator, tells the progress, sums up."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
import typer
from torch import nn

from rpganify.analysis.opening import open_extractor
from rpganify.analysis.provenance import model_sha256
from rpganify.analysis.quality.monitor import QualityMonitor
from rpganify.cli.configured import SETTINGS, render_settings
from rpganify.cli.console import say, show
from rpganify.cli.files import source_name
from rpganify.cli.formatting import format_duration
from rpganify.cli.sources import SourceOptions
from rpganify.cli.train_options import Precision
from rpganify.conversion.converting import standard
from rpganify.data.images import ImageData
from rpganify.errors import ModelFileError, TrainingError
from rpganify.modelfile import load_model, save_model
from rpganify.modelfinding import find_model
from rpganify.registry import Registry
from rpganify.training.callbacks import Callback, TrainResult, TrainStart
from rpganify.training.networks import ImageGenerator
from rpganify.training.recording.quality import QualityMetric
from rpganify.training.run import RunDirectory, claimed
from rpganify.training.saving.discriminator import load_discriminator


@dataclass(frozen=True, slots=True)
class OpenedGenerator:
    """A generator to train.

    Args:
        generator: converted or standard.
        name: for the run's folder.
        architecture: the registered name it was made from, if any.
    """

    generator: ImageGenerator
    name: str
    architecture: str | None


def open_for_training(
    options: SourceOptions, *, is_standard: bool, trusts_source: bool = False, resumed_run: Path | None = None
) -> OpenedGenerator:
    """The generator that the user names: a converted model or run, or with `--standard` a source as it is.

    Args:
        options: what was typed.
        is_standard: whether it is a source.
        trusts_source: whether a model on disk may import functions of its own source.
        resumed_run: the run to go on with, which has the model too, should it not be where it was.
    Raises:
        ModelFileError: there is no such model.
        SourceError, ConversionError: the source cannot be read, built or traced.
        TrainingError: options of a source with a model that is on disk.
    """
    if is_standard:
        source = options.load()
        generator = standard(
            options.build(source),
            latent=options.latent,
            example_inputs=options.example_inputs(),
            image=options.image,
            image_shape=options.parsed_image_shape(),
            freeze_noise=options.freezes_noise,
        )
        name = source.architecture.name if source.architecture else None
        return OpenedGenerator(generator, f"{source_name(source.origin)}-standard", name)
    model = options.source
    if options != SourceOptions(model, seed=options.seed):
        raise TrainingError(
            f"{model} is built already: options such as --arg and --latent belong to a SOURCE. Leave them out, or add "
            "--standard."
        )
    path = Path(model)
    if not path.exists() and resumed_run is not None:
        path = resumed_run
    if not path.exists():
        raise ModelFileError(
            f"There is no model at {model}. `rpganify convert {model}` makes one of a source; "
            "`--standard` trains a source as it is."
        )
    found = find_model(path, is_raw=True)
    if found.words and path != resumed_run:
        say(f"{path}: {found.words}")
    opened = load_model(found.directory, trust_source=trusts_source)
    return OpenedGenerator(opened, path.stem, opened.blueprint.provenance.get("architecture"))


def check_run_is_free(run: Path, *, is_resumed: bool, is_forced: bool) -> None:
    """Refuses to train over an earlier training, before any work is done.

    Raises:
        TrainingError: there is one, and neither `--resume` nor `--force` says what to do with it.
    """
    if RunDirectory(run).is_used and not is_resumed and not is_forced:
        raise TrainingError(
            f"{run} holds a training already. --resume goes on with it, --force replaces it, -o names another folder."
        )


def save_generator(model: Any, directory: Path) -> None:
    """Writes the generator of a checkpoint as a model of its own, so that a run can be opened like one."""
    save_model(model, directory)


def forget_run(run: Path, *sources: Path) -> None:
    """Removes an earlier training from a run's folder, and nothing else that lies there.

    Args:
        run: the folder.
        sources: what the new training begins with.
    Raises:
        TrainingError: a source is part of it, or another training is at work there.
    """
    directory = RunDirectory(run)
    for source in sources:
        if source.exists() and source.resolve().is_relative_to(run.resolve()):
            raise TrainingError(f"{source} is part of {run}, which --force would replace. Name another folder with -o.")
    with claimed(directory):
        for folder in (directory.samples, directory.checkpoints):
            if folder.exists():
                shutil.rmtree(folder)
        for file in (directory.config, directory.metrics, directory.events, directory.quality):
            file.unlink(missing_ok=True)


def known_discriminator(discriminator: nn.Module, other: Path | None, run: Path, *, is_resumed: bool) -> dict[str, str]:
    """Fills a discriminator with another run's, if one is named, and says so; gives what the run records of it.

    A training that goes on has its own in its checkpoint; only one that was stopped before its first begins anew.

    Raises:
        TrainingError: that run has none, or another.
    """
    if other is None or (is_resumed and RunDirectory(run).is_used):
        return {}
    loaded = load_discriminator(discriminator, other)
    say(f"discriminator: begins with the weights of {loaded.checkpoint}")
    return {"discriminator from": str(loaded.checkpoint), "discriminator sha256": loaded.sha256}


def choose_precision(asked: Precision | None) -> Literal["fp32", "bf16", "fp16"]:
    """What was asked for, or what `accelerate launch --mixed_precision` says, or fp32."""
    if asked is not None:
        return asked.value
    match os.environ.get("ACCELERATE_MIXED_PRECISION"):
        case "bf16":
            return "bf16"
        case "fp16":
            return "fp16"
    return "fp32"


def parse_betas(text: str) -> tuple[float, float]:
    """Adam's decay rates, as typed.

    Raises:
        typer.BadParameter: they are not two numbers.
    """
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not two numbers such as 0.5,0.999.", param_hint="--betas") from error
    return first, second


def choose_quality(
    spec: str, data: ImageData, num_images: int, seed: int, device: torch.device, registry: Registry
) -> QualityMetric:
    """What `--quality` names: a Fréchet distance of these features to the training data.

    Raises:
        RegistryError, AnalysisError: there is no such extractor, or it does not suit.
    """
    return QualityMonitor(data, open_extractor(spec, device, registry), num_images, seed)


def provenance_of_run(generator: ImageGenerator) -> dict[str, str]:
    """How the training was called, with which versions, and what its generator was at first, for the run's record."""
    versions = {name: version(name) for name in ("rpganify", "torchvision", "accelerate")}
    blueprint = getattr(generator, "blueprint", None)
    source = {} if blueprint is None else blueprint.provenance
    told = {
        "command": shlex.join(["rpganify", *sys.argv[1:]]),
        "python": platform.python_version(),
        **versions,
        "generator sha256": model_sha256(generator) if isinstance(generator, nn.Module) else "",
        "source sha256": str(source.get("sha256", "")),
    }
    return {name: value for name, value in told.items() if value}


class SettingsWriter(Callback):
    """Writes the command's options into the run, once it is sure that it begins.

    Args:
        options: by `configured.option_name`.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def on_start(self, start: TrainStart) -> None:
        """Write `config.toml`."""
        file = start.run / SETTINGS
        aside = file.with_suffix(".aside")
        heading = f"The options of this training. To repeat it elsewhere: rpganify train --config {file} -o RUN"
        aside.write_text(render_settings(self._options, heading), encoding="utf-8")
        os.replace(aside, file)


def show_result(result: TrainResult) -> None:
    """Where a training ended and how to go on; the run's folder goes to stdout."""
    if result.is_interrupted:
        goal = f" of {result.steps}" if result.steps else ""
        say(f"stopped at step {result.step}{goal}, saved. Go on with: rpganify train {result.run} --resume")
    else:
        say(f"done: step {result.step} in {format_duration(result.duration_s)}")
        say(f"next: rpganify sample {result.run} -n 64 -o grid.png")
    show(str(result.run))
