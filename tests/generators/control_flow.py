"""Python around the tensors: branches, loops, lists, in-place work, modules used twice."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.generators.case import LATENT, Case, by_position, image


class BranchesOnShapes(nn.Module):
    """Asks for dimensions, sizes and types, grows until the size is right."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 8)
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.to_rgb = nn.Conv2d(8, 3, 1)
        self.size = 4

    def forward(self, z: Tensor) -> Tensor:
        assert z.ndim in (2, 4) and z.shape[1] == LATENT, "latents expected"
        if z.dim() == 4:
            z = z.flatten(1)
        if z.dtype is torch.float16 or not isinstance(z, Tensor):
            raise TypeError("no half precision")
        batch, *_ = z.shape
        h = self.fc(z).view(batch, -1, 1, 1)
        while h.shape[-1] < self.size:
            h = F.interpolate(h, scale_factor=2)
            h = F.leaky_relu(self.conv(h), 0.2)
        return torch.tanh(self.to_rgb(h))


class DiffersInTraining(nn.Module):
    """Another program in train mode: one more layer, another scale."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)
        self.extra = nn.Linear(48, 48)

    def forward(self, z: Tensor) -> Tensor:
        h = torch.sin(self.fc(z))
        if self.training:
            h = h + 0.5 * self.extra(h)
        return image(h * (2.0 if self.training else 1.0))


class ListsAndLengths(nn.Module):
    """Chunks, lists, len, zip, a starred call."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(2, 4) for _ in range(3))
        self.out = nn.Linear(12, 48)

    def forward(self, z: Tensor) -> Tensor:
        pieces = list(z.split(2, dim=1))
        assert len(pieces) == len(self.parts)
        made = [part(piece) * (i + 1) for i, (part, piece) in enumerate(zip(self.parts, pieces, strict=True))]
        first, *rest = made
        return image(self.out(self._joined(first, *rest)))

    def _joined(self, *tensors: Tensor) -> Tensor:
        return torch.cat([*tensors], dim=1)


class StarredForward(nn.Module):
    """`forward(*args)`, as GUIs and DataParallel wrappers have it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)
        self.map = nn.Linear(2, 48)

    def forward(self, *args: Tensor) -> Tensor:
        z, y = args
        return image(self.fc(z) + self.map(y))


class WorksInPlace(nn.Module):
    """In-place operators, methods, activations and item assignment on activations."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.act = nn.ReLU(inplace=True)

    def forward(self, z: Tensor) -> Tensor:
        h = self.fc(z)
        h += 0.1
        h.mul_(2.0).clamp_(-3, 3)
        x = h.view(-1, 3, 4, 4)
        x = self.act(self.conv(x)) + 0.1
        x[:, 0] = x[:, 0] * 0.5
        x[:, 1:, 0, 0] -= 0.25
        F.leaky_relu_(x, 0.2)
        return torch.tanh(x)


class NormalisesItsInputInPlace(nn.Module):
    """The latent itself is written to; authors feed one that needs no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)

    def forward(self, z: Tensor) -> Tensor:
        z /= z.norm(dim=1, keepdim=True)
        return image(self.fc(z))


class NormalisesItsInput(NormalisesItsInputInPlace):
    """The same, for a latent that needs gradients."""

    def forward(self, z: Tensor) -> Tensor:
        return image(self.fc(z / z.norm(dim=1, keepdim=True)))


class LoopsOverModules(nn.Module):
    """ModuleList and ModuleDict in loops with skips, as progressive generators are built."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 8)
        self.convs = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(2))
        self.to_rgb = nn.ModuleDict({str(size): nn.Conv2d(8, 3, 1) for size in (2, 4)})

    def forward(self, z: Tensor) -> Tensor:
        x = self.fc(z)[:, :, None, None]
        skip = None
        for index, conv in enumerate(self.convs):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = torch.relu(conv(x)) + x
            rgb = self.to_rgb[str(2 ** (index + 1))](x)
            skip = rgb if skip is None else F.interpolate(skip, scale_factor=2, mode="bilinear") + rgb
        assert skip is not None
        return torch.tanh(skip)


class UsesModulesTwice(nn.Module):
    """One layer, several places."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(LATENT, 8)
        self.again = nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.out = nn.Linear(8, 48)

    def forward(self, z: Tensor) -> Tensor:
        h = self.first(z)
        for _ in range(3):
            h = torch.relu(self.again(self.norm(h)))
        return image(self.out(h))


class TiesWeights(nn.Module):
    """Two layers over one weight, each with its own bias."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(LATENT, LATENT)
        self.two = nn.Linear(LATENT, LATENT)
        self.two.weight = self.one.weight
        self.out = nn.Linear(LATENT, 48)

    def forward(self, z: Tensor) -> Tensor:
        return image(self.out(torch.relu(self.two(torch.relu(self.one(z))))))


class UsesOneModuleUnderTwoNames(nn.Module):
    """The state dict lists such a layer twice."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(LATENT, LATENT)
        self.two = self.one
        self.out = nn.Linear(LATENT, 48)

    def forward(self, z: Tensor) -> Tensor:
        return image(self.out(torch.relu(self.two(torch.relu(self.one(z))))))


class Checkpoints(nn.Module):
    """Activations recomputed in backward, without reentrant autograd."""

    is_reentrant = False

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 16)
        self.block = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16))
        self.out = nn.Linear(16, 48)

    def forward(self, z: Tensor) -> Tensor:
        h = self.fc(z)
        h = checkpoint(self.block, h, use_reentrant=self.is_reentrant) if self.training else self.block(h)
        return image(self.out(h))


class CheckpointsReentrant(Checkpoints):
    """The older kind, an autograd.Function."""

    is_reentrant = True


class HasUnusedParts(nn.Module):
    """Layers and parameters that forward never touches."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(LATENT, 48)
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.temperature = nn.Parameter(torch.ones(1))

    def forward(self, z: Tensor) -> Tensor:
        self.last = h = self.fc(z)
        return image(h)


class NestsInAttributes(nn.Module):
    """Calls through methods, lambdas, functools and a python module kept as an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.functional = F
        self.act: Any = lambda x: F.leaky_relu(x, 0.1)
        self.net = nn.Sequential(nn.Linear(LATENT, 16), nn.Sequential(nn.Tanh(), nn.Linear(16, 48)))

    def forward(self, z: Tensor) -> Tensor:
        return image(self.functional.softplus(self.act(self.net(z))) - 1)


def with_labels(batch: int, draws: torch.Generator) -> dict[str, Any]:
    return {"z": torch.randn(batch, LATENT, generator=draws), "y": torch.randn(batch, 2, generator=draws)}


CASES = (
    Case(BranchesOnShapes),
    Case(DiffersInTraining),
    Case(ListsAndLengths, is_found=False),
    Case(StarredForward, with_labels, is_found=False, call=by_position),
    Case(WorksInPlace),
    Case(NormalisesItsInputInPlace, reference=NormalisesItsInput),
    Case(LoopsOverModules),
    Case(UsesModulesTwice, buckets=("first", "again", "out"), norm="per-block"),
    Case(TiesWeights, buckets=("one,two", "out")),
    Case(UsesOneModuleUnderTwoNames),
    Case(Checkpoints),
    Case(CheckpointsReentrant, reference=Checkpoints),
    Case(HasUnusedParts),
    Case(NestsInAttributes),
)
