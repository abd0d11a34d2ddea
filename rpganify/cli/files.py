"""Files that commands read and write themselves: plans, and checks made before anything is done."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from rpganify.errors import ModelFileError, PlanError
from rpganify.plan import Plan


def source_name(origin: str) -> str:
    """A short name for what is made of a source: its file's, its module's last part, or the architecture's.

    Args:
        origin: as of a `Source`: `examples/my_gan.py`, `torchgan.models.dcgan`, `sngan32`.
    """
    return Path(origin).stem if origin.endswith(".py") else origin.rpartition(".")[2]


def check_is_free(target: Path, is_forced: bool) -> None:
    """Refuses to replace what is there, before any work is done.

    Raises:
        ModelFileError: it exists, and `--force` was not given.
    """
    if target.exists() and not is_forced:
        raise ModelFileError(f"{target} exists already. --force replaces it; -o or another name writes elsewhere.")


def read_plan(path: Path) -> Plan:
    """The plan that `--write-plan` wrote.

    Raises:
        PlanError: the file cannot be read or holds no plan.
    """
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"The plan {path} cannot be read: {error.strerror}. --write-plan FILE writes one.") from error
    except ValueError as error:
        raise PlanError(f"The plan {path} is no JSON: {error}. --write-plan FILE writes one.") from error
    return Plan.from_json(data)


def write_json(path: Path, data: Any) -> None:
    """Writes data aside and renames it, so that a failure leaves what was there; makes missing folders."""
    write_bytes(path, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file aside and renames it, so that a failure leaves what was there; makes missing folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.writing")
    try:
        aside.write_bytes(content)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
