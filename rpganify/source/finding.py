"""Where the user's own modules lie."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

_MOST_PARENTS = 4


def roots_of(script: Path) -> list[Path]:
    """Where a script's absolute imports are looked up: above its package, then its own folder."""
    folder = script.parent
    top = folder
    while (top / "__init__.py").is_file() and top.parent != top:
        top = top.parent
    return [folder] if top == folder else [top, folder]


def folders_above(folder: Path) -> list[Path]:
    """Folders above, up to the checkout's own."""
    result: list[Path] = []
    for parent in [folder, *folder.parents][:_MOST_PARENTS]:
        result.append(parent)
        if (parent / ".git").exists() or parent == Path.home():
            break
    return result


def find_files(parts: list[str], folders: Iterable[Path]) -> list[Path] | None:
    """The files of a dotted name below one of the folders, one per part."""
    for folder in folders:
        result: list[Path] = []
        place = folder
        for part in parts:
            place = place / part
            init, file = place / "__init__.py", place.with_name(part + ".py")
            if init.is_file():
                result.append(init)
            elif file.is_file():
                result.append(file)
            elif place.is_dir() and any(place.glob("*.py")) | any(place.glob("*/*.py")):
                result.append(place)
            else:
                break
        if len(result) == len(parts):
            return result
    return None


def is_installed(name: str) -> bool:
    """Whether Python itself finds a module or a package with an `__init__.py` of that name."""
    if name in sys.modules:
        return True
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None
