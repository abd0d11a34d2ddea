"""One category of LSUN, read from its LMDB folder."""

from __future__ import annotations

from pathlib import Path

from rpganify.data.lmdb_images import LmdbFiles, all_keys
from rpganify.data.roots import require_root
from rpganify.data.streamed import StreamedImages
from rpganify.errors import DataError

# LSUN's images have a shorter side of 256 pixels.
_SHAPE = (3, 256, 256)


def open_lsun(*, root: Path | None = None, argument: str | None = None) -> StreamedImages:
    """One LSUN category, 256x256 RGB, without labels, decoded when drawn; needs the package `lmdb`.

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
    note = f"LSUN's images are cropped around their centre to {_SHAPE[1]}x{_SHAPE[2]}."
    return StreamedImages(f"lsun:{argument}", LmdbFiles(folder, all_keys(folder)), _SHAPE, note=note)
