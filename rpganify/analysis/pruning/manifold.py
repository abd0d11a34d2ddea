"""Which generated images are like real ones: those inside the real ones' manifold, each by itself."""

from __future__ import annotations

import torch
from torch import Tensor

from rpganify.errors import AnalysisError

NUM_NEIGHBOURS = 3
_ROWS = 1000  # of a distance matrix at once: 1000 × 50 000 float64 values are 400 MB


def neighbour_radii(features: Tensor, num_neighbours: int = NUM_NEIGHBOURS) -> Tensor:
    """How far each point's k-th nearest other point is: float64 `(N,)`.

    Args:
        features: `(N, D)`, N > k.
        num_neighbours: k.
    Raises:
        AnalysisError: there are too few points.
    """
    if len(features) <= num_neighbours:
        raise AnalysisError(
            f"{len(features)} real images have no {num_neighbours} nearest neighbours each; take more than that."
        )
    found = []
    for start in range(0, len(features), _ROWS):
        rows = features[start : start + _ROWS].double()
        distances = torch.cdist(rows, features.double())
        distances[torch.arange(len(rows)), torch.arange(start, start + len(rows))] = torch.inf  # not itself
        found.append(distances.kthvalue(num_neighbours, dim=1).values)
    return torch.cat(found)


def is_inside(features: Tensor, real: Tensor, radii: Tensor) -> Tensor:
    """Whether each point lies in the ball of some real one: bool `(N,)`. Their share is the k-NN precision.

    Args:
        features: of generated images, `(N, D)`.
        real: of real ones, `(M, D)`.
        radii: of `neighbour_radii(real)`, `(M,)`.
    Source:
        Kynkäänniemi et al. 2019.
    """
    found = [(torch.cdist(rows.double(), real.double()) <= radii).any(dim=1) for rows in features.split(_ROWS)]
    return torch.cat(found) if found else torch.empty(0, dtype=torch.bool)
