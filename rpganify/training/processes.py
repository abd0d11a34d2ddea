"""The processes that train together, on one machine or several: what each one's share is, and what they tell each other.

`accelerate launch` and `torchrun` start them; accelerate sets up their device and the way between them. Gradients are
averaged here rather than by a wrapper around the networks: a GAN's step calls a network several times, with and without
gradients of gradients, which such wrappers do not count on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.errors import TrainingError
from rpganify.training.networks import laid_out_like

# Gradients that travel together; two copies of so many values are held for it.
_CHUNK = 2**24


class Processes:
    """This process among those of a training; alone, everything here costs nothing.

    Args:
        device: where this process's networks are.
        rank: of this process, from 0.
        count: how many there are.
    """

    def __init__(self, device: torch.device | str = "cpu", rank: int = 0, count: int = 1) -> None:
        self.device = torch.device(device)
        self.rank = rank
        self.count = count

    @classmethod
    def joined(cls, device: torch.device | str = "cpu") -> Processes:
        """This process, joined with those that a launcher started beside it, if one did.

        Args:
            device: where to train when alone; with others accelerate gives each its own of this type.
        Raises:
            TrainingError: the processes cannot reach each other.
        """
        device = torch.device(device)
        if not is_launched():
            return cls(device)
        from accelerate import PartialState

        try:
            state = PartialState(cpu=device.type == "cpu")
        except (RuntimeError, ValueError) as error:
            raise TrainingError(
                f"The processes of this training cannot join: {error}. Check the launcher's address, port and number of "
                "processes."
            ) from error
        return cls(state.device, state.process_index, state.num_processes)

    @property
    def is_main(self) -> bool:
        """Whether this one writes and talks."""
        return self.rank == 0

    def share(self, num_samples: int) -> slice:
        """This process's places among those of all, `num_samples` for each."""
        return slice(self.rank * num_samples, (self.rank + 1) * num_samples)

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient by its mean over all processes; where some have none, theirs counts as 0."""
        if self.count == 1:
            return
        has_one = self._sum(torch.tensor([p.grad is not None for p in parameters], device=self.device).float())
        present = [p for p, number in zip(parameters, has_one.tolist(), strict=True) if number]
        start = 0
        while start < len(present):
            stop, size, kind = start, 0, present[start].dtype
            while stop < len(present) and present[stop].dtype == kind and (size < _CHUNK or stop == start):
                size += present[stop].numel()
                stop += 1
            self._average(present[start:stop])
            start = stop

    def mean(self, values: Sequence[float]) -> list[float]:
        """The mean of each value over all processes."""
        if self.count == 1:
            return list(values)
        total = self._sum(torch.tensor(values, dtype=torch.float64, device=self._number_device))
        return (total / self.count).tolist()

    def any(self, flag: bool) -> bool:
        """Whether it is true in any process; all of them ask at the same place."""
        if self.count == 1:
            return flag
        return bool(self._sum(torch.tensor([float(flag)], device=self.device)).item())

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, by rank; plain data only."""
        if self.count == 1:
            return [value]
        found: list[Any] = [None] * self.count
        with _reaching_others():
            torch.distributed.all_gather_object(found, value)
        return found

    def agree(self, tensors: Sequence[Tensor]) -> None:
        """Give all processes the main one's values, in place."""
        if self.count > 1:
            with torch.no_grad(), _reaching_others():
                for tensor in tensors:
                    values = tensor.detach().contiguous()
                    torch.distributed.broadcast(values, src=0)
                    tensor.copy_(values)

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.count > 1:
            with _reaching_others():
                torch.distributed.barrier()

    def _average(self, parameters: Sequence[nn.Parameter]) -> None:
        flat = torch.cat([torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in parameters])
        self._sum(flat).div_(self.count)
        for parameter, values in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            gradient = values.view(parameter.shape)
            parameter.grad = gradient if parameter.is_contiguous() else laid_out_like(parameter, gradient)

    @property
    def _number_device(self) -> torch.device:
        return self.device

    @staticmethod
    def _sum(values: Tensor) -> Tensor:
        with _reaching_others():
            torch.distributed.all_reduce(values)
        return values


@contextmanager
def _reaching_others() -> Iterator[None]:
    """Turns the end of another process into a refusal, which is what it is for this one."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).partition(" This is typically")[0]  # what follows is advice for whoever works on gloo
        raise TrainingError(
            f"Another process of this training has ended, or is not to be reached any more: {reason} What ended it stands "
            "beside this; mend that, then go on with --resume."
        ) from error


def is_launched() -> bool:
    """Whether a launcher started this process together with others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1
