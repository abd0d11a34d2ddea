"""What the trainer asks of a generator, and the tensors of a network by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class ImageGenerator(Protocol):
    """What the trainer uses of a model; converted and standard ones have it alike."""

    training: bool

    @property
    def codes(self) -> str:
        """`paths` or `z`."""

    @property
    def image_shape(self) -> tuple[int, ...]:
        """`(C, H, W)`."""

    @property
    def conditions(self) -> tuple[Any, ...]:
        """Inputs beside the codes, such as labels."""

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` random codes, on the CPU."""

    def images(self, codes: Tensor, /, *args: Any, **inputs: Any) -> Tensor:
        """Images `(n, C, H, W)` in about [-1, 1], differentiable, on the model's device; codes as drawn."""

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """As of `nn.Module`."""

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """As of `nn.Module`."""

    def train(self, mode: bool = True) -> Any:
        """As of `nn.Module`."""

    def to(self, device: torch.device) -> Any:
        """As of `nn.Module`."""


def network_tensors(network: ImageGenerator | nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, each once; also the buffers that the state dict leaves out."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def fill_network(network: ImageGenerator | nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy values into all parameters and buffers of a network.

    Raises:
        ValueError: names, shapes or types differ; nothing was copied then.
    """
    targets = network_tensors(network)
    if odd := sorted(targets.keys() ^ tensors.keys()):
        raise ValueError(f"{odd[0]!r} is in one of them only.")
    for name, target in targets.items():
        stored = tensors[name]
        if (stored.shape, stored.dtype) != (target.shape, target.dtype):
            raise ValueError(
                f"{name!r} is {stored.dtype} {tuple(stored.shape)} there, {target.dtype} {tuple(target.shape)} here."
            )
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(tensors[name])


@contextmanager
def training_mode(*networks: ImageGenerator | nn.Module) -> Iterator[None]:
    """The networks in training mode inside; afterwards as they were."""
    before = [network.training for network in networks]
    for network in networks:
        network.train(True)
    try:
        yield
    finally:
        for network, mode in zip(networks, before, strict=True):
            network.train(mode)


def laid_out_like(parameter: Tensor, values: Tensor) -> Tensor:
    """The values in memory of their own, in the parameter's order there if they have its shape.

    Optimizers' fused kernels on the CPU pair a parameter's values with its gradient's and moments' by their place in
    memory, and a parameter may lie channels last.
    """
    if values.shape != parameter.shape:
        return values.clone()
    return torch.empty_like(parameter, dtype=values.dtype, device=values.device).copy_(values)
