"""Adam that changes only the blocks of the last batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam


class BlockAdam(torch.optim.Adam):
    """Adam on the blocks that the last batch went through, and on parameters without blocks as ever.

    A different algorithm from Adam: a block that is not drawn keeps its weights and its moments, where Adam moves it on
    by its momentum, and a term of the loss on all blocks, such as the diversity loss, reaches the drawn ones only. What
    it saves is memory traffic: blocks that are not drawn are neither read nor written.

    Args:
        parameters: of the generator.
        buckets: bucket of each parameter, whose first axis is then the block; None for one without blocks.
        lr, betas: as of Adam.
        is_fused: use torch's fused kernel, on the CPU and on CUDA.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        buckets: Sequence[int | None],
        lr: float,
        betas: tuple[float, float],
        is_fused: bool,
    ) -> None:
        super().__init__(list(parameters), lr=lr, betas=betas, fused=True if is_fused else None)
        # A scaler of fp16 gradients then leaves out the whole step where one is infinite, rather than ask the kernel to.
        self._step_supports_amp_scaling = False
        self._buckets = tuple(buckets)
        self._present: list[list[int]] | None = None

    def choose(self, paths: Tensor) -> None:
        """Says through which blocks the batch went: int64 `(N, num_buckets)`, on the CPU."""
        self._present = [column.unique().tolist() for column in paths.unbind(1)]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step; `choose` was called for its batch, and is forgotten afterwards."""
        if self._present is None:
            raise RuntimeError("BlockAdam.step needs to know the batch: call choose(paths) first.")
        (group,) = self.param_groups
        chosen: list[list[Tensor]] = [[], [], [], [], []]
        for parameter, bucket in zip(group["params"], self._buckets, strict=True):
            if parameter.grad is None:
                continue
            tensors: tuple[Tensor, ...] = (parameter, parameter.grad, *self._moments(parameter))
            step = self.state[parameter]["step"]
            rows = [tensors]
            if bucket is not None:
                rows = [tuple(tensor[block] for tensor in tensors) for block in self._present[bucket]]
            for index, row in enumerate(rows):
                # Every row is counted on; the parameter's own count goes with the first.
                for values, value in zip(chosen, (*row, step if index == 0 else step.clone()), strict=True):
                    values.append(value)
        parameters, gradients, first, second, steps = chosen
        self._present = None
        if parameters:
            adam(
                parameters,
                gradients,
                first,
                second,
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

    def _moments(self, parameter: nn.Parameter) -> tuple[Tensor, Tensor]:
        state = self.state[parameter]
        if not state:
            device = parameter.device if parameter.is_cuda else "cpu"
            state["step"] = torch.zeros((), dtype=torch.float32, device=device)
            state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        return state["exp_avg"], state["exp_avg_sq"]
