"""The most memory that tensors take while something runs."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from rpganify.structure import tensors_of


def peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """Bytes of the tensors that are made while it runs, at the most that there are at one time.

    What an operation takes for itself, and what the process's allocator keeps besides, does not count on the CPU.
    """
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        run()
        return int(torch.cuda.max_memory_allocated(device)) - int(before)
    tally = _Tally()
    with tally:
        run()
    return tally.most


class _Tally(TorchDispatchMode):
    """Adds up the memory of every new tensor, and takes it off when the last view of it is gone."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most: int = 0
        self._taken = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for tensor in tensors_of((args, kwargs or {})):
            self._known.add(tensor.untyped_storage()._cdata)
        result = func(*args, **(kwargs or {}))
        for tensor in tensors_of(result):
            self._add(tensor)
        return result

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        address = storage._cdata
        if address in self._known:
            return
        self._known.add(address)
        self._taken += storage.nbytes()
        self.most = max(self.most, self._taken)
        weakref.finalize(storage, self._remove, address, storage.nbytes())

    def _remove(self, address: int, num_bytes: int) -> None:
        self._known.discard(address)
        self._taken -= num_bytes
