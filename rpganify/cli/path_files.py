"""Files of paths: what `rpganify sample --json` and `rpganify invert --json` print, arrays, and lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rpganify.errors import PathError
from rpganify.paths import PathSpace

_KINDS = (
    "It may be what `rpganify sample --json` or `rpganify invert --json` printed, a .npy of whole numbers (N, buckets), a JSON "
    "list of paths, or a text of one path per line."
)


def read_paths(file: Path, space: PathSpace) -> Tensor:
    """The paths in a file, checked: int64 `(N, num_buckets)`.

    Args:
        file: `.npy`, `.json`, or text with one path per line.
        space: that they are from.
    Raises:
        PathError: it cannot be read, is something else, or a path is none of the space.
    """
    try:
        if file.suffix.lower() == ".npy":
            return space.check(_from_array(file, np.load(file, allow_pickle=False)))
        text = file.read_text(encoding="utf-8")
        found: Any = json.loads(text) if file.suffix.lower() == ".json" else text.split()
    except OSError as error:
        raise PathError(f"The paths {file} cannot be read: {error.strerror or error}.") from error
    except (ValueError, EOFError) as error:
        if isinstance(error, PathError):
            raise
        raise PathError(f"{file} holds no paths: {error}. {_KINDS}") from error
    listed = _listed(found)
    if listed is None:
        raise PathError(f"{file} holds no paths. {_KINDS}")
    if not listed:
        return torch.empty((0, space.num_buckets), dtype=torch.int64)
    return torch.stack([_one(path, space, file) for path in listed])


def _from_array(file: Path, values: np.ndarray) -> Tensor:
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.integer):
        raise PathError(
            f"{file} holds {values.dtype} {values.shape}, and paths are whole numbers (N, buckets). {_KINDS}"
        )
    return torch.from_numpy(values.astype(np.int64))


def _listed(found: Any) -> list[Any] | None:
    """The paths in what was read, still texts or lists; None if there is no such list."""
    if isinstance(found, dict):
        if isinstance(found.get("images"), list):
            rows = found["images"]
            return [row["path"] for row in rows] if all(isinstance(r, dict) and "path" in r for r in rows) else None
        found = found.get("paths")
    return found if isinstance(found, list) else None


def _one(path: Any, space: PathSpace, file: Path) -> Tensor:
    if isinstance(path, str):
        return space.parse(path)
    if (
        isinstance(path, list)
        and path
        and all(isinstance(block, int) and not isinstance(block, bool) for block in path)
    ):
        return space.check(torch.tensor([path]))[0]
    raise PathError(f"{file} has {path!r} among its paths, which is none. {_KINDS}")
