"""The slow way round: plain torch layers and the authors' own classes, one sample at a time.

Shares no code with what it checks. Everything is differentiable, so that gradients can be compared as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from rpganify.routing.blueprint import LayerConfig
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.extract import extract_tensors


def plain_layer(layer: LayerConfig) -> nn.Module:
    """The torch layer of that kind and those constructor values, float64, its own random tensors."""
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in layer.config.items()}
    built = getattr(nn, layer.kind)(**values)
    assert isinstance(built, nn.Module)
    return built.double()


def layer_one_by_one(
    layer: LayerConfig, stacks: Mapping[str, Tensor], blocks: Tensor, x: Tensor, is_training: bool = False
) -> Tensor:
    """Each sample through the plain layer with its own block's tensors.

    Args:
        layer: kind and constructor values.
        stacks: the layer's tensors with the block axis first, `(num_blocks, ...)`.
        blocks: int64 `(N,)`, the block of each sample.
        x: `(N, ...)`.
    Returns:
        `(N, ...)`, differentiable with respect to `x` and `stacks`.
    """
    plain = plain_layer(layer).train(is_training)
    parts = []
    for sample, block in enumerate(blocks.tolist()):
        rows = {name: stack[block].clone() for name, stack in stacks.items()}
        parts.append(functional_call(plain, rows, (x[sample : sample + 1],)))
    return torch.cat(parts)


def layer_block_by_block(
    layer: LayerConfig, stacks: Mapping[str, Tensor], blocks: Tensor, x: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """In train mode, the samples of each block together through a plain layer of its own: for norms that mix samples.

    Returns:
        The results `(N, ...)` in the order of `x`, and what the stacked buffers hold afterwards.
    """
    results: dict[int, Tensor] = {}
    after = {name: stack.detach().clone() for name, stack in stacks.items() if not isinstance(stack, nn.Parameter)}
    for block in sorted(set(blocks.tolist())):
        samples = [index for index, one in enumerate(blocks.tolist()) if one == block]
        plain = plain_layer(layer).train()
        rows = {name: stack[block].clone() for name, stack in stacks.items()}
        output = functional_call(plain, rows, (x[samples],))
        results.update(zip(samples, output, strict=True))
        for name in after:
            # functional_call leaves what the layer wrote in the tensors that it was given.
            after[name][block] = rows[name].detach()
    return torch.stack([results[index] for index in range(len(blocks))]), after


def loaded_original(build: Callable[[], nn.Module], model: RandomPathGenerator, path: Tensor) -> nn.Module:
    """A new instance of the original class with one path's tensors, every name accounted for; in the model's mode."""
    original = build()
    original.load_state_dict(extract_tensors(model, path), strict=True)
    original.train(model.training)
    return original.to(model.Z.dtype)


def model_one_by_one(
    build: Callable[[], nn.Module],
    model: RandomPathGenerator,
    paths: Tensor,
    run: Callable[[Callable[..., Any], int], Any],
) -> list[Any]:
    """What the original class returns for each path, one sample at a time.

    Args:
        build: makes the original generator.
        model: the converted one.
        paths: int64 `(N, num_buckets)`.
        run: calls a plain generator on the latent and the conditions of the sample with that index.
    """
    with torch.no_grad():
        return [run(loaded_original(build, model, path), index) for index, path in enumerate(paths)]


def model_gradients(
    build: Callable[[], nn.Module],
    model: RandomPathGenerator,
    paths: Tensor,
    loss: Callable[[Callable[..., Any], int], Tensor],
) -> dict[str, Tensor]:
    """Gradient of a loss, summed over the samples, with respect to every trainable parameter of the converted model.

    Args:
        build, model, paths: as above.
        loss: calls a plain generator on the sample with that index; `()`. It may use `model.Z`.
    """
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    total = model.Z.sum() * 0
    for index, path in enumerate(paths):
        plain = loaded_original(build, model, path)
        named = plain.named_parameters(remove_duplicate=False)
        rows = {name: _row(model, name, path, p.dim()) for name, p in named if _first_name(model, name) in parameters}

        def call(*args: Any, plain: nn.Module = plain, rows: dict[str, Tensor] = rows, **kwargs: Any) -> Any:
            return functional_call(plain, rows, args, kwargs, tie_weights=False)

        total = total + loss(call, index)
    gradients = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
    return {
        name: torch.zeros_like(p) if gradient is None else gradient
        for (name, p), gradient in zip(parameters.items(), gradients, strict=True)
    }


def _row(model: RandomPathGenerator, name: str, path: Tensor, num_axes: int) -> Tensor:
    """One path's view of a parameter; a stacked one has an axis more than the plain one."""
    name = _first_name(model, name)
    parameter = model.get_parameter(name)
    return parameter[int(path[bucket_of(model, name)])] if parameter.dim() > num_axes else parameter


def _first_name(model: RandomPathGenerator, name: str) -> str:
    """Tied parameters exist once, under the first of their names."""
    return model.blueprint.aliases.get(name, name)


def bucket_of(model: RandomPathGenerator, parameter: str) -> int:
    """The bucket whose layer owns a parameter, read off the plan and the layer table."""
    owner = next(layer.name for layer in model.blueprint.layers if parameter in layer.parameters)
    bucket = model.plan.bucket_of(owner)
    assert bucket is not None, parameter
    return bucket
