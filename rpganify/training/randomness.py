"""All randomness of a training: its own streams, and the global generators that networks draw from."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

Purpose = Literal["codes", "noise", "globals", "order", "samples"]
_PURPOSES: tuple[Purpose, ...] = ("codes", "noise", "globals", "order", "samples")


def derived_seed(seed: int, purpose: Purpose, *indices: int) -> int:
    """A seed of 63 bits of its own for each purpose and index, or row of indices; without any as with zeros.

    Mixed, not added: with `seed + epoch` the second epoch of seed 0 would repeat the first of seed 1.
    """
    mixed = np.random.SeedSequence([seed, _PURPOSES.index(purpose), *(indices or (0,))])
    return int(mixed.generate_state(1, np.uint64)[0] >> np.uint64(1))


def stream(seed: int, purpose: Purpose, *indices: int) -> torch.Generator:
    """A CPU generator of its own for each purpose and index."""
    return torch.Generator().manual_seed(derived_seed(seed, purpose, *indices))


@dataclass(frozen=True, slots=True)
class Streams:
    """The trainer's own generators.

    Args:
        codes: paths, random latents, labels; the same in all processes, each of which takes its share of what is drawn.
        noise: gradient penalty, augmentation, and the pairs of the margin form of the diversity loss; each process has
            its own.
    """

    codes: torch.Generator
    noise: torch.Generator

    @classmethod
    def seeded(cls, seed: int, rank: int = 0, restart: int = 0) -> Streams:
        """The streams at the start of a training, or new ones after its `restart`th rollback."""
        return cls(stream(seed, "codes", restart), stream(seed, "noise", restart, rank))

    def to_json(self) -> dict[str, str]:
        """The states of all streams, for `restore`."""
        return {"codes": _encode(self.codes.get_state()), "noise": _encode(self.noise.get_state())}

    def restore(self, states: dict[str, str]) -> None:
        """Put all streams where they were when `to_json` was called."""
        self.codes.set_state(_decode(states["codes"]))
        self.noise.set_state(_decode(states["noise"]))


def global_states() -> dict[str, Any]:
    """States of torch's (CPU and, if in use, CUDA), numpy's and Python's global generators, as plain data."""
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached_gauss = np.random.get_state(legacy=True)
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "torch": _encode(torch.get_rng_state()),
        "cuda": [_encode(state) for state in cuda],
        "numpy": [str(name), [int(key) for key in keys], int(position), int(has_gauss), float(cached_gauss)],
        "python": [version, list(words), gauss],
    }


def restore_global_states(states: dict[str, Any]) -> None:
    """Put the global generators where they were when `global_states` was called."""
    torch.set_rng_state(_decode(states["torch"]))
    if torch.cuda.is_available():
        # A machine with fewer devices takes the states of those that it has.
        torch.cuda.set_rng_state_all([_decode(state) for state in states["cuda"][: torch.cuda.device_count()]])
    name, keys, position, has_gauss, cached_gauss = states["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, cached_gauss))
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))


@contextmanager
def seeded_globals(seed: int) -> Iterator[None]:
    """Global generators seeded inside; the caller finds its own as they were before."""
    before = global_states()
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
    try:
        yield
    finally:
        restore_global_states(before)


def _encode(state: torch.Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode("ascii")


def _decode(text: str) -> torch.Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
