"""Checks that the data sets share: is there a root, and which part is meant."""

from __future__ import annotations

from pathlib import Path

from rpganify.errors import DataError, closest

SPLITS = ("train", "test")


def require_root(name: str, root: Path | None, expected: str) -> Path:
    """The root, if it was given and is a folder.

    Args:
        name: the data set, for the message.
        root: what the user gave.
        expected: what lies in it.
    """
    if root is None:
        raise DataError(
            f"{name} is read from a folder that you have, and none was given. "
            f"Add `--data-root DIR`, the folder that holds {expected}; nothing is downloaded."
        )
    if not root.is_dir():
        raise DataError(
            f"The folder {root} does not exist, so {name} cannot be read from it. "
            f"Point --data-root at the folder that holds {expected}."
        )
    return root


def check_split(name: str, argument: str | None) -> str:
    """`train` (also where nothing is asked for) or `test`."""
    if argument is None:
        return "train"
    if argument not in SPLITS:
        raise DataError(
            f"{name} has the parts {' and '.join(SPLITS)}, not {argument!r}.{closest(argument, SPLITS)} "
            f"Write `{name}` or `{name}:test`."
        )
    return argument
