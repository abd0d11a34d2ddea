"""Checkpoints on disk: written aside, fsynced and renamed; every file's checksum in a manifest; no pickle.

checkpoints/step-000500/
  generator.rpgan/            a converted model as any other (or generator.safetensors, without a model writer)
  discriminator.safetensors
  optimizers.safetensors
  state.json                  step, data position, random states
  manifest.json               size and SHA-256 of each file above, and its own checksum
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rpganify.errors import RpganifyError, TrainingError
from rpganify.training.snapshot import Snapshot, view
from rpganify.training.state import TrainingState, fill_network

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
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
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


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
        (aside / "manifest.json").write_bytes(_render(_describe(aside)))
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


def read_checkpoint(directory: Path, state: TrainingState) -> None:
    """Put networks, optimizers, random generators and position where they were; the checkpoint must be intact.

    Raises:
        TrainingError: it belongs to other networks.
    """
    model = directory / "generator.rpgan" / "generator.safetensors"
    generator = load_file(model if model.exists() else directory / "generator.safetensors")
    try:
        fill_network(state.generator, generator)
        fill_network(state.discriminator, load_file(directory / "discriminator.safetensors"))
        state.restore_optimizers(load_file(directory / "optimizers.safetensors"))
    except ValueError as error:
        raise TrainingError(
            f"{directory} holds other networks than the ones to train: {error} "
            "Resume with the model and discriminator that the training was started with, or start a new run."
        ) from error
    state.restore_json(json.loads((directory / "state.json").read_text(encoding="utf-8")))


def find_damage(directory: Path) -> str | None:
    """What is wrong with a checkpoint's files, as a phrase that names the file; None if it is intact."""
    try:
        raw = (directory / "manifest.json").read_bytes()
        manifest = json.loads(raw)
        files = manifest["files"]
        # Compared as bytes: a manifest that was changed in any way is none of ours.
        if raw != _render(files):
            return "manifest.json does not have its checksum"
        for name, expected in files.items():
            content = directory / name
            if not content.is_file():
                return f"{name} is missing"
            if content.stat().st_size != expected["bytes"]:
                return f"{name} has {content.stat().st_size} bytes, not {expected['bytes']}"
            if _sha256(content) != expected["sha256"]:
                return f"{name} does not have its checksum"
    except FileNotFoundError:
        return "manifest.json is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"manifest.json is damaged ({error})" if not isinstance(error, OSError) else str(error)
    return None


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


def keep_newest(checkpoints: Path, count: int) -> None:
    """Remove all but the `count` newest checkpoints."""
    for directory in list_checkpoints(checkpoints)[:-count]:
        _remove(directory)


def remove_leftovers(checkpoints: Path) -> None:
    """Remove what a killed process left half written or half removed."""
    for path in checkpoints.glob(f"{_ASIDE}*") if checkpoints.is_dir() else ():
        shutil.rmtree(path, ignore_errors=True)


def _write_files(directory: Path, snapshot: Snapshot, save_generator: ModelWriter | None) -> None:
    if save_generator is None:
        save_file(_plain(snapshot.generator), directory / "generator.safetensors")
    else:
        save_generator(snapshot.model, directory / "generator.rpgan")
    save_file(_plain(snapshot.discriminator), directory / "discriminator.safetensors")
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


def _describe(directory: Path) -> dict[str, dict[str, Any]]:
    """Size and checksum of every file in a folder, by its path there."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {
        path.relative_to(directory).as_posix(): {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in files
    }


def _render(files: Mapping[str, Any]) -> bytes:
    """The manifest's only valid bytes for these files."""
    listing = json.dumps(files, sort_keys=True)
    checksum = hashlib.sha256(listing.encode()).hexdigest()
    content = {"format_version": FORMAT_VERSION, "files": files, "sha256": checksum}
    return json.dumps(content, indent=1, sort_keys=True).encode()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
