"""The folder of a training: where its parts lie, and the record of what is trained with which settings.

config.json   settings and facts; metrics.jsonl   a line per step; quality.jsonl, events.jsonl   a line each;
samples/   grids; checkpoints/
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from rpganify.errors import TrainingError, closest
from rpganify.training.config import TrainConfig
from rpganify.training.networks import ImageGenerator, network_tensors
from rpganify.training.saving.checkpoint import list_checkpoints

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None

log = logging.getLogger(__name__)

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Paths within a run's folder."""

    path: Path

    @property
    def config(self) -> Path:
        """The record that `write_record` makes."""
        return self.path / "config.json"

    @property
    def metrics(self) -> Path:
        """One JSON line per step."""
        return self.path / "metrics.jsonl"

    @property
    def events(self) -> Path:
        """One JSON line per alarm and rollback."""
        return self.path / "events.jsonl"

    @property
    def quality(self) -> Path:
        """One JSON line per measurement of quality."""
        return self.path / "quality.jsonl"

    @property
    def samples(self) -> Path:
        """Grids, `step-000500.png`."""
        return self.path / "samples"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints, `step-000500/`."""
        return self.path / "checkpoints"

    @property
    def is_used(self) -> bool:
        """Whether there is a training here that could be lost: one that has written a checkpoint."""
        return bool(list_checkpoints(self.checkpoints))


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What `config.json` holds.

    Args:
        config: the settings.
        facts: what is trained, by name: data set, shapes of the networks. A resumed training must have the same.
        provenance: how the user named things, versions and the like; free text, never compared.
    """

    config: TrainConfig
    facts: Mapping[str, str]
    provenance: Mapping[str, str]

    def differences(self, other: RunRecord) -> dict[str, str]:
        """What makes `other` another training than this one, each as `this -> other`, by name."""
        names = sorted(set(self.facts) | set(other.facts))
        return self.config.differences(other.config) | {
            name: f"{self.facts.get(name)} -> {other.facts.get(name)}"
            for name in names
            if self.facts.get(name) != other.facts.get(name)
        }


@contextmanager
def claimed(run: RunDirectory) -> Iterator[None]:
    """The run's folder for this process alone; made if missing. The system gives it free when the process ends, however.

    Where the system, or its file system, knows no such claims, nothing is claimed.

    Raises:
        TrainingError: another training is at work in it, or it cannot be made.
    """
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        handle = None if fcntl is None else os.open(run.path, os.O_RDONLY)
    except OSError as error:
        raise TrainingError(f"{run.path} cannot hold a training: {error}. Choose another folder.") from error
    try:
        _claim(run.path, handle)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _claim(path: Path, handle: int | None) -> None:
    if fcntl is None or handle is None:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TrainingError(
            f"Another training is at work in {path}. Wait for its end, stop it (Ctrl-C, or SIGTERM to its process), or "
            "choose another folder."
        ) from error
    except OSError as error:
        log.debug("%s cannot be claimed: %s", path, error)


def write_record(run: RunDirectory, record: RunRecord) -> None:
    """Write `config.json`, aside and renamed.

    Raises:
        TrainingError: the folder cannot be made or written.
    """
    content = {
        "format_version": FORMAT_VERSION,
        "settings": record.config.to_json(),
        "facts": dict(record.facts),
        "provenance": dict(record.provenance),
    }
    aside = run.config.with_suffix(".aside")
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        with aside.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, run.config)
    except OSError as error:
        raise TrainingError(f"{run.path} cannot hold a training: {error}. Choose another folder.") from error


def read_record(run: RunDirectory) -> RunRecord:
    """The record that `write_record` made.

    Raises:
        TrainingError: there is none, or it is damaged or of a newer version.
    """
    try:
        content: dict[str, Any] = json.loads(run.config.read_text(encoding="utf-8"))
        version = content["format_version"]
        if version > FORMAT_VERSION:
            raise TrainingError(f"{run.config} has format {version}, newer than {FORMAT_VERSION}. Update rpganify.")
        return RunRecord(TrainConfig.from_json(content["settings"]), content["facts"], content["provenance"])
    except FileNotFoundError as error:
        raise TrainingError(
            f"There is no training in {run.path}: it has no config.json. Start one without --resume."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, TrainingError):
            raise
        raise TrainingError(f"{run.config} cannot be read: {error!r}. Start a new run in another folder.") from error


def refuse_differences(run: RunDirectory, before: RunRecord, now: RunRecord, overrides: Collection[str] = ()) -> None:
    """Refuse what makes this another training than the run's, but for what may differ.

    Args:
        run: where it lies.
        before: its record.
        now: what is to go on with it.
        overrides: names of settings and facts that may differ.
    Raises:
        TrainingError: something else differs, or there is no such name.
    """
    known = [*now.config.to_json(), *now.facts]
    for name in sorted(overrides):
        if name not in known:
            raise TrainingError(
                f"There is no setting {name!r} to override.{closest(name, known)} There are: {', '.join(known)}."
            )
    differences = before.differences(now)
    if refused := sorted(differences.keys() - set(overrides)):
        listed = "; ".join(f"{name}: {differences[name]}" for name in refused)
        raise TrainingError(
            f"{run.path} was started with other settings: {listed}. Resume it with its own, allow a change by "
            f"--override {refused[0]!r}, or start a new run in another folder."
        )


def describe_network(network: ImageGenerator | nn.Module) -> str:
    """Class, size, and a checksum of tensor names, shapes and types: `MLP, 12 tensors, 4,096 values, 1f2e3d4c`."""
    tensors = network_tensors(network)
    listing = "".join(f"{name} {tuple(t.shape)} {t.dtype}\n" for name, t in tensors.items())
    checksum = hashlib.sha256(listing.encode()).hexdigest()[:8]
    num_values = sum(t.numel() for t in tensors.values())
    return f"{type(network).__name__}, {len(tensors)} tensors, {num_values:,} values, {checksum}"
