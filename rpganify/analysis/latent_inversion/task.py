"""What an inversion looks for: latents whose images have wanted features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rpganify.analysis.latents import LatentMap
from rpganify.errors import AnalysisError

CHUNK = 64  # latents per pass: larger batches are no faster on a CPU
# A backward pass takes about twice as long as a forward pass, each with as many products.
PASSES_PER_GRADIENT = 3


@dataclass(frozen=True, slots=True)
class Task:
    """Targets and the latents that their search begins at, the same for every method.

    Args:
        space: images of latents.
        describe: images `(N, C, H, W)` to features `(N, …)` whose Euclidean distance is the image distance; differentiable.
        wanted: features of the targets `(T, F)`.
        starts: one latent per target, `(T, D)`.
    Raises:
        AnalysisError: not one start per target, or there is none.
    """

    space: LatentMap
    describe: Callable[[Tensor], Tensor] = field(repr=False)
    wanted: Tensor = field(repr=False)
    starts: Tensor = field(repr=False)

    def __post_init__(self) -> None:
        if not len(self.wanted) or self.starts.shape != (len(self.wanted), self.space.dim):
            raise AnalysisError(
                f"An inversion has at least one target, and one start of {self.space.dim} values for each; got "
                f"{len(self.wanted)} targets and starts {tuple(self.starts.shape)}."
            )

    def __len__(self) -> int:
        """Number of targets."""
        return len(self.wanted)

    def chosen(self, targets: Tensor) -> Task:
        """Some of the targets, or some more than once; int64 `(n,)`."""
        return Task(self.space, self.describe, self.wanted[targets], self.starts[targets])

    def squares(self, latents: Tensor, targets: Tensor) -> Tensor:
        """Squared image distances `(n,)` of latents `(n, D)` from the targets at `targets` `(n,)`, differentiable."""
        features = self.describe(self.space.images(latents)).flatten(1)
        squares: Tensor = (features - self.wanted[targets]).square().sum(dim=1)
        return squares

    def distances(self, latents: Tensor, targets: Tensor) -> Tensor:
        """Image distances, float64 `(n,)` on the CPU, chunk by chunk and without gradients."""
        with torch.no_grad():
            parts = zip(latents.split(CHUNK), targets.split(CHUNK), strict=True)
            return torch.cat([self.squares(*part).double().sqrt().cpu() for part in parts])


@dataclass(frozen=True, slots=True)
class Search:
    """How a method fared on every target.

    Args:
        passes: generator passes spent when each column was reached, int64 `(P,)`, rising; a backward pass counts two.
        distances: the smallest distance so far, float64 `(T, P)`.
        latents: that it was reached at in the end, `(T, D)`.
    """

    passes: Tensor
    distances: Tensor
    latents: Tensor

    @property
    def final(self) -> Tensor:
        """The smallest distance to each target, float64 `(T,)`."""
        return self.distances[:, -1]
