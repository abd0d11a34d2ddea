"""Random states: set for a while, then as they were."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


@contextlib.contextmanager
def random_states(seed: int | None) -> Iterator[None]:
    """Seeds torch, numpy and `random`, and puts their states back at the end; with None it does nothing."""
    if seed is None:
        yield
        return
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    cuda_states = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    # Not `torch.manual_seed`: it would also seed a GPU that is not in use yet, which nobody could undo.
    torch.default_generator.manual_seed(seed)
    if cuda_states:
        torch.cuda.manual_seed_all(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
        if cuda_states:
            torch.cuda.set_rng_state_all(cuda_states)
