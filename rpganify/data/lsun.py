"""One category of LSUN, read from its LMDB folder."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rpganify.data.pictures import decode
from rpganify.data.roots import require_root
from rpganify.errors import DataError

# LSUN's images have a shorter side of 256 pixels.
_SHAPE = (3, 256, 256)
_NUM_THREADS = 8


@dataclass(frozen=True, slots=True, eq=False)
class LsunImages:
    """Images in an LMDB folder, decoded when drawn, their centre cropped to 256x256.

    Args:
        name: as the user would write it.
        folder: the LMDB folder.
        keys: one per image, sorted.
    """

    name: str
    folder: Path
    keys: tuple[bytes, ...]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(3, 256, 256)`."""
        return _SHAPE

    @property
    def class_names(self) -> tuple[str, ...]:
        """None: a category is one class."""
        return ()

    @property
    def num_classes(self) -> int | None:
        """None: a category is one class."""
        return None

    @property
    def labels(self) -> Tensor | None:
        """None: a category is one class."""
        return None

    @property
    def note(self) -> str:
        """That the images are cropped."""
        return f"LSUN's images are cropped around their centre to {_SHAPE[1]}x{_SHAPE[2]}."

    def __len__(self) -> int:
        return len(self.keys)

    def images(self, indices: Tensor) -> Tensor:
        """The images at int64 `(B,)` indices: uint8 `(B, 3, 256, 256)`.

        Raises:
            DataError: an entry is gone or damaged.
        """
        keys = [self.keys[index] for index in indices.tolist()]
        with _environment(self.folder).begin() as transaction:
            contents = [transaction.get(key) for key in keys]
        with ThreadPoolExecutor(_NUM_THREADS) as pool:
            return torch.stack(list(pool.map(self._decoded, keys, contents)))

    def _decoded(self, key: bytes, content: bytes | None) -> Tensor:
        name = f"{self.folder}, entry {key.decode('ascii', 'replace')}"
        if content is None:
            raise DataError(f"{name} is gone; the folder was changed while it was open. Start again.")
        return decode(content, name, *_SHAPE)


def open_lsun(*, root: Path | None = None, argument: str | None = None) -> LsunImages:
    """One LSUN category, 256x256 RGB, without labels; needs the package `lmdb`.

    Args:
        root: the folder with `bedroom_train_lmdb/` and the like.
        argument: the category, e.g. `bedroom`; `bedroom_val` for the validation part.
    Raises:
        DataError: no category given, `lmdb` not installed, or the folder missing, damaged or empty.
    """
    if not argument:
        raise DataError("lsun needs a category: write `lsun:bedroom`, or `lsun:bedroom_val` for its validation part.")
    stem = argument if argument.endswith(("_train", "_val")) else f"{argument}_train"
    root = require_root("lsun", root, f"{stem}_lmdb/")
    places = (root / f"{stem}_lmdb", root / "lsun" / f"{stem}_lmdb")
    folder = next((place for place in places if (place / "data.mdb").is_file()), None)
    if folder is None:
        raise DataError(
            f"lsun:{argument} needs {stem}_lmdb/data.mdb, found in neither {places[0]} nor {places[1]}. Unpack "
            f"{stem}_lmdb.zip and point --data-root at the folder that holds it; nothing is downloaded."
        )
    environment = _environment(folder)
    with environment.begin() as transaction:
        keys = tuple(bytes(key) for key in transaction.cursor().iternext(keys=True, values=False))
    if not keys:
        raise DataError(f"{folder} holds no image. Fetch it again.")
    return LsunImages(f"lsun:{argument}", folder, keys)


@functools.cache
def _environment(folder: Path) -> Any:
    """The open LMDB folder; one per process and folder, as LMDB asks."""
    try:
        import lmdb
    except ImportError as error:
        raise DataError("LSUN is stored in LMDB, and the package is not installed: `pip install lmdb`.") from error
    try:
        return lmdb.open(str(folder), readonly=True, lock=False, readahead=False, meminit=False)
    except lmdb.Error as error:
        raise DataError(f"{folder} is no LMDB folder, or damaged: {error}. Fetch it again.") from error
