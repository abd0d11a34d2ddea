"""Reading a pickle of plain values and NumPy arrays without letting it run anything else."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from rpganify.errors import DataError


def load_plain(path: Path) -> Any:
    """The object in a pickle file that holds only containers, numbers, strings, bytes and NumPy arrays.

    Strings of Python 2 come back as bytes.

    Raises:
        DataError: the file cannot be read, is truncated or damaged, or names any other function or class.
    """
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file, encoding="bytes").load()
    except _RefusedError as refused:
        raise DataError(
            f"{path} is a pickle that asks for {refused}, which no image file needs; running it could do anything, "
            "so it is refused. Fetch the file from where the data set is published."
        ) from refused
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # a damaged pickle fails in nearly any way: UnpicklingError, EOFError, KeyError, …
        raise DataError(
            f"{path} is truncated or damaged, or no pickle: {type(error).__name__}: {error}. Fetch it again."
        ) from error


class _RefusedError(Exception):
    """The dotted name that a pickle asked for."""


class _PlainUnpickler(pickle.Unpickler):
    """Finds the few names that arrays and bytes are pickled with, and no others."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in (("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")):
            return _empty_array
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):
            return _latin1_bytes
        raise _RefusedError(f"{module}.{name}")


def _empty_array(kind: type, shape: object, code: object) -> Any:
    """What NumPy's pickles begin an array with; its shape and content follow as state."""
    if kind is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError(f"an array begins with {kind!r} and {shape!r}")
    return np.empty((0,), np.uint8)


def _latin1_bytes(text: str, encoding: str) -> bytes:
    """What Python 3 writes bytes as in the pickle protocols of Python 2."""
    if encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"bytes are encoded as {encoding!r}")
    return text.encode("latin1")
