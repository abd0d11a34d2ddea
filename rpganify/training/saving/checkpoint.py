"""Checkpoints on disk: written aside, fsynced and renamed; every file's checksum in a manifest; no pickle.

checkpoints/step-000500/
  generator.rpgan/            a converted model as any other (or generator.safetensors, without a model writer)
  ema.rpgan/                  its moving average, likewise, if one is kept
  discriminator.safetensors
  optimizers.safetensors
  state.json                  step, data position, random states and other numbers
  manifest.json               size and SHA-256 of each file above, and its own checksum
checkpoints/latest, checkpoints/best   links to two of them
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rpganify.errors import RpganifyError, TrainingError
from rpganify.manifest import find_damage, write_manifest
from rpganify.training.saving.snapshot import Snapshot, restore, view
from rpganify.training.state import TrainingState

log = logging.getLogger(__name__)

# Anything else in the folder is not a checkpoint: what is being written or removed starts with a dot.
_NAME = re.compile(r"step-(\d{6,})")
_ASIDE = ".aside-"

ModelWriter = Callable[[Any, Path], None]


def checkpoint_directory(checkpoints: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return checkpoints / f"step-{step:06d}"


def list_checkpoints(checkpoints: Path) -> list[Path]:
    """All checkpoints, intact or not, oldest first."""
    if not checkpoints.is_dir():
        return []
    found = [path for path in checkpoints.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=step_of)


def step_of(checkpoint: Path) -> int:
    """The step of a checkpoint's folder."""
    return int(checkpoint.name.removeprefix("step-"))


def point_to(checkpoints: Path, name: Literal["latest", "best"], target: Path) -> None:
    """Make `checkpoints/NAME` a link to a checkpoint, in one move.

    A file system without links goes without.
    """
    aside = _aside(checkpoints)
    try:
        aside.symlink_to(target.name, target_is_directory=True)
        os.replace(aside, checkpoints / name)
    except OSError as error:
        log.debug("No link %s to %s: %s", name, target, error)
        aside.unlink(missing_ok=True)


def write_checkpoint(checkpoints: Path, state: TrainingState, save_generator: ModelWriter | None = None) -> Path:
    """Write the state of a training as it is; arguments, result and errors as of `write_snapshot`."""
    return write_snapshot(checkpoints, view(state), save_generator)


def write_snapshot(checkpoints: Path, snapshot: Snapshot, save_generator: ModelWriter | None = None) -> Path:
    """Write a checkpoint; returns its folder.

    A reader, or a crash at any moment, finds either all of it or nothing.

    Args:
        checkpoints: folder of all checkpoints; made if missing.
        snapshot: what to write; with its model, if there is a writer for it.
        save_generator: writes the generator as a model of its own into a new folder; it must put parameters and
            buffers into `generator.safetensors` there, by name, and draw no random numbers.
    Raises:
        TrainingError: it cannot be written; what was there before is still there.
    """
    target = checkpoint_directory(checkpoints, snapshot.step)
    aside: Path | None = None
    try:
        checkpoints.mkdir(parents=True, exist_ok=True)
        aside = _aside(checkpoints)
        aside.mkdir()
        _write_files(aside, snapshot, save_generator)
        write_manifest(aside)
        _sync(aside)
        if target.exists():  # a damaged one, which the training was resumed before
            _remove(target)
        os.rename(aside, target)
        _sync_one(checkpoints)
    except (OSError, SafetensorError, RpganifyError) as error:
        raise TrainingError(_cannot_write(target, error)) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
    return target


def read_checkpoint(directory: Path, state: TrainingState, rank: int = 0) -> None:
    """Put networks, optimizers, random generators and numbers where they were; the checkpoint must be intact.

    Args:
        rank: of this process.
    Raises:
        TrainingError: it belongs to other networks, or another version of rpganify wrote it.
    """
    try:
        restore(_read(directory, state), state, rank)
    except ValueError as error:
        raise TrainingError(
            f"{directory} holds other networks than the ones to train: {error} "
            "Resume with the model and discriminator that the training was started with, or start a new run."
        ) from error
    except (KeyError, TypeError, IndexError) as error:
        raise TrainingError(
            f"{directory} was written by another version of rpganify ({error!r} in state.json). Go on with that one, or "
            "start a new run from its model."
        ) from error


