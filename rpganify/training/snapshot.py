"""What a checkpoint holds, as the state's own tensors or as a copy that stays as it is while the training goes on."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.errors import TrainingError
from rpganify.training.state import TrainingState, network_tensors
from rpganify.training.steps import ImageGenerator


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is written into a checkpoint.

    Args:
        step: generator steps that are done.
        model: the generator, for whoever writes it as a model of its own; None where nobody does.
        generator, discriminator: parameters and buffers by name; the model's own tensors, if there is one.
        optimizers: as `TrainingState.optimizer_tensors` names them.
        numbers: as `TrainingState.to_json` gives them.
    """

    step: int
    model: ImageGenerator | None
    generator: Mapping[str, Tensor]
    discriminator: Mapping[str, Tensor]
    optimizers: Mapping[str, Tensor]
    numbers: Mapping[str, Any]


def view(state: TrainingState) -> Snapshot:
    """The state's own tensors: right until its next step."""
    return Snapshot(
        state.step,
        state.generator,
        network_tensors(state.generator),
        network_tensors(state.discriminator),
        state.optimizer_tensors(),
        state.to_json(),
    )


class SnapshotMemory:
    """CPU memory for one copy of a training's state, filled anew at each checkpoint.

    A snapshot is right until the next one is taken.

    Args:
        generator: of the training.
        keeps_model: whether snapshots hold the generator as a model; it is copied here, once.
    Raises:
        TrainingError: the generator cannot be copied.
    """

    def __init__(self, generator: ImageGenerator, *, keeps_model: bool) -> None:
        self._model = _copy_on_cpu(generator) if keeps_model else None
        self._generator: Mapping[str, Tensor] = {}
        self._discriminator: Mapping[str, Tensor] = {}
        self._optimizers: Mapping[str, Tensor] = {}

    def take(self, state: TrainingState) -> Snapshot:
        """Copy the state.

        Raises:
            TrainingError: the generator has other tensors than before, and cannot be copied again.
        """
        tensors = network_tensors(state.generator)
        if self._model is not None:
            if _shapes(network_tensors(self._model)) != _shapes(tensors):
                self._model = _copy_on_cpu(state.generator)
            self._generator = network_tensors(self._model)
        self._generator = _copied(tensors, self._generator)
        self._discriminator = _copied(network_tensors(state.discriminator), self._discriminator)
        self._optimizers = _copied(state.optimizer_tensors(), self._optimizers)
        return Snapshot(
            state.step, self._model, self._generator, self._discriminator, self._optimizers, state.to_json()
        )


def _copied(values: Mapping[str, Tensor], kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The values in CPU memory of their own: what is kept under a name, where it has the shape and type."""
    copies: dict[str, Tensor] = {}
    with torch.no_grad():
        for name, value in values.items():
            target = kept.get(name)
            if target is None or (target.shape, target.dtype) != (value.shape, value.dtype):
                target = torch.empty(value.shape, dtype=value.dtype)
            copies[name] = target.copy_(value)
    return copies


def _copy_on_cpu(generator: ImageGenerator) -> ImageGenerator:
    """A copy with memory for its parameters and buffers, which is not filled."""
    memo: dict[int, Any] = {}
    for tensor in network_tensors(generator).values():
        empty = torch.empty(tensor.shape, dtype=tensor.dtype)
        is_parameter = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(empty, requires_grad=tensor.requires_grad) if is_parameter else empty
    try:
        return copy.deepcopy(generator, memo)
    except Exception as error:
        raise TrainingError(
            f"{type(generator).__name__} cannot be copied ({type(error).__name__}: {error}), and checkpoints are written "
            "from a copy while the training goes on. Remove that attribute from the generator, or let the training wait "
            "for its checkpoints: TrainConfig(background_checkpoints=False)."
        ) from error


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}
