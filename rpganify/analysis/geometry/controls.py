"""Networks to compare a trained one with: the same weights in a random order, and weights as at birth."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.analysis.latents import Alter
from rpganify.errors import AnalysisError
from rpganify.routing.generator import RandomPathGenerator

# From the path that a copy belongs to, None of a standard generator, to what changes the copy.
Control = Callable[[Tensor | None], Alter]


def shuffled(model: nn.Module, seed: int) -> Control:
    """Puts the values of each parameter into a random order, within it; running statistics stay as they are.

    Args:
        model: whose copies are changed; the same block gets the same order on every path.
        seed: of the orders.
    """

    def of_path(path: Tensor | None) -> Alter:
        def alter(module: nn.Module) -> None:
            with torch.no_grad():
                for name, parameter in module.named_parameters():
                    chance = torch.Generator().manual_seed(_seed(seed, name, _block(model, path, name)))
                    order = torch.randperm(parameter.numel(), generator=chance).to(parameter.device)
                    parameter.copy_(parameter.flatten()[order].view(parameter.shape))

        return alter

    return of_path


def untrained(model: nn.Module, seed: int) -> Control:
    """Gives every layer the weights and running statistics that torch gives a new one of its kind.

    Args:
        model: whose copies are changed; the same block gets the same weights on every path.
        seed: of the weights; global random states stay as they are.

    What it returns raises AnalysisError for a generator with parameters that belong to no such layer.
    """

    def of_path(path: Tensor | None) -> Alter:
        def alter(module: nn.Module) -> None:
            _check_is_renewable(module)
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                for name, layer in module.named_modules():
                    reset = getattr(layer, "reset_parameters", None)
                    if callable(reset):
                        torch.default_generator.manual_seed(_seed(seed, name, _block(model, path, f"{name}.weight")))
                        _on_the_cpu(layer, reset)

        return alter

    return of_path


def _check_is_renewable(module: nn.Module) -> None:
    """Refuses parameters that belong to no layer of torch's."""
    known: set[int] = set()
    for layer in module.modules():
        if callable(getattr(layer, "reset_parameters", None)):
            known.update(id(one) for one in layer.parameters(recurse=False))
    unknown = [name for name, parameter in module.named_parameters() if id(parameter) not in known]
    if unknown:
        raise AnalysisError(
            f"{unknown[0]} belongs to no layer of torch's, so that nothing tells how it is born. The control with shuffled "
            "weights stands."
        )


def _block(model: nn.Module, path: Tensor | None, parameter: str) -> int:
    """The block that a parameter is of on a path; 0 where it is shared by all."""
    if path is None or not isinstance(model, RandomPathGenerator):
        return 0
    owner = next((layer.name for layer in model.blueprint.layers if parameter in layer.parameters), None)
    bucket = None if owner is None else model.plan.bucket_of(owner)
    return 0 if bucket is None else int(path[bucket])


def _seed(seed: int, name: str, block: int) -> int:
    return zlib.crc32(f"{seed} {name} {block}".encode())


def _on_the_cpu(layer: nn.Module, reset: Callable[[], Any]) -> None:
    """Runs it there, so that the same seed gives the same weights on every device."""
    tensors = list(chain(layer.parameters(recurse=False), layer.buffers(recurse=False)))
    places = [tensor.device for tensor in tensors]
    for tensor in tensors:
        tensor.data = tensor.data.cpu()
    reset()
    for tensor, place in zip(tensors, places, strict=True):
        tensor.data = tensor.data.to(place)
