"""MNIST, Fashion-MNIST and coloured MNIST."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from rpganify.data.idx import find_idx, read_idx
from rpganify.data.images import MemoryImages
from rpganify.data.roots import check_split, require_root
from rpganify.errors import DataError

_DIGITS = tuple("0123456789")
_GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_PREFIX = {"train": "train", "test": "t10k"}
_COLOUR_SEED = 0


def open_mnist(*, root: Path | None = None, argument: str | None = None) -> MemoryImages:
    """MNIST: 60,000 (`train`, the default) or 10,000 (`test`) digits, 28x28 grey.

    Args:
        root: the folder with `MNIST/raw/`, or that folder; the official files, gzipped or unpacked.
        argument: `train` or `test`.
    Raises:
        DataError: a file is missing, truncated or damaged; the part is unknown.
    """
    return _open("mnist", "MNIST", "FashionMNIST", _DIGITS, root, argument)


def open_fashion_mnist(*, root: Path | None = None, argument: str | None = None) -> MemoryImages:
    """Fashion-MNIST: 60,000 (`train`, the default) or 10,000 (`test`) garments, 28x28 grey.

    Args:
        root: the folder with `FashionMNIST/raw/`, or that folder. Its files are called as MNIST's are, so a
            folder under one called `MNIST` is not taken for it.
        argument: `train` or `test`.
    Raises:
        DataError: a file is missing, truncated or damaged; the part is unknown.
    """
    return _open("fashion-mnist", "FashionMNIST", "MNIST", _GARMENTS, root, argument)


def open_coloured_mnist(*, root: Path | None = None, argument: str | None = None) -> MemoryImages:
    """MNIST with each digit in a random colour of its own, on black, 28x28 RGB.

    The paper says "randomly colored" and no more. Ours: per image three numbers uniform in [0, 1), divided by their
    largest so that no digit is dark; pixel = grey level times colour. The colours depend on the part and the image's
    position in it alone, so a filter does not change them.

    Args:
        root: as for MNIST.
        argument: `train` or `test`.
    Raises:
        DataError: a file is missing, truncated or damaged; the part is unknown.
    Source: RPGAN, figure 8 and appendix B.
    """
    grey = _open("coloured-mnist", "MNIST", "FashionMNIST", _DIGITS, root, argument)
    colours = random_colours(len(grey), seed=_COLOUR_SEED)  # (N, 3)
    pixels = torch.empty(len(grey), 3, *grey.image_shape[1:], dtype=torch.uint8)
    for start in range(0, len(grey), 4096):  # float copies of a slice at a time
        part = slice(start, start + 4096)
        pixels[part] = (grey.pixels[part] * colours[part, :, None, None]).round_().to(torch.uint8)
    return MemoryImages(grey.name, pixels, grey.labels, grey.class_names)


def random_colours(num_colours: int, seed: int) -> Tensor:
    """Bright colours, float32 `(num_colours, 3)` in [0, 1], the largest channel of each exactly 1."""
    colours = torch.rand(num_colours, 3, generator=torch.Generator().manual_seed(seed))
    largest, channel = colours.max(dim=1, keepdim=True)
    return (colours / largest.clamp_min(torch.finfo(torch.float32).tiny)).scatter_(1, channel, 1.0)


def _open(
    name: str, folder: str, foreign: str, class_names: tuple[str, ...], root: Path | None, argument: str | None
) -> MemoryImages:
    split = check_split(name, argument)
    root = require_root(name, root, f"{folder}/raw/")
    places = (root / folder / "raw", root / folder, root / "raw", root)
    folders = tuple(
        place for place in places if folder in place.resolve().parts or foreign not in place.resolve().parts
    )
    stems = f"{_PREFIX[split]}-images-idx3-ubyte", f"{_PREFIX[split]}-labels-idx1-ubyte"
    paths = [find_idx(folders, stem) for stem in stems]
    for path, stem in zip(paths, stems, strict=True):
        if path is None:
            raise DataError(
                f"{name} needs {stem} or {stem}.gz, and neither is in {' or '.join(map(str, folders)) or root}. "
                f"Point --data-root at the folder that holds {folder}/raw/; nothing is downloaded."
            )
    image_path, label_path = (path for path in paths if path is not None)
    pixels, labels = read_idx(image_path, 3), read_idx(label_path, 1).to(torch.int64)
    if len(pixels) != len(labels):
        raise DataError(
            f"{image_path} holds {len(pixels):,} images and {label_path} {len(labels):,} labels; "
            "they do not belong together. Fetch both again."
        )
    spec = name if split == "train" else f"{name}:{split}"
    return MemoryImages(spec, pixels[:, None], labels, class_names)
