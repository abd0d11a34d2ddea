"""Conversions that the tests share, each made once; a test that trains or writes takes a copy."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

import rpganify
from rpganify.routing.generator import RandomPathGenerator
from rpganify.structure import at_location, leaves_with_location, map_leaves
from tests.generators import CASES
from tests.generators.case import Case, Mode

# Of the same arithmetic in another order, relative to the largest value.
FLOAT32 = 2e-5
FLOAT64 = 1e-9


@dataclass(slots=True)
class Converted:
    """A conversion, and what was known of the original before.

    Args:
        original: the object that was given to `wrap`.
        before: its state before that.
        ran: for each forward pass that ran meanwhile, whether it was the original's own.
    """

    case: Case
    original: nn.Module
    model: RandomPathGenerator
    before: dict[str, Any]
    ran: list[bool] = field(default_factory=list)


def portrait(module: nn.Module) -> dict[str, Any]:
    """Everything that a conversion could have changed of a module."""
    return {
        "tensors": {name: (id(t), t.detach().clone()) for name, t in module.state_dict(keep_vars=True).items()},
        "attributes": {name: sorted(vars(child)) for name, child in module.named_modules()},
        "modes": {name: child.training for name, child in module.named_modules()},
        "classes": {name: type(child) for name, child in module.named_modules()},
        "hooks": {name: len(child._forward_pre_hooks) for name, child in module.named_modules()},
        "gradients": {name: p.grad is None for name, p in module.named_parameters()},
    }


def wrap(case: Case, original: nn.Module, num_blocks: int) -> RandomPathGenerator:
    """The conversion that a case asks for."""
    examples = {**(case.arguments(2) if not case.is_found else {}), **dict(case.constants)}
    return rpganify.wrap(
        original,
        buckets=list(case.buckets) if isinstance(case.buckets, tuple) else case.buckets,
        blocks=num_blocks,
        init="copy" if num_blocks == 1 else "jitter",
        norm=case.norm,
        latent=case.latent,
        example_inputs=examples or None,
    )


@cache
def converted(name: str, num_blocks: int, dtype: torch.dtype = torch.float32) -> Converted:
    """A case with that many blocks per bucket: one, copied; or several, jittered. Do not write to it."""
    case = CASES[name]
    with default_dtype(dtype):
        original = case.build()
        before, ran = portrait(original), []
        handle = original.register_forward_pre_hook(lambda module, _: ran.append(module is original))
        model = wrap(case, original, num_blocks)
        handle.remove()
    return Converted(case, original, model, before, ran)


def model_copy(name: str, num_blocks: int, mode: Mode, dtype: torch.dtype = torch.float32) -> RandomPathGenerator:
    """A copy of the shared conversion in a mode, to do with as one likes."""
    return copy.deepcopy(converted(name, num_blocks, dtype).model).train(mode == "train")


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """New tensors, parameters and examples get this type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def conditions(model: RandomPathGenerator, arguments: dict[str, Any]) -> dict[str, Tensor]:
    """All inputs but the latent, by the names that the converted model gives them."""
    specs = [spec for spec in model.blueprint.inputs if not spec.is_latent]
    return {spec.name: at_location(arguments[spec.argument], spec.location) for spec in specs}


def with_latent(model: RandomPathGenerator, arguments: dict[str, Any], z: Tensor) -> dict[str, Any]:
    """The arguments with `z` in the latent's place, and of everything else as many samples."""
    latent = model.blueprint.latent
    changed: dict[str, Any] = {}
    for argument, value in arguments.items():
        places = iter([place for place, _ in leaves_with_location(value)])
        changed[argument] = map_leaves(
            value, lambda leaf, a=argument, p=places: z if (a, next(p)) == (latent.argument, latent.location) else leaf
        )
    return changed


def sample_of(arguments: dict[str, Any], index: int) -> dict[str, Any]:
    """The arguments of one sample."""
    return {name: map_leaves(value, lambda leaf: leaf[index : index + 1]) for name, value in arguments.items()}


def seeded(call: Callable[[], Any], seed: int = 0) -> Any:
    """Runs under a seed and puts torch's random state back."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return call()


def assert_same(found: Any, expected: Any, tolerance: float) -> None:
    """Equal structure, Nones included, and tensors that differ by less than a share of the largest value."""
    ours, theirs = (list(leaves_with_location(outputs)) for outputs in (found, expected))
    assert [location for location, _ in ours] == [location for location, _ in theirs]
    for (location, one), (_, two) in zip(ours, theirs, strict=True):
        if isinstance(two, Tensor):
            assert one.shape == two.shape and one.dtype == two.dtype, (location, one.shape, two.shape)
            scale = max(1.0, float(two.detach().abs().max()) if two.numel() else 0.0)
            torch.testing.assert_close(one, two, rtol=0.0, atol=tolerance * scale)
        else:
            assert one == two
