"""Writes small data sets in the published formats."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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


def png(level: int, height: int = 8, width: int = 8, mode: str = "RGB") -> bytes:
    """A flat picture of one grey level."""
    buffer = io.BytesIO()
    Image.new("L", (width, height), level).convert(mode).save(buffer, "png")
    return buffer.getvalue()


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    """A zip file with those contents."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def write_tar(path: Path, files: list[tuple[str, bytes]], mode: str = "w") -> Path:
    """A tar file with those contents, in that order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path
