"""Which images of the data set come when: a new permutation each epoch, a function of seed and position only."""

from __future__ import annotations

import torch
from torch import Tensor

from rpganify.errors import TrainingError
from rpganify.training.randomness import stream


class DataOrder:
    """An endless sequence of image indices; every epoch holds each image once.

    A batch may span epochs, so that every batch is full, also where the data set is smaller than a batch.

    Args:
        num_images: images of the data set, >= 1.
        seed: of the permutations.
    Raises:
        TrainingError: the data set is empty.
    """

    def __init__(self, num_images: int, seed: int) -> None:
        if num_images < 1:
            raise TrainingError("The data set holds no images. Check its label filter or folder.")
        self.num_images = num_images
        self.seed = seed
        self._epoch = -1
        self._permutation = torch.empty(0, dtype=torch.int64)

    def indices(self, position: int, count: int) -> Tensor:
        """Places `position` to `position + count` of the sequence: int64 `(count,)`."""
        parts: list[Tensor] = []
        end = position + count
        while position < end:
            epoch, offset = divmod(position, self.num_images)
            part = self._permutation_of(epoch)[offset : offset + end - position]
            parts.append(part)
            position += len(part)
        return torch.cat(parts)

    def _permutation_of(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            self._permutation = torch.randperm(self.num_images, generator=stream(self.seed, "order", epoch))
            self._epoch = epoch
        return self._permutation
