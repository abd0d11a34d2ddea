"""Real batches for a training: the places of a data order, read ahead while the networks run."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType

import torch
from torch import Tensor

from rpganify.data.images import ImageData, is_in_memory, read_images, to_float
from rpganify.errors import DataError
from rpganify.training.reading.ahead import Readers
from rpganify.training.reading.order import DataOrder


@dataclass(frozen=True, slots=True, eq=False)
class RealBatch:
    """What a step learns from.

    Args:
        images: float32 `(n, C, H, W)` in [-1, 1], on the device of the networks.
        labels: int64 `(n,)`, there too; None where the data set has none.
    """

    images: Tensor
    labels: Tensor | None


class Feed:
    """Gives the batches of a data order; a context manager, as it may have workers that read ahead.

    What a batch holds follows from the order and the position alone: it is the same with any number of workers, and after
    a training went back or was resumed. Images that lie in memory are copied when they are asked for, which no
    worker would make faster; what workers are otherwise, `reading.Readers` says.

    Example:
        with Feed(data, DataOrder(len(data), seed=0), 64, num_workers=2) as feed:
            batch = feed.batch(0)

    Args:
        data: real images.
        order: which image comes when.
        count: places of the order in a batch of all processes together.
        part: which of them this process takes.
        num_workers: how many batches are read ahead of the one that is asked for, and by how many processes images are
            decoded; 0 reads when asked.
        device: where the batches go.
    Raises:
        DataError: less than one image in a batch, or a negative number of workers.
    """

    def __init__(
        self,
        data: ImageData,
        order: DataOrder,
        count: int,
        *,
        part: slice = slice(None),
        num_workers: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        if not range(count)[part]:
            raise DataError(f"A batch of {count} places, of which {part} are taken, holds no image; take at least one.")
        if num_workers < 0:
            raise DataError(f"The number of workers that read {data.name} must be 0 or larger, got {num_workers}.")
        self._data = data
        self._order = order
        self._count = count
        self._part = part
        self._device = torch.device(device)
        self._labels = data.labels  # once: a selection gathers them anew each time
        self._ahead: deque[tuple[int, Tensor, Future[Tensor]]] = deque()
        self._num_ahead = num_workers
        self._readers = Readers(data, num_workers) if num_workers and not is_in_memory(data) else None

    def batch(self, position: int) -> RealBatch:
        """Places `position` to `position + count` of the order, of which the own part.

        Raises:
            DataError: an image is missing or damaged, or the data set gives something else than it promised.
        """
        indices, pixels = self._read(position)
        if self._device.type == "cuda":
            pixels = pixels.pin_memory()
        images = to_float(pixels.to(self._device, non_blocking=True))
        labels = None if self._labels is None else self._labels[indices].to(self._device)
        return RealBatch(images, labels)

    def close(self) -> None:
        """End the workers; what is being read is dropped. Later batches are read when they are asked for."""
        self._forget()
        if self._readers is not None:
            self._readers.close()
            self._readers = None

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, position: int) -> tuple[Tensor, Tensor]:
        """The indices of a batch and its images as the data set gives them; the batches after it are begun."""
        if self._readers is None:
            indices = self._indices(position)
            return indices, read_images(self._data, indices)
        if self._ahead and self._ahead[0][0] != position:  # the training went back, or skipped some
            self._forget()
        while len(self._ahead) <= self._num_ahead:
            start = position + self._count * len(self._ahead)
            indices = self._indices(start)
            self._ahead.append((start, indices, self._readers.begin(indices)))
        _, indices, reading = self._ahead.popleft()
        return indices, reading.result()

    def _indices(self, position: int) -> Tensor:
        return self._order.indices(position, self._count)[self._part]

    def _forget(self) -> None:
        for _, _, reading in self._ahead:
            reading.cancel()
        self._ahead.clear()
