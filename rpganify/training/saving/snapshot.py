"""What a checkpoint holds, as the state's own tensors or as a copy that stays as it is while the training goes on."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.errors import TrainingError
from rpganify.training.networks import ImageGenerator, fill_network, network_tensors
from rpganify.training.state import TrainingState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is written into a checkpoint.

    Args:
        step: generator steps that are done.
        models: the `generator` and, if one is kept, its average `ema`, for whoever writes them as models of their own;
            empty where nobody does.
        networks: parameters and buffers by name, of each network; the models' own tensors, if there are models.
        optimizers: as `TrainingState.optimizer_tensors` names them.
        numbers: as `TrainingState.to_json` gives them.
    """

    step: int
    models: Mapping[str, ImageGenerator]
    networks: Mapping[str, Mapping[str, Tensor]]
    optimizers: Mapping[str, Tensor]
    numbers: Mapping[str, Any]


def view(state: TrainingState, random_states: Sequence[Mapping[str, Any]] | None = None) -> Snapshot:
    """The state's own tensors: right until its next step.

    Args:
        random_states: as of `TrainingState.to_json`.
    """
    numbers = state.to_json(random_states)
    return Snapshot(state.step, _models(state), state.networks(), state.optimizer_tensors(), numbers)


def restore(snapshot: Snapshot, state: TrainingState, rank: int = 0) -> None:
    """Put networks, optimizers, random generators and numbers where they were.

    A moving average that was not kept so far begins here.

    Raises:
        ValueError: the snapshot is of other networks.
    """
    fill_network(state.generator, snapshot.networks["generator"])
    fill_network(state.discriminator, snapshot.networks["discriminator"])
    if state.average is not None:
        fill_network(state.average.generator, snapshot.networks.get("ema", snapshot.networks["generator"]))
    state.restore_optimizers(snapshot.optimizers)
    state.restore_json(snapshot.numbers, rank)


class SnapshotMemory:
    """CPU memory for one copy of a training's state, filled anew at each checkpoint.

    A snapshot is right until the next one is taken.

    Args:
        keeps_models: whether snapshots hold the generator, and its average, as models; they are copied once.
    """

    def __init__(self, *, keeps_models: bool) -> None:
        self._keeps_models = keeps_models
        self._models: dict[str, ImageGenerator] = {}
        self._networks: dict[str, Mapping[str, Tensor]] = {}
        self._optimizers: Mapping[str, Tensor] = {}

    def take(self, state: TrainingState, random_states: Sequence[Mapping[str, Any]] | None = None) -> Snapshot:
        """Copy the state.

        Args:
            random_states: as of `TrainingState.to_json`.
        Raises:
            TrainingError: the generator cannot be copied.
        """
        for name, model in _models(state).items() if self._keeps_models else ():
            kept = self._models.get(name)
            if kept is None or _shapes(network_tensors(kept)) != _shapes(network_tensors(model)):
                self._models[name] = _copy_on_cpu(model)
            self._networks[name] = network_tensors(self._models[name])
        for name, tensors in state.networks().items():
            self._networks[name] = _copied(tensors, self._networks.get(name, {}))
        self._optimizers = _copied(state.optimizer_tensors(), self._optimizers)
        numbers = state.to_json(random_states)
        return Snapshot(state.step, dict(self._models), dict(self._networks), self._optimizers, numbers)


def _models(state: TrainingState) -> dict[str, ImageGenerator]:
    models = {"generator": state.generator}
    if state.average is not None:
        models["ema"] = state.average.generator
    return models


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