def _read(directory: Path, state: TrainingState) -> Snapshot:
    networks = {}
    for name in ("generator", "ema", "discriminator"):
        model = directory / f"{name}.rpgan" / "generator.safetensors"
        file = model if model.exists() else directory / f"{name}.safetensors"
        if file.exists():
            networks[name] = load_file(file)
    numbers = json.loads((directory / "state.json").read_text(encoding="utf-8"))
    return Snapshot(step_of(directory), {}, networks, load_file(directory / "optimizers.safetensors"), numbers)


def newest_intact(checkpoints: Path) -> Path | None:
    """The newest checkpoint whose files all have their checksums; None if there is none.

    Each damaged one that is passed over is named in a log warning.
    """
    for directory in reversed(list_checkpoints(checkpoints)):
        damage = find_damage(directory)
        if damage is None:
            return directory
        log.warning("The checkpoint %s is damaged (%s), so the one before it is used.", directory, damage)
    return None


def keep_newest(checkpoints: Path, count: int, spared: Collection[int] = ()) -> None:
    """Remove all but the `count` newest checkpoints, and those of the `spared` steps."""
    for directory in list_checkpoints(checkpoints)[:-count]:
        if step_of(directory) not in spared:
            _remove(directory)


def remove_later(checkpoints: Path, step: int) -> None:
    """Remove checkpoints of later steps than one that has just been written.

    They are damaged, or the training would have gone on from them; among the newest they would take the place of good ones.
    """
    for directory in list_checkpoints(checkpoints):
        if step_of(directory) > step:
            log.info("%s is removed: it is damaged, and the training has gone on without it.", directory)
            _remove(directory)


def remove_leftovers(checkpoints: Path) -> None:
    """Remove what a killed process left half written or half removed."""
    for path in checkpoints.glob(f"{_ASIDE}*") if checkpoints.is_dir() else ():
        if path.is_symlink():
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _write_files(directory: Path, snapshot: Snapshot, save_generator: ModelWriter | None) -> None:
    for name, tensors in snapshot.networks.items():
        if save_generator is not None and name in snapshot.models:
            save_generator(snapshot.models[name], directory / f"{name}.rpgan")
        else:
            save_file(_plain(tensors), directory / f"{name}.safetensors")
    save_file(_plain(snapshot.optimizers), directory / "optimizers.safetensors")
    (directory / "state.json").write_text(json.dumps(snapshot.numbers), encoding="utf-8")


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as safetensors takes them: contiguous, and no two in the same memory."""
    seen: set[int] = set()
    plain: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        contiguous = tensor.detach().contiguous()
        address = contiguous.untyped_storage().data_ptr()
        plain[name] = contiguous.clone() if address in seen else contiguous
        seen.add(address)
    return plain


def _sync(directory: Path) -> None:
    """Wait until a folder and everything in it is on the disk."""
    for path in directory.rglob("*"):
        _sync_one(path)
    _sync_one(directory)


def _sync_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _aside(checkpoints: Path) -> Path:
    return checkpoints / f"{_ASIDE}{uuid.uuid4().hex}"


def _remove(directory: Path) -> None:
    """Remove a checkpoint: renamed first, so that half of one never looks like one."""
    aside = _aside(directory.parent)
    os.rename(directory, aside)
    shutil.rmtree(aside, ignore_errors=True)


def _cannot_write(target: Path, error: Exception) -> str:
    kept = newest_intact(target.parent)
    # The model writer wraps what the system said into advice of its own, which would repeat ours.
    reason = error.__cause__ if isinstance(error.__cause__, OSError | SafetensorError) else error
    rest = f"{kept.name} is intact" if kept else "no earlier checkpoint was there"
    return (
        f"The checkpoint {target} cannot be written: {str(reason).rstrip('.')}. Nothing that was on the disk is lost "
        f"({rest}). "
        "Make room or mend the folder, then go on with --resume."
    )
