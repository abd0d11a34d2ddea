"""What the laws need to know of a small generator."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

LATENT = 6

Mode = Literal["eval", "train"]


def only_z(batch: int, draws: torch.Generator) -> dict[str, Any]:
    """The inputs of most generators: `z` `(batch, LATENT)`."""
    return {"z": torch.randn(batch, LATENT, generator=draws)}


def by_name(generator: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Calls a generator the way most are called."""
    return generator(**arguments)


def by_position(generator: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Calls a generator whose forward takes `*args`."""
    return generator(*arguments.values())


@dataclass(frozen=True, slots=True)
class Case:
    """A generator that must convert.

    Args:
        make: the class.
        inputs: the arguments of forward for a batch, drawn from a generator.
        is_found: whether conversion finds the inputs by itself; otherwise they are passed as example_inputs.
        constants: arguments of forward that are bound at conversion.
        latent: as `wrap` takes it.
        buckets: as `wrap` takes it.
        norm: as `wrap` takes it.
        draws_noise: forward draws random numbers, in these modes.
        mixes: one sample's image depends on the others, in these modes.
        single: the original itself takes a batch of one, in these modes.
        is_savable: it consists of operators that a model file may hold.
        reference: the same arithmetic and names, where the class itself cannot be differentiated by `functional_call`.
        call: how a plain generator is called.
        images: the images among the outputs.
    """

    make: Callable[[], nn.Module]
    inputs: Callable[[int, torch.Generator], dict[str, Any]] = only_z
    is_found: bool = True
    constants: tuple[tuple[str, Any], ...] = ()
    latent: str | None = None
    buckets: tuple[str, ...] | int | None = None
    norm: Literal["shared", "per-block"] = "shared"
    draws_noise: tuple[Mode, ...] = ()
    mixes: tuple[Mode, ...] = ()
    single: tuple[Mode, ...] = ("eval", "train")
    is_savable: bool = True
    reference: Callable[[], nn.Module] | None = None
    call: Callable[[Callable[..., Any], dict[str, Any]], Any] = by_name
    images: Callable[[Any], torch.Tensor] = lambda outputs: outputs

    @property
    def name(self) -> str:
        """Name of the class."""
        return self.make.__name__

    def build(self) -> nn.Module:
        """A new generator, the same weights each time; constants such as gates that start at 0 become random."""
        return self._built(self.make)

    def build_reference(self) -> nn.Module:
        """What gradients are compared with: the class itself for all but a few."""
        return self._built(self.reference or self.make)

    def _built(self, make: Callable[[], nn.Module]) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(zlib.crc32(self.name.encode()))
            generator = make()
            with torch.no_grad():
                for parameter in generator.parameters():
                    if (parameter == parameter.flatten()[0]).all():
                        parameter.uniform_(-0.5, 0.5)
        return generator

    def arguments(self, batch: int, seed: int = 0) -> dict[str, Any]:
        """The tensor arguments of forward for that many samples."""
        return self.inputs(batch, torch.Generator().manual_seed(seed))

    def run(self, generator: Callable[..., Any], arguments: dict[str, Any], *, seed: int = 0) -> Any:
        """What a plain generator returns, its noise drawn under a seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.call(generator, {**arguments, **dict(self.constants)})


def image(x: torch.Tensor) -> torch.Tensor:
    """`(N, 48)` -> `(N, 3, 4, 4)` in [-1, 1]."""
    return torch.tanh(x.view(x.size(0), 3, 4, 4))
