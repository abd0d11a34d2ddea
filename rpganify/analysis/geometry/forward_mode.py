"""Jacobian-vector products of a batch, each row with a direction of its own: how features move as latents do."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor


def pushed_forward(features: Callable[[Tensor], Tensor], latents: Tensor, velocities: Tensor) -> Tensor:
    """How fast `features` move where `latents` move at `velocities`; the shape of the features, detached.

    By forward differentiation, at the price of about two passes; through an operator that has no forward derivative by
    differentiating a reverse pass, at that of five.

    Args:
        features: of a batch, each row by itself.
        latents, velocities: of one shape, `(N, D)`.
    """
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # At the first use torch compiles its derivative rules by a function of its own that it calls deprecated.
            warnings.filterwarnings("ignore", r"`torch\.jit\.script` is", FutureWarning)
            warnings.filterwarnings("ignore", r"`torch\.jit\.script` is", DeprecationWarning)
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
