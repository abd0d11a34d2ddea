"""Generators that no graph can repeat: each must be refused, with the class of problem and the line."""

from __future__ import annotations

import dataclasses
import random
import threading
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.generators.case import LATENT, image


class _OneLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)


class FlipsPythonsCoin(_OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        h = self.fc(z)
        if random.random() < 0.5:
            h = h * 2
        return image(h)


class FlipsNumpysCoin(_OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        return image(self.fc(z) * (1 + np.random.randint(2)))


class FlipsTorchsCoin(_OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        h = self.fc(z)
        if torch.rand(()) < 0.5:
            h = h * 2
        return image(h)


class FlipsInTraining(_OneLayer):
    """StyleGAN's style mixing: only in train mode."""

    def forward(self, z: Tensor) -> Tensor:
        h = self.fc(z)
        if self.training and random.random() < 0.9:
            h = h * 2
        return image(h)


class BranchesOnContent(_OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        h = self.fc(z)
        if h.mean() > 0:
            h = -h
        return image(h)


class ReadsAnItem(_OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        return image(self.fc(z) * z.norm().item())


class CountsInPython(_OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        return image(self.fc(z) + int((z > 0).sum()))


class LeavesForNumpy(_OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        angle = np.tanh(z.detach().numpy())
        return image(self.fc(z) * torch.from_numpy(angle).mean(1, keepdim=True))


class LeavesForALibrary(_OneLayer):
    """Through `np.asarray`, without a method call."""

    def forward(self, z: Tensor) -> Tensor:
        return image(self.fc(z) + float(np.asarray(z.detach()).max()))


class SelectsByMask(_OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        h = self.fc(z)
        return image(h - h[h > 0].mean())


class LoopsOverSamples(_OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([image(self.fc(row[None])) for row in z])


class LoopsOverTheBatchSize(_OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        return torch.stack([image(self.fc(z[i : i + 1]))[0] for i in range(z.shape[0])])


class BakesTheBatchIn(_OneLayer):
    """A batch size from the options file; the example has it."""

    batch_size = 4

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.fc(z).view(self.batch_size, 3, 4, 4))


class CutsNoiseToTheBatch(_OneLayer):
    """A tensor of the constructor with the batch axis of the options file, cut to the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.noise = torch.randn(4, 48)

    def forward(self, z: Tensor) -> Tensor:
        return image(self.fc(z) + self.noise[: len(z)])


class PairsSamples(_OneLayer):
    """N² pairs: no multiple of the batch."""

    def forward(self, z: Tensor) -> Tensor:
        h = self.fc(z)
        n = z.shape[0]
        pairs = (h[:, None] * h[None]).reshape(n * n, 48)
        return image(h + pairs.view(n, n, 48).mean(1) + torch.ones(n * n, 1).sum())


class DependsOnTheBatchSize(_OneLayer):
    """Another program for larger batches."""

    def forward(self, z: Tensor) -> Tensor:
        h = self.fc(z)
        if z.shape[0] > 3:
            h = torch.relu(h)
        return image(h)


class HoldsALock(_OneLayer):
    """An attribute that cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def forward(self, z: Tensor) -> Tensor:
        with self.lock:
            return image(self.fc(z))


class CountsItsCalls(_OneLayer):
    """A fade-in by a Python counter."""

    def __init__(self) -> None:
        super().__init__()
        self.step = 0

    def forward(self, z: Tensor) -> Tensor:
        self.step += 1
        return image(self.fc(z) * min(1.0, self.step / 10))


@dataclasses.dataclass
class Output:
    """What some libraries return."""

    image: Tensor


class ReturnsADataclass(_OneLayer):
    def forward(self, z: Tensor) -> Output:
        return Output(image(self.fc(z)))


class ReturnsText(_OneLayer):
    def forward(self, z: Tensor) -> Any:
        return "an image"


class ReturnsOneNumber(_OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        return self.fc(z).mean()


class ReturnsIndices(_OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        return self.fc(z).argmax(1)


class Raises(_OneLayer):
    def forward(self, z: Tensor) -> Tensor:
        raise NotImplementedError("load the checkpoint first")


class HasNoForward(_OneLayer):
    def decode(self, z: Tensor) -> Tensor:
        return image(self.fc(z))


class HasNoParameters(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z[:, :3, None, None].expand(-1, 3, 4, 4)


class TakesNothing(_OneLayer):
    def forward(self) -> Tensor:
        return image(self.fc(torch.randn(2, LATENT)))
