"""Weight files that a user names: there, readable without running code from them, and identified by hash."""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import torch

from rpganify.errors import AnalysisError


def read_weight_file(path: Path, what: str) -> tuple[bytes, str]:
    """The file's bytes and their SHA-256.

    Args:
        path: the file.
        what: what kind of file is wanted and how to name it, for the message.
    Raises:
        AnalysisError: missing, a directory, or not readable.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AnalysisError(f"{path} cannot be read ({error.strerror}). {what}") from error
    return content, hashlib.sha256(content).hexdigest()


def load_torch_file(content: bytes, path: Path, what: str) -> Any:
    """What `torch.save` wrote, tensors and plain containers only; no code of the file is run.

    Raises:
        AnalysisError: it is no such file, it is truncated, or it holds other objects.
    """
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AnalysisError(
            f"{path} is no file of weights that can be opened safely: {reason} "
            f"It may be truncated: fetch it again. {what}"
        ) from error
