"""Images in an LMDB folder, one entry each."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rpganify.data.images import ImageData
from rpganify.data.streamed import open_streamed
from rpganify.errors import DataError


@dataclass(frozen=True, slots=True)
class LmdbFiles:
    """Image files that are the entries of an LMDB folder.

    Args:
        folder: the LMDB folder.
        keys: one per image, sorted.
    """

    folder: Path
    keys: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def content(self, index: int) -> bytes:
        """The entry."""
        with environment(self.folder).begin() as transaction:
            content = transaction.get(self.keys[index])
        if content is None:
            raise DataError(f"{self.where(index)} is gone; the folder was changed while it was open. Start again.")
        return bytes(content)

    def where(self, index: int) -> str:
        """The folder and the key."""
        return f"{self.folder}, entry {self.keys[index].decode('ascii', 'replace')}"


def open_lmdb(*, root: Path | None = None, argument: str | None = None) -> ImageData:
    """Every entry of an LMDB folder, sorted by key, without labels; each is the content of a jpg, png, webp or bmp file.

    Needs the package `lmdb`. Sizes and colours: `streamed.open_streamed`.

    Args:
        root: what a relative DIR is relative to; the working directory if left out.
        argument: DIR of `lmdb:DIR`, the folder that holds `data.mdb`.
    Raises:
        DataError: `lmdb` not installed; no such folder, a damaged or empty one, or an entry that is no image.
    """
    if argument is None:
        raise DataError("lmdb needs to know which: write `lmdb:DIR`, the folder that holds data.mdb.")
    folder = (root or Path()) / argument
    if not (folder / "data.mdb").is_file():
        raise DataError(f"There is no {folder / 'data.mdb'}. Write `lmdb:DIR` with the folder that holds data.mdb.")
    return open_streamed(f"lmdb:{folder}", LmdbFiles(folder, all_keys(folder)))


def all_keys(folder: Path) -> tuple[bytes, ...]:
    """All keys of an LMDB folder, sorted.

    Raises:
        DataError: `lmdb` not installed, or the folder damaged or empty.
    """
    with environment(folder).begin() as transaction:
        keys = tuple(bytes(key) for key in transaction.cursor().iternext(keys=True, values=False))
    if not keys:
        raise DataError(f"{folder} holds no image. Fetch it again.")
    return keys


@functools.cache
def environment(folder: Path) -> Any:
    """The open LMDB folder; one per process and folder, as LMDB asks.

    Raises:
        DataError: `lmdb` not installed, or no LMDB folder.
    """
    try:
        import lmdb
    except ImportError as error:
        raise DataError(f"{folder} is stored in LMDB, and the package is not installed: `pip install lmdb`.") from error
    try:
        return lmdb.open(str(folder), readonly=True, lock=False, readahead=False, meminit=False)
    except lmdb.Error as error:
        raise DataError(f"{folder} is no LMDB folder, or damaged: {error}. Fetch it again.") from error
