"""How a check fails: what was expected, what came, and how to repair it, in one message."""

from __future__ import annotations

import unittest
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from rpganify.errors import RpganifyError
from rpganify.registry.resolving import reason


class BrokenLaw(RpganifyError, AssertionError):
    """An extension does not keep a law of its kind; test runners report it as a failed assertion."""


class Unavailable(RpganifyError, unittest.SkipTest):
    """A check cannot run here, which says nothing about the extension; pytest and unittest skip the test."""


def require(holds: bool, subject: str, *, expected: str, found: object, repair: str) -> None:
    """Nothing, if a law holds.

    Args:
        holds: whether it does.
        subject: what is checked: `Hinge.generator`.
        expected: what the law asks for, to be read after "expected".
        found: what came instead, to be read after "got".
        repair: one or two sentences on what to change.
    Raises:
        BrokenLaw: it does not hold.
    """
    if not holds:
        raise BrokenLaw(f"{subject}: expected {expected}; got {found}. {repair}")


def require_close(
    subject: str, tensor: Tensor, oracle: Tensor, *, expected: str, tolerance: float, repair: str
) -> None:
    """Nothing, if two tensors agree in shape and, up to a share of the oracle's largest value, in every value.

    Raises:
        BrokenLaw: they do not; the message says by how much.
    """
    same_shape = tensor.shape == oracle.shape
    require(
        same_shape, subject, expected=f"{expected}, {shown(oracle)}", found=f"the shape {shown(tensor)}", repair=repair
    )
    if not oracle.numel():
        return
    difference = float((tensor.detach().double() - oracle.detach().double()).abs().max())
    scale = max(float(oracle.detach().double().abs().max()), 1e-6)
    # Written so that a NaN, which compares as false, is a difference.
    require(
        difference <= tolerance * scale,
        subject,
        expected=expected,
        found=f"a difference of {difference:.2g} where the largest value is {scale:.2g}",
        repair=repair,
    )


@contextmanager
def working(subject: str, *, expected: str, repair: str) -> Iterator[None]:
    """Inside, any exception that the extension raises is a broken law.

    Raises:
        BrokenLaw: names the exception; it stays the cause, so that its traceback is shown.
    """
    try:
        yield
    except (BrokenLaw, Unavailable):
        raise
    except Exception as error:
        raise BrokenLaw(f"{subject}: expected {expected}; got {reason(error).rstrip('.')}. {repair}") from error


def is_finite(tensor: Tensor) -> bool:
    """Whether no value is NaN or infinite."""
    return bool(torch.isfinite(tensor.detach()).all())


def shown(value: object) -> str:
    """A tensor as type and shape, anything else as its type: `float32 (2, 3)`, `a list`."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return f"a {type(value).__name__}"


def name_of(thing: object) -> str:
    """How messages call an object, class or function, or what a text such as `"package.module:Class"` names."""
    if isinstance(thing, str):
        return thing.rpartition(":")[2]
    named = thing if isinstance(thing, type) or hasattr(thing, "__qualname__") else type(thing)
    return str(getattr(named, "__qualname__", named)).rpartition("<locals>.")[2]
