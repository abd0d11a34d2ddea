"""Random states around a recording: the caller's are kept, and draws that a graph cannot repeat are noticed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch

from rpganify.conversion.recording import user_place

# What people call of the two modules; a draw by another way is noticed by the state, without its line.
_PYTHON = "random randint uniform choice choices sample shuffle gauss randrange getrandbits normalvariate".split()
_NUMPY = "rand randn randint random uniform normal choice permutation random_sample shuffle standard_normal".split()


@contextmanager
def own_random_state() -> Iterator[list[tuple[str, str]]]:
    """Runs the block under a seed of its own.

    The list then holds what other states than torch's were drawn from, and where, as far as that can be seen.
    """
    drawn: list[tuple[str, str]] = []
    places: dict[str, str] = {}
    before_python, before_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]), ExitStack() as patches:
        torch.manual_seed(0)
        for module, name, functions in ((random, "random", _PYTHON), (np.random, "numpy.random", _NUMPY)):
            for function in functions:
                original = getattr(module, function)
                watched = _watching(original, f"{name}.{function}", places)
                patches.enter_context(mock.patch.object(module, function, watched))
        try:
            yield drawn
        finally:
            if random.getstate() != before_python:
                drawn.append(("Python's random", _first(places, "random.")))
            if not _same_numpy_state(before_numpy, np.random.get_state()):
                drawn.append(("numpy.random", _first(places, "numpy.")))
            random.setstate(before_python)
            np.random.set_state(before_numpy)


def _watching(function: Callable[..., Any], name: str, places: dict[str, str]) -> Callable[..., Any]:
    def watched(*args: Any, **kwargs: Any) -> Any:
        places.setdefault(name, str(user_place()))
        return function(*args, **kwargs)

    return watched


def _first(places: dict[str, str], prefix: str) -> str:
    return next((f" ({name} at {place})" for name, place in places.items() if name.startswith(prefix)), "")


def _same_numpy_state(first: Any, second: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
