"""Samples that are no pictures, in memory: sound, other signals, points."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.data.images import check_labels
from rpganify.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class MemorySignals:
    """Samples of any shape that lie in memory.

    Args:
        name: as the user would write it.
        values: int16, or float32 in [-1, 1], `(N, *shape)`; sound is `(N, channels, length)`.
        labels: int64 `(N,)`, or None.
        class_names: one per label; empty without labels.
        note: what was done to the samples on reading.
        sample_rate: samples per second, if it is sound.
    Raises:
        DataError: no sample, another type, values beyond [-1, 1], or labels that do not match.
    """

    name: str
    values: Tensor
    labels: Tensor | None = None
    class_names: tuple[str, ...] = ()
    note: str = ""
    sample_rate: int | None = None

    def __post_init__(self) -> None:
        if self.values.dim() < 2 or self.values.dtype not in (torch.int16, torch.float32) or self.values.numel() == 0:
            raise DataError(
                f"The samples of {self.name} are {self.values.dtype} {tuple(self.values.shape)}; "
                "signals are at least one, as int16 or float32 (N, *shape)."
            )
        # Not "> 1": that is false for NaN, too.
        if self.values.dtype == torch.float32 and not bool((self.values.abs() <= 1).all()):
            raise DataError(
                f"The samples of {self.name} go from {float(self.values.min())} to {float(self.values.max())}; "
                "signals as float32 are in [-1, 1]. Divide them by their largest magnitude."
            )
        check_labels(self.name, self.labels, len(self.values), self.class_names)

    @property
    def is_in_memory(self) -> bool:
        """Always."""
        return True

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Of every sample; `(channels, length)` for sound."""
        return tuple(self.values.shape[1:])

    @property
    def num_classes(self) -> int | None:
        """How many labels the set knows; None without labels."""
        return len(self.class_names) or None

    def __len__(self) -> int:
        return len(self.values)

    def images(self, indices: Tensor) -> Tensor:
        """The samples at int64 `(B,)` indices, `(B, *image_shape)`, of the type they lie in memory as."""
        return self.values[indices]
