"""How the blocks of a bucket differ at birth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rpganify.conversion.record import state_tensors
from rpganify.entries import ReplicationEntry
from rpganify.errors import ConversionError
from rpganify.registry import default_registry
from rpganify.routing.blueprint import Blueprint
from rpganify.routing.generator import RandomPathGenerator

Replication = Callable[[Tensor, Tensor | None, torch.Generator], Tensor]


@dataclass(frozen=True, slots=True)
class NamedReplication:
    """A way in which blocks differ at birth.

    Args:
        entry: as it is registered.
        provider: who registered it, for messages.
        make: see `ReplicationEntry`.
    """

    entry: ReplicationEntry
    provider: str
    make: Replication

    def __call__(self, name: str, values: Tensor, fresh: Tensor | None, draws: torch.Generator) -> Tensor:
        """One tensor of one new block, checked.

        Raises:
            ConversionError: it is no tensor of the shape and type of `values`.
        """
        made = self.make(values.clone(), fresh, draws)  # a plugin that writes in place does not reach the generator
        if not isinstance(made, Tensor) or made.shape != values.shape or made.dtype != values.dtype:
            found = f"{made.dtype} {tuple(made.shape)}" if isinstance(made, Tensor) else f"a {type(made).__name__}"
            raise ConversionError(
                f"The replication {self.entry.name!r} of the plugin {self.provider} made {found} of the tensor {name!r}, "
                f"which is {values.dtype} {tuple(values.shape)}; a block's tensor keeps shape and type. Correct the "
                "plugin, or choose another by --init."
            )
        return made


def find_replication(name: str) -> NamedReplication:
    """The replication of that name, such as "fresh".

    Raises:
        RegistryError: there is none; the message lists those there are.
    """
    registry = default_registry()
    entry = registry.get(ReplicationEntry, name)
    return NamedReplication(entry, str(registry.provider(entry)), registry.make(entry))


def fill_blocks(
    model: RandomPathGenerator,
    source: Mapping[str, Tensor],
    stacked: Mapping[str, int],
    replication: NamedReplication,
    build: Callable[[int], nn.Module] | None,
    seed: int,
) -> None:
    """Writes the generator's values into a converted model.

    Block 0 of every bucket is the generator as given; the others are what the replication makes of it. Every Z is drawn
    from the normal distribution: it is no part of the generator, so there is nothing to make it of.

    Args:
        model: freshly built, its tensors not filled.
        source: the plain generator's tensors by name.
        stacked: tensors with a block axis -> bucket; several Z may be among them.
        replication: makes the other blocks.
        build: makes a new generator under a seed; None if there is no building it anew.
        seed: of the blocks and of `Z`.
    Raises:
        ConversionError: the new generator has other tensors, or the replication makes what is no such tensor.
    """
    targets = tensors_by_name(model)
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, values in source.items():
            if name in stacked:
                targets[name][0].copy_(values)
            else:
                targets[name].copy_(values)
        for block in range(1, max(model.plan.num_blocks)):
            anew = state_tensors(build(seed + block)) if replication.entry.builds_anew and build is not None else None
            for name, bucket in stacked.items():
                if block >= model.plan.num_blocks[bucket] or name not in source:
                    continue
                values, fresh = source[name], None if anew is None else same_tensor(name, source[name], anew)
                # Running statistics and the like are no weights: another value of theirs is no other block.
                is_asked = fresh is not None or model.blueprint.tensors[name].role == "parameter"
                if is_asked and (values.is_floating_point() or values.is_complex()):
                    made = replication(name, values, fresh, draws)
                else:
                    made = values if fresh is None else fresh
                targets[name][block].copy_(made)
        model.Z.copy_(torch.randn(model.Z.shape, generator=draws))


def same_tensor(name: str, values: Tensor, anew: Mapping[str, Tensor]) -> Tensor:
    """The tensor of that name of a generator that was built anew.

    Raises:
        ConversionError: it has none, or one of another shape.
    """
    if name not in anew or anew[name].shape != values.shape:
        raise ConversionError(
            f"Built anew, the generator has no tensor {name!r} of shape {tuple(values.shape)}; blocks cannot be born "
            'fresh from it. Use init="copy" or init="jitter".'
        )
    return anew[name]


def tensors_by_name(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and all buffers, also those that the state dict leaves out."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def fill_tensors(model: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Writes values into all tensors of a model of the same names and shapes."""
    with torch.no_grad():
        for name, tensor in tensors_by_name(model).items():
            tensor.copy_(values[name])


def source_tensors(generator: nn.Module, constants: Mapping[str, Tensor], blueprint: Blueprint) -> dict[str, Tensor]:
    """The plain generator's tensors that the blueprint names."""
    state = {**state_tensors(generator), **constants}
    return {name: state[name].detach() for name in blueprint.tensors}
