"""Makes torch ready for forward-mode derivatives, quietly."""

from __future__ import annotations

import warnings
from functools import cache

import torch


@cache
def load_forward_mode() -> None:
    """Loads what torch loads at the first forward-mode derivative of a process.

    It compiles some of its own operators by a function that newer versions of it deprecate, and says so to people who can
    do nothing about it.
    """
    one = torch.ones(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.func.jvp(torch.sin, (one,), (one,))
