"""The manifest of a folder: size and SHA-256 of each of its files, so that damage is seen and named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
FORMAT_VERSION = 1


def write_manifest(directory: Path) -> None:
    """Write the manifest of all files that are in the folder now."""
    (directory / MANIFEST).write_bytes(_render(_describe(directory)))


def find_damage(directory: Path, under: str = "") -> str | None:
    """What is wrong with the files of a folder that has a manifest, as a phrase that names the file; None if nothing is.

    Args:
        under: look only at the files in this folder of it, `""` for all.
    """
    try:
        raw = (directory / MANIFEST).read_bytes()
        files = json.loads(raw)["files"]
        # Compared as bytes: a manifest that was changed in any way is none of ours.
        if raw != _render(files):
            return f"{MANIFEST} does not have its checksum"
        for name, expected in files.items():
            if under and not name.startswith(f"{under}/"):
                continue
            content = directory / name
            if not content.is_file():
                return f"{name} is missing"
            if content.stat().st_size != expected["bytes"]:
                return f"{name} has {content.stat().st_size} bytes, not {expected['bytes']}"
            if _sha256(content) != expected["sha256"]:
                return f"{name} does not have its checksum"
    except FileNotFoundError:
        return f"{MANIFEST} is missing"
    except OSError as error:
        return str(error)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{MANIFEST} is damaged ({error})"
    return None


def _describe(directory: Path) -> dict[str, dict[str, Any]]:
    """Size and checksum of every file in a folder, by its path there."""
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != MANIFEST)
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
