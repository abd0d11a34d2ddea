"""Every image in a zip file, which is not unpacked."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rpganify.data.images import ImageData
from rpganify.data.streamed import SUFFIXES, classes_by_folder, is_image_name, open_streamed
from rpganify.errors import DataError

_IS_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class ZipFiles:
    """Image files in a zip file, read by many threads through one handle.

    Args:
        path: the zip file.
        names: the files in it.
    """

    path: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def content(self, index: int) -> bytes:
        """What the file holds, unpacked; its checksum is right."""
        try:
            return _opened(self.path).read(self.names[index])
        except (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise DataError(
                f"{self.where(index)} cannot be unpacked: {error}. Fetch the zip file again, or unpack it yourself and "
                "name the folder: `folder:DIR`."
            ) from error

    def where(self, index: int) -> str:
        """The zip file and the file in it."""
        return f"{self.path}, file {self.names[index]}"


def open_zip(*, root: Path | None = None, argument: str | None = None) -> ImageData:
    """Every jpg, png, webp and bmp in a zip file, sorted by path; hidden files are not images.

    If every image lies in a folder, the folders are the classes; one that holds everything else does not count, as zip
    files often have one. Sizes and colours: `streamed.open_streamed`.

    Args:
        root: what a relative FILE is relative to; the working directory if left out.
        argument: FILE of `zip:FILE`.
    Raises:
        DataError: no such file, no zip file, an encrypted one, no image in it, or one that cannot be read.
    """
    if argument is None:
        raise DataError("zip needs to know which: write `zip:FILE.zip`.")
    path = (root or Path()) / argument
    if not path.is_file():
        raise DataError(f"There is no file {path}. Write `zip:FILE.zip` with a zip file that holds images.")
    infos = {info.filename: info for info in _opened(path).infolist() if not info.is_dir()}
    names = sorted(name for name in infos if is_image_name(name))
    if not names:
        raise DataError(f"There is no image in {path}: files that end in {', '.join(SUFFIXES)} are looked for.")
    if any(infos[name].flag_bits & _IS_ENCRYPTED for name in names):
        raise DataError(f"{path} is encrypted. Unpack it, and name the folder: `folder:DIR`.")
    labels, class_names = classes_by_folder(_without_wrapping(names))
    return open_streamed(f"zip:{path}", ZipFiles(path, tuple(names)), labels, class_names)


def _without_wrapping(names: list[str]) -> list[str]:
    """The names without the folders that all of them lie in."""
    while len({name.partition("/")[0] for name in names}) == 1 and all("/" in name for name in names):
        names = [name.partition("/")[2] for name in names]
    return names


@cache
def _opened(path: Path) -> zipfile.ZipFile:
    """The open zip file, one per process: reading its directory takes seconds for a million files."""
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no zip file, or damaged: {error}. Fetch it again.") from error
