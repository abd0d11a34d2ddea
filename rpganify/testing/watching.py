"""Whether an extension left alone what is not its own: tensors, modules, and the global random states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rpganify.testing.laws import require
from rpganify.training.randomness import global_states, seeded_globals

_SEED = 71_993


@contextmanager
def untouched_randomness(subject: str, *, repair: str) -> Iterator[None]:
    """Inside, the global random states of torch, numpy and Python must stay what they are.

    Raises:
        BrokenLaw: one of them moved; all are put back.
    """
    # Of a seed that nobody would choose: who seeds them with 0 is found out.
    with seeded_globals(_SEED):
        before = global_states()
        yield
        after = global_states()
    moved = [name for name, state in before.items() if after[name] != state]
    require(
        not moved,
        subject,
        expected="the global random states to stay as they are",
        found=f"another state of {' and '.join(moved)}",
        repair=repair,
    )


@contextmanager
def untouched_tensors(subject: str, tensors: Mapping[str, Tensor], *, repair: str) -> Iterator[None]:
    """Inside, these tensors must keep their values, their shape and type, and whether they require gradients.

    Raises:
        BrokenLaw: one of them changed; the message names it.
    """
    before = {name: (tensor.detach().clone(), tensor.requires_grad) for name, tensor in tensors.items()}
    yield
    for name, tensor in tensors.items():
        values, needed_gradient = before[name]
        require(
            _equal(tensor.detach(), values),
            subject,
            expected=f"{name} to keep its values",
            found="others afterwards",
            repair=repair,
        )
        require(
            tensor.requires_grad is needed_gradient,
            subject,
            expected=f"requires_grad of {name} to stay {needed_gradient}",
            found=tensor.requires_grad,
            repair=repair,
        )


@dataclass(frozen=True, slots=True)
class Portrait:
    """Everything of a module that a visitor could change.

    Args:
        tensors: parameters and buffers by name, cloned.
        trainable: parameters by name: whether they require gradients.
        gradients: names of parameters that hold a gradient.
        flags: modules by name: whether they are in training mode.
    """

    tensors: Mapping[str, Tensor]
    trainable: Mapping[str, bool]
    gradients: frozenset[str]
    flags: Mapping[str, bool]

    @classmethod
    def of(cls, module: nn.Module) -> Portrait:
        """As the module is now."""
        parameters = dict(module.named_parameters())
        return cls(
            {name: tensor.detach().clone() for name, tensor in [*parameters.items(), *module.named_buffers()]},
            {name: parameter.requires_grad for name, parameter in parameters.items()},
            frozenset(name for name, parameter in parameters.items() if parameter.grad is not None),
            {name: child.training for name, child in module.named_modules()},
        )

    def difference(self, module: nn.Module) -> str:
        """The first thing that is no longer as it was, in words; "" if there is none."""
        now = Portrait.of(module)
        if odd := sorted(self.tensors.keys() ^ now.tensors.keys()):
            return f"{odd[0]!r} before or after, not both"
        for name, values in self.tensors.items():
            if not _equal(now.tensors[name], values):
                return f"other values in {name!r}"
        for name, is_trainable in self.trainable.items():
            if now.trainable[name] is not is_trainable:
                return f"requires_grad of {name!r} {now.trainable[name]} where it was {is_trainable}"
        if odd := sorted(now.gradients ^ self.gradients):
            return f"{odd[0]!r} {'with' if odd[0] in now.gradients else 'without'} a gradient, unlike before"
        for name, flag in self.flags.items():
            if now.flags.get(name) is not flag:
                return f"{name or 'the model'!r} in {'eval' if flag else 'train'} mode, unlike before"
        return ""


@contextmanager
def untouched_module(subject: str, module: nn.Module, *, repair: str) -> Iterator[None]:
    """Inside, a module must keep its tensors, gradients and training flags, and gradients stay switched on or off.

    Raises:
        BrokenLaw: something of it changed; the message names it.
    """
    before, had_gradients = Portrait.of(module), torch.is_grad_enabled()
    yield
    difference = before.difference(module)
    require(not difference, subject, expected="the model left as it was", found=difference, repair=repair)
    require(
        torch.is_grad_enabled() is had_gradients,
        subject,
        expected=f"torch.is_grad_enabled() to stay {had_gradients}",
        found=torch.is_grad_enabled(),
        repair="Switch gradients off with `with torch.no_grad():`, which ends.",
    )


def _equal(one: Tensor, two: Tensor) -> bool:
    """Equal type, shape and values, NaNs at the same places included."""
    if one.dtype != two.dtype or one.shape != two.shape:
        return False
    return bool(((one == two) | (one.isnan() & two.isnan())).all())
