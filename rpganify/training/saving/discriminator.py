"""Another run's discriminator as the beginning of a training."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from rpganify.errors import TrainingError
from rpganify.manifest import find_damage
from rpganify.training.networks import fill_network
from rpganify.training.run import RunDirectory, describe_network, read_record
from rpganify.training.saving.checkpoint import list_checkpoints, newest_intact

FILE = "discriminator.safetensors"


@dataclass(frozen=True, slots=True)
class LoadedDiscriminator:
    """Where a discriminator's values were taken from.

    Args:
        checkpoint: its folder.
        sha256: of the file that holds them.
    """

    checkpoint: Path
    sha256: str


def load_discriminator(discriminator: nn.Module, run: Path) -> LoadedDiscriminator:
    """Fill a discriminator with another run's: parameters and buffers, the vectors of spectral norm among them.

    Its optimizer's moments stay there: the training begins with new ones, as it does for the generator.

    Args:
        discriminator: of the same class and arguments as that run's.
        run: that run, of which the newest intact checkpoint is taken, or one of its checkpoints.
    Raises:
        TrainingError: there is no intact checkpoint, or it holds another discriminator; nothing was changed then.
    """
    checkpoint = _checkpoint(run)
    file = checkpoint / FILE
    _refuse_another(discriminator, checkpoint, run)
    try:
        content, sha256 = load_file(file), hashlib.sha256(file.read_bytes()).hexdigest()
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"The discriminator {file} cannot be read: {error}. Name another run or checkpoint, or begin with a fresh one: "
            "leave out --discriminator-from."
        ) from error
    try:
        fill_network(discriminator, content)
    except ValueError as error:
        raise TrainingError(_another(discriminator, checkpoint, run, str(error))) from error
    return LoadedDiscriminator(checkpoint, sha256)


def _checkpoint(run: Path) -> Path:
    """The checkpoint that a folder stands for.

    Raises:
        TrainingError: it is neither a run nor a checkpoint, or not intact.
    """
    if (run / FILE).is_file():
        if (damage := find_damage(run)) is not None:
            raise TrainingError(
                f"The checkpoint {run} is damaged ({damage}). Name its run, of which the newest intact one is taken."
            )
        return run
    checkpoints = RunDirectory(run).checkpoints
    found = newest_intact(checkpoints)
    if found is None:
        why = "none of its checkpoints is intact" if list_checkpoints(checkpoints) else "it has no checkpoint"
        raise TrainingError(
            f"No discriminator can be taken from {run}: {why}. --discriminator-from takes a run of `rpganify train`, or one "
            "of its checkpoints; without it the discriminator is a fresh one."
        )
    return found


def _refuse_another(discriminator: nn.Module, checkpoint: Path, run: Path) -> None:
    """Refuse one of another class, or of other tensors, by what the run says of its own."""
    there, here = _recorded(checkpoint)[0], describe_network(discriminator)
    if there and there != here:
        raise TrainingError(_another(discriminator, checkpoint, run, f"that is {there}; this is {here}."))


def _another(discriminator: nn.Module, checkpoint: Path, run: Path, difference: str) -> str:
    command = _recorded(checkpoint)[1]
    same = f"The run was started by `{command}`: give" if command else "Give"
    return (
        f"{run} has another discriminator than the {type(discriminator).__name__} to train: {difference} {same} the same "
        "--discriminator, --discriminator-arg and kind of loss, or begin with a fresh one: leave out --discriminator-from."
    )


def _recorded(checkpoint: Path) -> tuple[str, str]:
    """What the run of a checkpoint says of its discriminator, and the command that started it; empty where it does not."""
    run = RunDirectory(checkpoint.resolve().parent.parent)
    if not run.config.is_file():  # a checkpoint that was copied without its run
        return "", ""
    record = read_record(run)
    return record.facts.get("discriminator", ""), record.provenance.get("command", "")
