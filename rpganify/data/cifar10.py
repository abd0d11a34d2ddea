"""CIFAR-10, the published Python version."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rpganify.data.images import MemoryImages
from rpganify.data.restricted_pickle import load_plain
from rpganify.data.roots import check_split, require_root
from rpganify.errors import DataError

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_FILES = {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)}
_FOLDER = "cifar-10-batches-py"
_SHAPE = (3, 32, 32)


def open_cifar10(*, root: Path | None = None, argument: str | None = None) -> MemoryImages:
    """CIFAR-10: 50,000 (`train`, the default) or 10,000 (`test`) photographs, 32x32 RGB, ten classes.

    Args:
        root: the folder with `cifar-10-batches-py/`, or that folder; the extracted files.
        argument: `train` or `test`.
    Raises:
        DataError: a file is missing, truncated, damaged, or asks for more than arrays; the part is unknown.
    """
    split = check_split("cifar10", argument)
    root = require_root("cifar10", root, f"{_FOLDER}/")
    folder = root / _FOLDER if (root / _FOLDER).is_dir() else root
    missing = [file for file in _FILES[split] if not (folder / file).is_file()]
    if missing:
        raise DataError(
            f"cifar10 needs {', '.join(missing)}, not found in {folder}. Unpack cifar-10-python.tar.gz and point "
            f"--data-root at the folder that holds {_FOLDER}/; nothing is downloaded."
        )
    batches = [_read_batch(folder / file) for file in _FILES[split]]
    pixels = torch.cat([pixels for pixels, _ in batches])
    labels = torch.cat([labels for _, labels in batches])
    return MemoryImages("cifar10" if split == "train" else f"cifar10:{split}", pixels, labels, CIFAR10_CLASSES)


def _read_batch(path: Path) -> tuple[Tensor, Tensor]:
    """Pixels uint8 `(N, 3, 32, 32)` and labels int64 `(N,)` of one file."""
    content = load_plain(path)
    pixels = content.get(b"data") if isinstance(content, dict) else None
    labels = content.get(b"labels") if isinstance(content, dict) else None
    length = int(np.prod(_SHAPE))
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (length,):
        raise DataError(
            f"{path} holds no CIFAR-10 batch: 'data' should be uint8 (N, {length}) and is "
            f"{f'{pixels.dtype} {pixels.shape}' if isinstance(pixels, np.ndarray) else type(pixels).__name__}. "
            "Fetch it again."
        )
    if not isinstance(labels, list) or not all(isinstance(label, int) for label in labels):
        raise DataError(
            f"{path} holds no CIFAR-10 batch: 'labels' should be a list of whole numbers. "
            "CIFAR-100 has another form and is not read."
        )
    if len(labels) != len(pixels) or not all(0 <= label < len(CIFAR10_CLASSES) for label in labels):
        raise DataError(
            f"{path} is damaged: {len(pixels)} images and {len(labels)} labels, which must be as many and "
            f"from 0 to {len(CIFAR10_CLASSES) - 1}. Fetch it again."
        )
    return torch.from_numpy(np.array(pixels.reshape(-1, *_SHAPE))), torch.tensor(labels, dtype=torch.int64)
