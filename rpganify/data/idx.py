"""The IDX format of MNIST and its relatives, plain or gzipped, read where it lies."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rpganify.errors import DataError

_UNSIGNED_BYTE = 0x08


def find_idx(folders: tuple[Path, ...], stem: str) -> Path | None:
    """The first of `stem` and `stem.gz` that lies in one of the folders; None if there is none."""
    for folder in folders:
        for path in (folder / stem, folder / f"{stem}.gz"):
            if path.is_file():
                return path
    return None


def read_idx(path: Path, num_axes: int) -> Tensor:
    """The array in an IDX file of unsigned bytes: uint8, `num_axes` axes. Nothing is unpacked to disk.

    Raises:
        DataError: the file cannot be read, is damaged or truncated, or is no IDX file of that kind.
    """
    content = _content(path)
    header = 4 + 4 * num_axes
    if len(content) < header or content[:4] != bytes((0, 0, _UNSIGNED_BYTE, num_axes)):
        raise DataError(
            f"{path} is no IDX file of unsigned bytes with {num_axes} axes: it begins with "
            f"{bytes(content[:4]).hex(' ') or 'nothing'}, not 00 00 08 {num_axes:02x}. {_again(path)}"
        )
    shape = tuple(int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(num_axes))
    expected, found = math.prod(shape), len(content) - header
    if expected != found:
        raise DataError(
            f"{path} is {'truncated' if found < expected else 'too long'}: its header promises {expected:,} bytes "
            f"for {' x '.join(map(str, shape))}, and {found:,} follow. {_again(path)}"
        )
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=header).reshape(shape))


def _content(path: Path) -> bytearray:
    try:
        if path.suffix != ".gz":
            return bytearray(path.read_bytes())
        with gzip.open(path, "rb") as file:
            return bytearray(file.read())
    except EOFError as error:
        raise DataError(f"{path} is truncated: the gzip stream ends early. {_again(path)}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}. {_again(path)}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _again(path: Path) -> str:
    packed = path.with_name(f"{path.name}.gz")
    if path.suffix != ".gz" and packed.is_file():
        return f"Delete it; {packed.name} beside it will be read instead."
    return "Fetch it again."
