"""Images that stay encoded where they are stored, and are decoded when they are drawn."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rpganify.data.images import ImageData, check_labels
from rpganify.data.keeping import keep_in_memory
from rpganify.data.pictures import Header, decode, read_header
from rpganify.data.progress import tracked

# Of larger sets so many headers are looked at, evenly spread: a million files would take minutes, at every start.
MAX_HEADERS = 20_000
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_num_threads = min(16, os.cpu_count() or 1)


class ImageFiles(Protocol):
    """Encoded images by index; asked by several threads at once."""

    def __len__(self) -> int:
        """How many there are."""

    def content(self, index: int) -> Path | bytes:
        """The file of an image, or what would be in it.

        Raises:
            DataError: it is gone or damaged.
        """

    def where(self, index: int) -> str:
        """How messages call it."""


@dataclass(frozen=True, slots=True, eq=False)
class StreamedImages:
    """Images that stay in their files and are decoded when drawn.

    Args:
        name: as the user would write it.
        files: where they are.
        image_shape: `(C, H, W)` that each is brought to.
        labels: int64 `(N,)`, or None.
        class_names: one per label.
        note: what is done to the images on reading.
    """

    name: str
    files: ImageFiles
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
        """The images at int64 `(B,)` indices: uint8 `(B, C, H, W)`; decoded by threads that the process keeps.

        Raises:
            DataError: a file is gone, truncated or damaged.
        """
        # Filled through NumPy: a copy of torch's would start a team of OpenMP threads in each of these threads.
        pixels = np.empty((len(indices), *self.image_shape), np.uint8)
        for _ in _decoders().map(partial(self._fill, pixels), range(len(indices)), indices.tolist()):
            pass
        return torch.from_numpy(pixels)

    def resized(self, image_shape: tuple[int, int, int]) -> StreamedImages:
        """The same images brought to another shape as they are decoded: one resampling, from the file's own size."""
        return replace(self, image_shape=image_shape)

    def _fill(self, pixels: NDArray[np.uint8], row: int, index: int) -> None:
        pixels[row] = decode(self.files.content(index), self.files.where(index), *self.image_shape)


def open_streamed(
    name: str,
    files: ImageFiles,
    labels: Tensor | None = None,
    class_names: tuple[str, ...] = (),
    *,
    note: str = "",
) -> ImageData:
    """Encoded images as a data set of one shape: kept decoded in memory where they fit, else decoded when drawn.

    Grey if all of them are, else RGB. Images of different sizes are brought to the most common one (the smallest of those
    equally common), resized until they cover it and cropped around the centre; the data set's `note` says so. Of more
    than 20,000 images, as many headers decide.

    Args:
        name: as the user would write it.
        files: at least one.
        labels: int64 `(N,)`, or None.
        class_names: one per label.
        note: what was done before, as sentences for the user.
    Raises:
        DataError: an image cannot be read.
    """
    num_headers = min(len(files), MAX_HEADERS)
    looked_at = [place * len(files) // num_headers for place in range(num_headers)]
    headers = tracked(
        _decoders().map(lambda index: read_header(files.content(index), files.where(index)), looked_at),
        f"reading headers of {name}",
        num_headers,
    )
    shape, done = _common_shape(list(headers), len(files))
    return keep_in_memory(StreamedImages(name, files, shape, labels, class_names, f"{note} {done}".strip()))


def is_image_name(name: str) -> bool:
    """Whether a file of that path, `/` between its parts, is an image that is not hidden."""
    parts = name.split("/")
    return parts[-1].lower().endswith(SUFFIXES) and not any(part.startswith((".", "__MACOSX")) for part in parts)


def classes_by_folder(names: Sequence[str]) -> tuple[Tensor | None, tuple[str, ...]]:
    """A label per path and the class names, if every path begins with a folder; else None and no names."""
    folders = [name.partition("/")[0] if "/" in name else None for name in names]
    class_names = sorted({folder for folder in folders if folder is not None})
    if None in folders or not class_names:
        return None, ()
    number = {class_name: label for label, class_name in enumerate(class_names)}
    return torch.tensor([number[str(folder)] for folder in folders], dtype=torch.int64), tuple(class_names)


def _common_shape(headers: Sequence[Header], num_images: int) -> tuple[tuple[int, int, int], str]:
    """`(C, H, W)` for all of them, and a note of what that does to some."""
    sizes = Counter((header.height, header.width) for header in headers)
    (height, width), num_fitting = min(sizes.items(), key=lambda item: (-item[1], item[0][0] * item[0][1], item[0]))
    num_grey = sum(header.is_grey for header in headers)
    num_channels = 1 if num_grey == len(headers) else 3
    total = f"{len(headers):,}"
    notes = []
    if len(headers) < num_images:
        total += " evenly spread"
        notes.append(f"Sizes and colours are judged by {len(headers):,} of {num_images:,} images.")
    if len(sizes) > 1:
        notes.append(
            f"{len(headers) - num_fitting:,} of {total} images have another size than the most common, "
            f"{height}x{width} (height x width): resized and cropped to it around their centre."
        )
    if num_channels == 3 and num_grey:
        notes.append(f"{num_grey:,} of {total} images are grey: repeated to RGB.")
    num_transparent = sum(header.has_alpha for header in headers)
    if num_transparent:
        notes.append(f"{num_transparent:,} of {total} images may be transparent: laid over white.")
    return (num_channels, height, width), " ".join(notes)


@cache
def _decoders() -> ThreadPoolExecutor:
    """The threads of this process that read and decode images. Pillow lets others run while it decodes or resizes."""
    return ThreadPoolExecutor(_num_threads, thread_name_prefix="decoder")


def decode_in_one_thread() -> None:
    """From now on one image at a time is decoded by this process, as one of several that do so."""
    global _num_threads
    _num_threads = 1
    _decoders.cache_clear()


# A forked process has none of its parent's threads, and would wait for them for ever.
os.register_at_fork(after_in_child=_decoders.cache_clear)
