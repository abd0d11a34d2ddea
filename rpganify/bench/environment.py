"""Under what the times were taken."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch


@dataclass(frozen=True, slots=True)
class Environment:
    """What times depend on besides the generator.

    Args:
        device: `cpu`, or the name of a GPU.
        num_threads: of torch on the CPU.
        torch_version: of the library.
        keeps_memory: whether memory that tensors give back stays with the process, see `rpganify.memory`.
        kernel: the pinned one, or `auto`.
    """

    device: str
    num_threads: int
    torch_version: str
    keeps_memory: bool
    kernel: str

    @classmethod
    def here(cls, device: torch.device, *, keeps_memory: bool, kernel: str) -> Environment:
        """That of this process."""
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
        return cls(name, torch.get_num_threads(), torch.__version__, keeps_memory, kernel)

    def to_json(self) -> dict[str, str | int | bool]:
        """Plain data."""
        return asdict(self)
