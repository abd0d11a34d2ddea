"""How the blocks of a bucket differ at birth."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from rpganify.conversion.record import state_tensors
from rpganify.errors import ConversionError
from rpganify.plan import InitMode
from rpganify.routing.blueprint import Blueprint
from rpganify.routing.generator import RandomPathGenerator

# Noise of a jittered block, as a share of the standard deviation of the tensor's own values; of their size where they
# are all equal. What is zero stays zero: nothing says how large it will be.
JITTER = 0.1


def fill_blocks(
    model: RandomPathGenerator,
    source: Mapping[str, Tensor],
    stacked: Mapping[str, int],
    build: Callable[[int], nn.Module] | None,
    seed: int,
) -> None:
    """Writes the generator's values into a converted model.

    Block 0 of every bucket is the generator as given. The others are, by `plan.init`: "fresh", the author's own
    initialisation run again under another seed; "copy", the same values; "jitter", copies with normal noise.

    Args:
        model: freshly built, its tensors not filled.
        source: the plain generator's tensors by name.
        stacked: tensors with a block axis -> bucket.
        build: makes a new generator under a seed. Without it a fresh block takes the values of the given tensors in a
            random order: the distribution of an untrained layer, whatever it is, but not a trained one's function.
        seed: of the blocks and of `Z`.
    """
    targets = tensors_by_name(model)
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, values in source.items():
            if name in stacked:
                targets[name][0].copy_(values)
            else:
                targets[name].copy_(values)
        init: InitMode = model.plan.init
        for block in range(1, max(model.plan.num_blocks)):
            fresh = state_tensors(build(seed + block)) if init == "fresh" and build is not None else None
            for name, bucket in stacked.items():
                if block < model.plan.num_blocks[bucket]:
                    is_parameter = model.blueprint.tensors[name].role == "parameter"
                    # Running statistics and the like are no weights: another value of theirs is no other block.
                    kind: InitMode = init if is_parameter or fresh is not None else "copy"
                    targets[name][block].copy_(_newborn(name, source[name], kind, fresh, draws))
        model.Z.copy_(torch.randn(model.Z.shape, generator=draws))


def _newborn(
    name: str, values: Tensor, init: InitMode, fresh: Mapping[str, Tensor] | None, draws: torch.Generator
) -> Tensor:
    if fresh is not None:
        if name not in fresh or fresh[name].shape != values.shape:
            raise ConversionError(
                f"Built anew, the generator has no tensor {name!r} of shape {tuple(values.shape)}; blocks cannot be born "
                'fresh from it. Use init="copy" or init="jitter".'
            )
        return fresh[name]
    if init == "fresh" and values.numel() > 1:
        return values.flatten()[torch.randperm(values.numel(), generator=draws)].view(values.shape)
    if init == "jitter" and values.is_floating_point():
        noise = torch.randn(values.shape, generator=draws, dtype=values.dtype)
        return values + JITTER * _spread(values) * noise
    return values


def _spread(values: Tensor) -> Tensor:
    deviation = values.std(correction=0)
    return deviation if deviation > 0 else values.mean().abs()


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
