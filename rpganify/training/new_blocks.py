"""Training of a grown model's new blocks: Adam that does not even write old ones, and running statistics of new ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from rpganify.errors import TrainingError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.routing.layers import RoutedLayer
from rpganify.surgery.restack import new_rows, old_blocks

log = logging.getLogger(__name__)


class NewBlocksAdam(torch.optim.Adam):
    """Adam on the last rows of each parameter, with moments of these rows alone.

    What it leaves out is not read and not written, so neither a gradient of it, nor momentum, nor a term of the loss on
    all blocks, such as the diversity loss, can change a bit of it.

    Args:
        parameters: of the generator, block axis first.
        first_rows: of each parameter, the first row that is trained.
        lr, betas: as of Adam.
        is_fused: use torch's fused kernel, on the CPU and on CUDA.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        first_rows: Sequence[int],
        lr: float,
        betas: tuple[float, float],
        is_fused: bool,
    ) -> None:
        super().__init__(list(parameters), lr=lr, betas=betas, fused=True if is_fused else None)
        # A scaler of fp16 gradients then leaves out the whole step where one is infinite, rather than ask the kernel to.
        self._step_supports_amp_scaling = False
        self._first_rows = tuple(first_rows)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step by the gradients that are there."""
        (group,) = self.param_groups
        chosen: list[list[Tensor]] = [[], [], [], [], []]
        for parameter, first in zip(group["params"], self._first_rows, strict=True):
            if parameter.grad is None:
                continue
            rows = parameter[first:]
            state = self.state[parameter]
            if not state:
                device = parameter.device if parameter.is_cuda else "cpu"
                state["step"] = torch.zeros((), dtype=torch.float32, device=device)
                state["exp_avg"] = torch.zeros_like(rows, memory_format=torch.preserve_format)
                state["exp_avg_sq"] = torch.zeros_like(rows, memory_format=torch.preserve_format)
            values = (rows, parameter.grad[first:], state["exp_avg"], state["exp_avg_sq"], state["step"])
            for those, value in zip(chosen, values, strict=True):
                those.append(value)
        if chosen[0]:
            parameters, gradients, first_moments, second_moments, steps = chosen
            adam(
                parameters,
                gradients,
                first_moments,
                second_moments,
                [],
                steps,
                fused=bool(group["fused"]),
                amsgrad=False,
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                lr=group["lr"],
                weight_decay=0.0,
                eps=group["eps"],
                maximize=False,
            )


def trainable_rows(generator: object) -> dict[str, int]:
    """The parameters that hold new blocks -> the first of these rows.

    Raises:
        TrainingError: it is no converted model, or one without new blocks.
    """
    if not isinstance(generator, RandomPathGenerator) or old_blocks(generator) is None:
        raise TrainingError(
            "This model has no new blocks, so there is nothing that could be trained or drawn alone. `rpganify grow "
            "MODEL --add …` adds blocks to it; without --only-new and --sampling new all blocks are trained and drawn."
        )
    parameters = dict(generator.named_parameters())
    return {name: first for name, first in new_rows(generator).items() if name in parameters}


@dataclass(frozen=True, slots=True)
class NewStatistics:
    """The layers in which new blocks have running statistics of their own: norms that are not shared.

    Args:
        layers: each with its first new block.
    """

    layers: tuple[tuple[RoutedLayer, int], ...]

    @classmethod
    def of(cls, generator: object) -> NewStatistics:
        """Those of a model that has grown.

        Values that the generator's own code writes, rather than a layer of torch's or of a plugin, are not gathered: that
        code is traced for all blocks alike. They are named in a log warning.

        Raises:
            TrainingError: as of `trainable_rows`.
        """
        trainable_rows(generator)
        assert isinstance(generator, RandomPathGenerator)
        rows = new_rows(generator)
        left = {name for name, _ in generator.named_buffers() if name in rows}
        layers = []
        for path, module in generator.named_modules():
            names = [f"{path}.{name}" for name, _ in module.named_buffers()] if isinstance(module, RoutedLayer) else []
            if isinstance(module, RoutedLayer) and (held := left.intersection(names)):
                layers.append((module, rows[min(held)]))
                left -= held
        if left:
            log.warning(
                "What the generator's own code keeps of the batches it has seen stays, for new blocks too, as it was born: %s.",
                ", ".join(sorted(left)),
            )
        return cls(tuple(layers))

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Inside, new blocks of these layers are in train mode; old ones are not, and so keep every bit."""
        before = [(layer.training, layer.first_trained) for layer, _ in self.layers]
        for layer, first in self.layers:
            layer.training, layer.first_trained = True, first
        try:
            yield
        finally:
            for (layer, _), (mode, first) in zip(self.layers, before, strict=True):
                layer.training, layer.first_trained = mode, first
