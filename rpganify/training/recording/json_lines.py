"""A file of JSON lines that belong to steps, which a training goes on with after a crash, a stop or a rollback."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class JsonLines:
    """One JSON object per line, each with its `step`.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: io.FileIO | None = None

    def begin(self, step: int) -> None:
        """Open the file behind the lines of the steps up to `step`.

        Lines of later steps, which are done again, are dropped, and so is half a line that a crash left.
        """
        self.close()
        kept = [line for line, line_step in _lines(self._path) if line_step <= step]
        aside = self._path.with_name(f".{self._path.name}.writing")
        aside.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        os.replace(aside, self._path)
        # Not buffered: whoever follows the file sees each line as it is written, and what a full disk has refused is not
        # tried again when the file is closed.
        self._file = io.FileIO(self._path, "a")

    def append(self, record: Mapping[str, Any]) -> None:
        """Write a line; nothing before `begin` and after `close`.

        NaN and infinity, which JSON does not have, become the texts `nan`, `inf` and `-inf`; Python's `float` reads them.
        """
        if self._file is None:
            return
        try:
            line = json.dumps(record, allow_nan=False)
        except ValueError:
            line = json.dumps(_without_nan(record), allow_nan=False)
        rest = f"{line}\n".encode()
        while rest:  # a disk takes what there is room for, and refuses the next
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a file, half a line at its end left out; none if there is no file."""
    return [json.loads(line) for line, _ in _lines(path)]


def _lines(path: Path) -> list[tuple[str, int]]:
    """Whole lines and their steps."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = [(line, _step_of(line)) for line in lines]
    return [(line, step) for line, step in pairs if step is not None]


def _step_of(line: str) -> int | None:
    """The step of a line; None for half a line."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return None
    return step if isinstance(step, int) else None


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _without_nan(one) for key, one in value.items()}
    return value
