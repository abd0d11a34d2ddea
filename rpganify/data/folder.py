"""Every image under a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rpganify.data.images import ImageData
from rpganify.data.streamed import SUFFIXES, classes_by_folder, is_image_name, open_streamed
from rpganify.errors import DataError


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """Image files under a folder.

    Args:
        folder: they are all somewhere below it.
        names: their paths from there, `/` between the parts.
    """

    folder: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def content(self, index: int) -> Path:
        """The file."""
        return self.folder / self.names[index]

    def where(self, index: int) -> str:
        """The file's path."""
        return str(self.content(index))


def open_folder(*, root: Path | None = None, argument: str | None = None) -> ImageData:
    """Every jpg, png, webp and bmp under a folder, sorted by path; hidden files are not images.

    If every image lies in a subfolder, the subfolders of the first level are the classes; otherwise there are no
    labels. Sizes and colours: `streamed.open_streamed`.

    Args:
        root: what a relative DIR is relative to; the working directory if left out.
        argument: DIR of `folder:DIR`; the root itself if left out.
    Raises:
        DataError: no such folder, no image in it, or one that cannot be read.
    """
    if argument is None and root is None:
        raise DataError("folder needs to know which: write `folder:DIR`.")
    folder = (root or Path()) / (argument or "")
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}. Write `folder:DIR` with a folder that holds images.")
    names = sorted(
        name
        for path in folder.rglob("*")
        if is_image_name(name := path.relative_to(folder).as_posix()) and path.is_file()
    )
    if not names:
        raise DataError(
            f"There is no image under {folder}: files that end in {', '.join(SUFFIXES)} are looked for, "
            "in subfolders too."
        )
    return open_streamed(f"folder:{folder}", FolderFiles(folder, tuple(names)), *classes_by_folder(names))
