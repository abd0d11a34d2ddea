"""Reading a pickle of plain values and NumPy arrays without letting it run anything else."""

from __future__ import annotations

import math
import pickle
import re
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
    """Finds the few names that arrays and bytes are pickled with, each as a strict stand-in, and no others."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise _RefusedError(f"{module}.{name}")
        return _STAND_INS[module, name]


class _PlainDtype:
    """A type of plain numbers. NumPy's own would take flags from the file, and can crash on wrong ones."""

    def __init__(self, code: str | bytes, *flags: object) -> None:
        text = code.decode("ascii") if isinstance(code, bytes) else code
        if not re.fullmatch(r"[biuf][1248]", text):
            raise pickle.UnpicklingError(f"an array of type {text!r}, which is no plain number")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "=", "|"):
            raise pickle.UnpicklingError(f"a byte order {order!r}")
        self.dtype = np.dtype(order + self.dtype.str[1:])


class _PlainArray(np.ndarray[Any, Any]):
    """An array that takes its content only from bytes of the right number."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        version, shape, kind, is_fortran, content = state
        if not isinstance(kind, _PlainDtype) or not isinstance(content, bytes):
            raise pickle.UnpicklingError("an array whose content is not plain bytes")
        if len(content) != math.prod(shape) * kind.dtype.itemsize:
            raise pickle.UnpicklingError(f"an array of shape {shape} in {len(content)} bytes")
        super().__setstate__((version, shape, kind.dtype, is_fortran, content))


def _empty_array(kind: type, shape: object, code: object) -> _PlainArray:
    """What NumPy's pickles begin an array with; its shape and content follow as state."""
    if kind is not _PlainArray or shape != (0,):
        raise pickle.UnpicklingError(f"an array begins with {kind!r} and {shape!r}")
    return _PlainArray((0,), np.uint8)


def _latin1_bytes(text: str, encoding: str) -> bytes:
    """What Python 3 writes bytes as in the pickle protocols of Python 2."""
    if encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"bytes are encoded as {encoding!r}")
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("numpy", "ndarray"): _PlainArray,
    ("numpy", "dtype"): _PlainDtype,
    ("_codecs", "encode"): _latin1_bytes,
}
