"""Axes of a latent space: orthonormal directions, sorted by how much they change the image."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from rpganify.errors import AnalysisError
from rpganify.report.report import JsonValue


@dataclass(frozen=True, slots=True)
class Axes:
    """Directions in a latent space, those that change the image most first.

    Args:
        directions: unit vectors, at right angles, one per row, float64 `(k, D)`; D counts the latent's values, flattened.
        eigenvalues: of the metric along each, float64 `(k,)`, falling: moving by a small t along one moves the image by
            the distance `t·√(λ/2)`, as the metric is twice JᵀJ.
        positions: the latents whose metric, or mean of metrics, has these axes, float64 `(n, D)`.
        provenance: where they come from: model, distance, form, seed; JSON data.
    Raises:
        AnalysisError: shapes that do not fit together, or directions that are no unit vectors at right angles.
    """

    directions: Tensor
    eigenvalues: Tensor
    positions: Tensor
    provenance: dict[str, JsonValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = tuple(tuple(part.shape) for part in (self.directions, self.eigenvalues, self.positions))
        if [len(shape) for shape in shapes] != [2, 1, 2] or shapes[0] != (shapes[1][0], shapes[2][1]):
            raise AnalysisError(
                f"Axes are directions (k, D), k eigenvalues and positions (n, D); got {shapes[0]}, {shapes[1]} and "
                f"{shapes[2]}. `axes_of` makes them of an eigendecomposition."
            )
        if not all(torch.isfinite(part).all() for part in (self.directions, self.eigenvalues, self.positions)):
            raise AnalysisError("Axes hold finite numbers, and these hold NaN or infinity. Compute the metric again.")
        found = self.directions.double() @ self.directions.double().T
        off = float((found - torch.eye(len(found), dtype=torch.float64)).abs().max()) if len(found) else 0.0
        if off > 1e-3:  # eigenvectors in float32 are orthonormal within 1e-5
            raise AnalysisError(
                f"Axes are unit vectors at right angles; these differ from that by {off:.2g} in a product of two. Take "
                "the eigenvectors of one symmetric matrix."
            )

    def __len__(self) -> int:
        """How many there are."""
        return len(self.directions)

    @property
    def dimension(self) -> int:
        """Of the latent space."""
        return self.directions.shape[1]


def axes_of(
    eigenvalues: Tensor,
    eigenvectors: Tensor,
    positions: Tensor,
    provenance: dict[str, JsonValue] | None = None,
) -> Axes:
    """The axes of an eigendecomposition, sorted, each with a sign that does not depend on how it was computed.

    Args:
        eigenvalues: `(k,)`, in any order.
        eigenvectors: one per column, `(D, k)`, as `torch.linalg.eigh` gives them.
        positions: the latents that the metric was taken at, `(n, D)` or `(n, *latent)`.
        provenance: where they come from.
    Raises:
        AnalysisError: shapes that do not fit together, or vectors that are not orthonormal.
    """
    order = eigenvalues.double().cpu().argsort(descending=True, stable=True)
    directions = eigenvectors.double().cpu().T[order]
    flat = positions.double().cpu().reshape(len(positions), -1)
    return Axes(_signed(directions), eigenvalues.double().cpu()[order], flat, provenance or {})


def mean_axes(metrics: Tensor, positions: Tensor, provenance: dict[str, JsonValue] | None = None) -> Axes:
    """The axes of the mean of several positions' metrics.

    Args:
        metrics: symmetric, `(n, D, D)`.
        positions: `(n, D)` or `(n, *latent)`.
        provenance: where they come from.
    """
    eigenvalues, eigenvectors = torch.linalg.eigh(metrics.double().mean(dim=0))
    return axes_of(eigenvalues, eigenvectors, positions, provenance)


def choose_axes(num_axes: int, num_top: int = 6, num_other: int = 3) -> tuple[int, ...]:
    """Which axes to show: the first ones, and for contrast some at equal intervals from there to the last.

    Args:
        num_axes: that there are.
        num_top: of the first.
        num_other: of the rest; the last axis is among them.
    Returns:
        Indices, rising.
    """
    top = range(min(num_top, num_axes))
    if num_axes <= num_top or num_other < 1:
        return tuple(top)
    spaced = torch.linspace(len(top) - 1, num_axes - 1, num_other + 1)[1:].round().long().tolist()
    return tuple(dict.fromkeys([*top, *(int(index) for index in spaced)]))


def _signed(directions: Tensor) -> Tensor:
    """Each row with the sign that makes its largest component positive: an eigenvector's own sign is chance."""
    if not len(directions):
        return directions
    largest = directions.abs().argmax(dim=1, keepdim=True)
    return directions * torch.where(directions.gather(1, largest) < 0, -1.0, 1.0)
