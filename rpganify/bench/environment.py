"""Under what the times were taken."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass

import torch


@dataclass(frozen=True, slots=True)
class Environment:
    """What times depend on besides the generator.

    Args:
        device: `cpu`, or the name of a GPU.
        num_threads: of torch on the CPU.
        threads_sleep: whether they sleep between calls, or spin.
        torch_version: of the library.
        keeps_memory: whether memory that tensors give back stays with the process, see `rpganify.memory`.
        kernel: the pinned one, or `auto`.
    """

    device: str
    num_threads: int
    threads_sleep: bool
    torch_version: str
    keeps_memory: bool
    kernel: str

    @classmethod
    def here(cls, device: torch.device, *, keeps_memory: bool, kernel: str) -> Environment:
        """That of this process."""
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
        return cls(name, torch.get_num_threads(), _do_threads_sleep(), torch.__version__, keeps_memory, kernel)

    def to_json(self) -> dict[str, str | int | bool]:
        """Plain data."""
        return asdict(self)


def _do_threads_sleep() -> bool:
    """What the environment told OpenMP, which reads it when torch is imported."""
    is_passive = os.environ.get("OMP_WAIT_POLICY", "").strip().upper() == "PASSIVE"
    return os.environ.get("GOMP_SPINCOUNT", "0" if is_passive else "many").strip() == "0"
