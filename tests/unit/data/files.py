"""Writes small data sets in the published formats."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def idx_bytes(array: Bytes) -> bytes:
    """The IDX form of an array of unsigned bytes."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


def write_mnist(folder: Path, num: int = 20, prefix: str = "train", is_packed: bool = True) -> tuple[Bytes, Bytes]:
    """`num` noise images with labels 0, 1, … 9, 0, …; the images `(num, 28, 28)` and the labels."""
    images = np.random.default_rng(0).integers(0, 256, (num, 28, 28)).astype(np.uint8)
    labels = (np.arange(num) % 10).astype(np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    for stem, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
        content = idx_bytes(array)
        if is_packed:
            (folder / f"{prefix}-{stem}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / f"{prefix}-{stem}").write_bytes(content)
    return images, labels


def write_cifar10(folder: Path, num_per_file: int = 4) -> tuple[Bytes, list[int]]:
    """Five training files and a test file of noise; the training images `(N, 3072)` and labels."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = [], []
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        data = rng.integers(0, 256, (num_per_file, 3072)).astype(np.uint8)
        numbers = [int(n) for n in rng.integers(0, 10, num_per_file)]
        (folder / name).write_bytes(pickle.dumps({b"data": data, b"labels": numbers}, protocol=2))
        if name != "test_batch":
            images.append(data)
            labels += numbers
    return np.concatenate(images), labels
