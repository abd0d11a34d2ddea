"""The laws of a replication."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rpganify.testing.laws import is_finite, name_of, require, shown, working
from rpganify.testing.watching import untouched_randomness, untouched_tensors

Replication = Callable[[Tensor, Tensor | None, torch.Generator], Tensor]


def check_replication(make: Replication) -> None:
    """A replication makes one tensor of a new block, out of chance that it is given.

    Its laws, on weights, a bias of zeros, one number, float64 and whole numbers, with and without the
    tensor of a generator that was built anew:

    - the result has the shape and type of `values`, and is finite;
    - a generator of the same seed gives the same result, and no other source of chance is used;
    - `values` and `fresh` stay as they are.

    Args:
        make: called as `make(values, fresh, generator)`; what a `ReplicationEntry`'s factory returns.
    Raises:
        BrokenLaw: a law does not hold.

    Example:
        check_replication(scale_apart())
    """
    name = name_of(make)
    draws = torch.Generator().manual_seed(0)
    tensors = {
        "a weight": torch.randn(4, 3, 3, 3, generator=draws),
        "a float64 weight": torch.randn(5, 4, generator=draws, dtype=torch.float64),
        "a bias of zeros": torch.zeros(6),
        "a single number": torch.randn((), generator=draws),
        "a counter of whole numbers": torch.tensor(7),
    }
    for what, values in tensors.items():
        fresh = torch.randn(values.shape, generator=draws).to(values.dtype)
        _check_tensor(name, make, what, values, None)
        _check_tensor(name, make, f"{what} beside a fresh one", values, fresh)


def _check_tensor(name: str, make: Replication, what: str, values: Tensor, fresh: Tensor | None) -> None:
    subject = f"{name} of {what}"
    given = {"values": values} if fresh is None else {"values": values, "fresh": fresh}
    repair = (
        "It is called as make(values, fresh, generator), where fresh is None if the generator cannot be built anew."
    )
    with (
        working(subject, expected=f"a tensor like {shown(values)}", repair=repair),
        untouched_tensors(subject, given, repair="Return a new tensor: `values + noise`, not `values.add_(noise)`."),
        untouched_randomness(subject, repair="Draw with `generator=generator`; a conversion could not be repeated."),
    ):
        born = make(values, fresh, torch.Generator().manual_seed(1))
    again = make(values, fresh, torch.Generator().manual_seed(1))
    require(
        isinstance(born, Tensor) and born.shape == values.shape and born.dtype == values.dtype,
        subject,
        expected=f"a tensor like the given one, {shown(values)}",
        found=shown(born),
        repair="It becomes the same parameter of another block; keep shape and type, and pass whole numbers through.",
    )
    require(
        is_finite(born),
        subject,
        expected="finite values",
        found="NaN or infinity",
        repair="Mind tensors of zeros and of one value: their standard deviation is 0 or NaN.",
    )
    require(
        torch.equal(born, again),
        subject,
        expected="the same values from a generator of the same seed",
        found="others",
        repair="Draw with `generator=generator`, and keep nothing from one call to the next.",
    )
