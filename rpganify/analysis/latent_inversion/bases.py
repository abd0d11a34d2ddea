"""Coordinates in which a latent is searched: plain ones, those of a metric's axes, and those scaled by its eigenvalues."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from rpganify.analysis.geometry.axes import Axes
from rpganify.errors import AnalysisError

PLAIN, EIGEN, PRECONDITIONED = "plain", "eigenbasis", "preconditioned"
# Of the largest eigenvalue. Without it the weakest axes, along which the image stands still, would take the largest steps.
RELATIVE_EPSILON = 1e-2


@dataclass(frozen=True, slots=True)
class Basis:
    """Coordinates `c` of latents `start + matrix · c`.

    The mean of the squared lengths of the columns is 1, so that a step of a given size means about the same in each basis.

    Args:
        name: as reports call it.
        matrix: `(D, k)`; k < D searches a part of the space only.
        holds_length: latents are scaled to the length of their start, which must not be 0.
    """

    name: str
    matrix: Tensor = field(repr=False)
    holds_length: bool = False

    @property
    def num_coordinates(self) -> int:
        """k."""
        return self.matrix.shape[1]

    def latents(self, starts: Tensor, coordinates: Tensor) -> Tensor:
        """Latents `(N, D)` of coordinates `(N, k)` that count from `starts` `(N, D)`."""
        moved: Tensor = starts + coordinates @ self.matrix.T.to(coordinates)
        if not self.holds_length:
            return moved
        scaled: Tensor = moved * (starts.norm(dim=1, keepdim=True) / moved.norm(dim=1, keepdim=True))
        return scaled

    def with_length_held(self) -> Basis:
        """The same coordinates, of latents on the sphere around 0 that their start lies on."""
        return Basis(f"{self.name}, length held", self.matrix, holds_length=True)


def plain_basis(dimension: int) -> Basis:
    """The latent's own values as coordinates."""
    return Basis(PLAIN, torch.eye(dimension, dtype=torch.float64))


def eigenbasis(axes: Axes, num_axes: int | None = None) -> Basis:
    """Coordinates along the axes of a metric.

    Args:
        axes: of the latent space.
        num_axes: only so many, the first ones; None takes all.
    Raises:
        AnalysisError: there are not so many.
    """
    count = len(axes) if num_axes is None else num_axes
    if not 1 <= count <= len(axes):
        raise AnalysisError(f"There are {len(axes)} axes, so a search takes the first 1 to {len(axes)}, not {count}.")
    name = EIGEN if count == axes.dimension else f"first {count} axes"
    return Basis(name, axes.directions[:count].T.contiguous())


def preconditioned_basis(axes: Axes, relative_epsilon: float = RELATIVE_EPSILON) -> Basis:
    """Coordinates along the axes, each scaled by `1/√(λ + ε)`: a unit moves the image about equally far along each.

    Args:
        axes: all of the latent space.
        relative_epsilon: ε, as a share of the largest eigenvalue.
    Raises:
        AnalysisError: the axes do not span the space, ε is negative, or an eigenvalue with ε is not above 0.
    """
    if len(axes) < axes.dimension:
        raise AnalysisError(
            f"{len(axes)} axes do not span {axes.dimension} dimensions, and what lies outside would never change; take "
            "them all."
        )
    damped = axes.eigenvalues.clamp_min(0) + relative_epsilon * axes.eigenvalues.max()
    if relative_epsilon < 0 or not bool((damped > 0).all()):
        raise AnalysisError(
            f"With ε = {relative_epsilon:g} of the largest eigenvalue, {float(axes.eigenvalues.max()):.3g}, some "
            f"eigenvalue and ε are not above 0 together; take an ε such as {RELATIVE_EPSILON:g}."
        )
    scales = damped.rsqrt()
    return Basis(PRECONDITIONED, axes.directions.T * (scales / scales.square().mean().sqrt()))
