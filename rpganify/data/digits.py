"""Real digits that come with scikit-learn, so that nothing need be at hand to begin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from rpganify.data.images import MemoryImages
from rpganify.errors import DataError


def open_digits(*, root: Path | None = None, argument: str | None = None) -> MemoryImages:
    """1,797 handwritten digits, 8x8 grey, labels 0 to 9; their 17 grey levels spread over 0 to 255.

    Args:
        root: not used, the files are scikit-learn's own.
        argument: must be None.
    Source: UCI, "Optical recognition of handwritten digits", test part; `sklearn.datasets.load_digits`.
    """
    if argument is not None:
        raise DataError(f"digits has no parts, so {argument!r} names nothing; write `digits`, or `digits[0-6]`.")
    from sklearn.datasets import load_digits  # a second of import, only here

    bunch = load_digits()
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)  # (N, 8, 8)
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    return MemoryImages("digits", torch.from_numpy(pixels)[:, None], labels, tuple("0123456789"))
