"""Forward-mode derivatives: how features move as latents do; and torch made ready for them, quietly."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor


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


def pushed_forward(features: Callable[[Tensor], Tensor], latents: Tensor, velocities: Tensor) -> Tensor:
    """How fast `features` move where `latents` move at `velocities`; the shape of the features, detached.

    By forward differentiation, at the price of about two passes; through an operator that has no forward derivative by
    differentiating a reverse pass, at that of five.

    Args:
        features: of a batch, each row by itself.
        latents, velocities: of one shape, `(N, D)`.
    """
    load_forward_mode()
    try:
        with torch.no_grad():
            moved = torch.func.jvp(features, (latents,), (velocities,))[1]
        assert isinstance(moved, Tensor)
        return moved.detach()
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, NotImplementedError):
        return _by_reverse_twice(features, latents, velocities)


def _by_reverse_twice(features: Callable[[Tensor], Tensor], latents: Tensor, velocities: Tensor) -> Tensor:
    """Jᵀu is linear in u, so that its derivative by u, applied to v, is J·v."""
    with torch.enable_grad():
        start = latents.detach().clone().requires_grad_()
        reached = features(start)
        anywhere = torch.zeros_like(reached, requires_grad=True)
        (pulled,) = torch.autograd.grad(reached, start, anywhere, create_graph=True)
        (moved,) = torch.autograd.grad(pulled, anywhere, velocities)
    result: Tensor = moved.detach()
    return result
