"""How gradients come about and become changes: in which precision, and over which processes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rpganify.errors import TrainingError
from rpganify.training.processes import Processes

Precision = Literal["fp32", "bf16", "fp16"]
_TYPES: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Mechanics:
    """Computes and applies gradients for one training.

    Args:
        precision: of what the networks compute. Parameters, optimizers, losses and penalties stay in float32.
        processes: those that train together.
    Raises:
        TrainingError: the device does not compute in this precision.
    """

    def __init__(self, precision: Precision = "fp32", processes: Processes | None = None) -> None:
        self.processes = processes or Processes()
        self._device = self.processes.device
        self._type = _TYPES.get(precision)
        if self._type is torch.bfloat16 and self._device.type == "cuda" and not torch.cuda.is_bf16_supported():
            raise TrainingError(f"{torch.cuda.get_device_name()} does not compute in bf16. Take --precision fp16.")

    def casting(self) -> AbstractContextManager[Any]:
        """Inside, the networks compute in the training's precision."""
        if self._type is None:
            return nullcontext()
        return torch.autocast(self._device.type, self._type)

    def exactly(self) -> AbstractContextManager[Any]:
        """Inside, everything is computed in float32: gradients of gradients do not bear less."""
        if self._type is None:
            return nullcontext()
        return torch.autocast(self._device.type, enabled=False)

    def make_scaler(self) -> torch.amp.GradScaler | None:
        """What keeps fp16's gradients from vanishing; its state belongs to the training's. None otherwise."""
        return torch.amp.GradScaler(self._device.type) if self._type is torch.float16 else None

    @staticmethod
    def backward(total: Tensor, parameters: Sequence[nn.Parameter], scaler: torch.amp.GradScaler | None) -> None:
        """Add the gradients of `total` to those of `parameters`; no other gets any."""
        torch.autograd.backward(total if scaler is None else scaler.scale(total), inputs=parameters)

    def descend(self, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler | None) -> None:
        """One optimizer step by the gradients that are there, averaged over all processes."""
        self.processes.average_gradients(parameters_of(optimizer))
        if scaler is None:
            optimizer.step()
            return
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()


def parameters_of(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """What an optimizer changes."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
