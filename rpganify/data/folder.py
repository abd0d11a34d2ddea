"""Every image under a folder."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rpganify.data.images import MEMORY_LIMIT_BYTES, MemoryImages, check_labels
from rpganify.data.pictures import Header, decode, read_header
from rpganify.errors import DataError

log = logging.getLogger(__name__)

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_NUM_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True, eq=False)
class FolderImages:
    """Images that stay in their files and are decoded when drawn.

    Args:
        name: as the user would write it.
        files: one per image.
        image_shape: `(C, H, W)` that each is brought to.
        labels: int64 `(N,)`, or None.
        class_names: one per label.
        note: what is done to the images on reading.
    """

    name: str
    files: tuple[Path, ...]
    image_shape: tuple[int, int, int]
    labels: Tensor | None = None
    class_names: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        check_labels(self.name, self.labels, len(self.files), self.class_names)

    @property
    def num_classes(self) -> int | None:
        """How many classes; None without labels."""
        return len(self.class_names) or None

    def __len__(self) -> int:
        return len(self.files)

    def images(self, indices: Tensor) -> Tensor:
        """The images at int64 `(B,)` indices: uint8 `(B, C, H, W)`.

        Raises:
            DataError: a file is gone, truncated or damaged.
        """
        pixels = torch.empty(len(indices), *self.image_shape, dtype=torch.uint8)

        def fill(row: int, index: int) -> None:
            pixels[row] = decode(self.files[index], self.files[index], *self.image_shape)

        with ThreadPoolExecutor(_NUM_THREADS) as pool:
            for _ in pool.map(fill, range(len(indices)), indices.tolist()):
                pass
        return pixels


def open_folder(*, root: Path | None = None, argument: str | None = None) -> MemoryImages | FolderImages:
    """Every jpg, png, webp and bmp under a folder, sorted by path; hidden files are not images.

    Grey if all of them are, else RGB. If every image lies in a subfolder, the subfolders of the first level are
    the classes; otherwise there are no labels. Images of different sizes are brought to the most common one (the
    smallest of those equally common), resized until they cover it and cropped around the centre; `note` says so.

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
    files = _image_files(folder)
    if not files:
        raise DataError(
            f"There is no image under {folder}: files that end in {', '.join(SUFFIXES)} are looked for, "
            "in subfolders too."
        )
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        headers = list(pool.map(read_header, files))
    shape, note = _common_shape(headers)
    labels, class_names = _classes(folder, files)
    lazy = FolderImages(f"folder:{folder}", files, shape, labels, class_names, note)
    num_bytes = len(files) * shape[0] * shape[1] * shape[2]
    if num_bytes > MEMORY_LIMIT_BYTES:
        log.info("%s: %s images are decoded as they are drawn", lazy.name, f"{len(files):,}")
        return lazy
    pixels = lazy.images(torch.arange(len(files)))
    return MemoryImages(lazy.name, pixels, labels, class_names, note)


def _image_files(folder: Path) -> tuple[Path, ...]:
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    return tuple(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))


def _common_shape(headers: Sequence[Header]) -> tuple[tuple[int, int, int], str]:
    """`(C, H, W)` for all of them, and a note of what that does to some."""
    sizes = Counter((header.height, header.width) for header in headers)
    (height, width), num_fitting = min(sizes.items(), key=lambda item: (-item[1], item[0][0] * item[0][1], item[0]))
    num_grey = sum(header.is_grey for header in headers)
    num_channels = 1 if num_grey == len(headers) else 3
    notes = []
    if len(sizes) > 1:
        notes.append(
            f"{len(headers) - num_fitting:,} of {len(headers):,} images have another size than the most common, "
            f"{height}x{width} (height x width): resized and cropped to it around their centre."
        )
    if num_channels == 3 and num_grey:
        notes.append(f"{num_grey:,} of {len(headers):,} images are grey: repeated to RGB.")
    num_transparent = sum(header.has_alpha for header in headers)
    if num_transparent:
        notes.append(f"{num_transparent:,} of {len(headers):,} images may be transparent: laid over white.")
    return (num_channels, height, width), " ".join(notes)


def _classes(folder: Path, files: Sequence[Path]) -> tuple[Tensor | None, tuple[str, ...]]:
    """A label per file and the class names, if every file lies in a subfolder."""
    parts = [path.relative_to(folder).parts for path in files]
    if any(len(part) == 1 for part in parts):
        return None, ()
    class_names = tuple(sorted({part[0] for part in parts}))
    number = {class_name: label for label, class_name in enumerate(class_names)}
    return torch.tensor([number[part[0]] for part in parts], dtype=torch.int64), class_names
