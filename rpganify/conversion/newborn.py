"""How one tensor of one new block is made: the built-in replications."""

from __future__ import annotations

import torch
from torch import Tensor

from rpganify.conversion.replication import Replication

# Noise of a jittered block, as a share of the standard deviation of the tensor's own values; of their size where they
# are all equal. What is zero stays zero: nothing says how large it will be.
JITTER = 0.1


def fresh() -> Replication:
    """The author's own initialisation, run again.

    Where the generator cannot be built anew, the given values in a random order: the distribution of an untrained layer,
    whatever it is, but not a trained one's function.
    """

    def make(values: Tensor, fresh: Tensor | None, generator: torch.Generator) -> Tensor:
        if fresh is not None:
            return fresh
        if values.numel() < 2:
            return values
        return values.flatten()[torch.randperm(values.numel(), generator=generator)].view(values.shape)

    return make


def copy() -> Replication:
    """The values as given."""

    def make(values: Tensor, fresh: Tensor | None, generator: torch.Generator) -> Tensor:
        return values

    return make


def jitter() -> Replication:
    """The values as given, with normal noise of a tenth of their spread."""

    def make(values: Tensor, fresh: Tensor | None, generator: torch.Generator) -> Tensor:
        if not values.is_floating_point() or not values.numel():
            return values
        noise = torch.randn(values.shape, generator=generator, dtype=values.dtype)
        return values + JITTER * _spread(values) * noise

    return make


def _spread(values: Tensor) -> Tensor:
    deviation = values.std(correction=0)
    return deviation if deviation > 0 else values.mean().abs()
