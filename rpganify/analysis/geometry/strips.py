"""Strips: images along an axis of a latent space, at steps that the metric makes equal in image distance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rpganify.analysis.forward_mode import pushed_forward
from rpganify.analysis.generation import to_uint8
from rpganify.analysis.geometry.axes import Axes
from rpganify.analysis.latents import LatentMap
from rpganify.errors import AnalysisError

LINEAR, SPHERICAL = "linear", "spherical"
KINDS = (LINEAR, SPHERICAL)
NUM_STEPS = 4
REACH = 4.0  # standard deviations of a normal latent: a coordinate beyond them comes up once in 16 000 draws
_NUM_SPEEDS = 33  # on each side of the middle, of the stretch that is needed; 17 make steps a little less even
_CHUNK = 64

Describe = Callable[[Tensor], Tensor]
Numbers = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Curve:
    """A way through a latent space that goes through `middle` along `direction`, at unit speed.

    Args:
        middle: latent at offset 0, float64 `(D,)`.
        direction: unit vector, float64 `(D,)`; of a circle, at right angles to `middle`.
        radius: of a great circle around 0; infinite for a straight line.
    """

    middle: Tensor
    direction: Tensor
    radius: float = math.inf

    def at(self, offsets: Tensor) -> Tensor:
        """Latents `(n, D)` at `offsets` `(n,)`, lengths of way."""
        if math.isinf(self.radius):
            return self.middle + offsets[:, None] * self.direction
        angles = offsets[:, None] / self.radius
        return angles.cos() * self.middle + angles.sin() * self.radius * self.direction

    def velocity(self, offsets: Tensor) -> Tensor:
        """Unit vectors `(n, D)`: the derivative of `at`."""
        if math.isinf(self.radius):
            return self.direction.expand(len(offsets), -1)
        angles = offsets[:, None] / self.radius
        return -angles.sin() * self.middle / self.radius + angles.cos() * self.direction


@dataclass(frozen=True, slots=True)
class Strip:
    """Images along one axis through one latent.

    Args:
        axis_index: of the axis, from 0.
        eigenvalue: of the axis in the metric that it comes from.
        kind: "linear" or "spherical".
        offsets: lengths of way from the middle, rising, float64 `(2n + 1,)`; 0 in the middle.
        latents: float64 `(2n + 1, D)`.
        images: uint8 `(2n + 1, C, H, W)`.
        wanted: distance between neighbours along the images' own way, the same at every step.
        measured: distances between neighbouring images, float64 `(2n,)`.
        measured_even: the same where the offsets are spread evenly between the same ends instead.
        is_cut: the reach ends before so many steps of the distance asked for; `wanted` is smaller then.
    """

    axis_index: int
    eigenvalue: float
    kind: str
    offsets: Tensor
    latents: Tensor
    images: Tensor
    wanted: float
    measured: Tensor
    measured_even: Tensor
    is_cut: bool

    @property
    def deviation(self) -> float | None:
        """How far the measured steps are from the wanted one: root mean square, as a share of it; None at a standstill."""
        return _deviation(self.measured, self.wanted)

    @property
    def deviation_even(self) -> float | None:
        """The same of evenly spread offsets, against the mean of their steps."""
        return _deviation(self.measured_even, float(self.measured_even.mean()))


def curve_along(position: Tensor, direction: Tensor, kind: str = LINEAR) -> Curve:
    """The straight line through `position` along `direction`, or the great circle that leaves in that direction.

    Args:
        position: latent, any shape; it is flattened.
        direction: as many values, not 0. Of a circle, its part along `position` is taken off first.
        kind: "linear" or "spherical".
    Raises:
        AnalysisError: another kind, or a circle through 0 or towards it.
    """
    middle, away = position.double().cpu().flatten(), direction.double().cpu().flatten()
    if kind == LINEAR:
        return Curve(middle, away / away.norm())
    if kind != SPHERICAL:
        raise AnalysisError(f"A strip is {' or '.join(KINDS)}, not {kind!r}.")
    radius = float(middle.norm())
    if radius == 0:
        raise AnalysisError("There is no great circle through the latent 0; take a linear strip, or another position.")
    tangent = away - (away @ middle) / radius**2 * middle
    if float(tangent.norm()) < 1e-6 * float(away.norm()):
        raise AnalysisError(
            "The axis points along the position itself, so no great circle leaves in its direction; take a linear strip."
        )
    return Curve(middle, tangent / tangent.norm(), radius)


def make_strips(
    space: LatentMap,
    describe: Describe,
    axes: Axes,
    indices: Sequence[int],
    position: Tensor,
    *,
    step: float,
    kind: str = LINEAR,
    num_steps: int = NUM_STEPS,
    reach: float = REACH,
) -> list[Strip]:
    """A strip along each of some axes through one latent; the axes may have been found elsewhere.

    Args:
        space: images of latents.
        describe: images `(N, C, H, W)` to features `(N, …)` whose Euclidean distance is the image distance, each image by
            itself.
        axes: of the latent space.
        indices: which axes.
        position: the latent in the middle, `(D,)`.
        step: distance between neighbouring images; smaller where the reach does not allow it.
        kind: "linear" or "spherical".
        num_steps: on each side.
        reach: how far to go to each side at most, as a length in the latent space; of a circle, at most a quarter of it.
    Raises:
        AnalysisError: no such axis or kind, no step, or a position of another dimension.
    """
    missing = [index for index in indices if not 0 <= index < len(axes)]
    if missing:
        raise AnalysisError(f"There are {len(axes)} axes, 0 to {len(axes) - 1} in Python; no axis {missing[0]}.")
    if not (step > 0 and reach > 0 and num_steps >= 1):
        raise AnalysisError(f"A strip needs a step, a reach and steps above 0; got {step}, {reach} and {num_steps}.")
    if position.numel() != axes.dimension:
        raise AnalysisError(f"The axes have {axes.dimension} dimensions, the position {position.numel()}.")
    features = _Features(space, describe)
    strips = []
    for index in indices:
        curve = curve_along(position, axes.directions[index], kind)
        limit = min(reach, curve.radius * math.pi / 2)
        offsets, taken = equal_offsets(features.speeds, curve, step, num_steps, limit)
        even = torch.linspace(float(offsets[0]), float(offsets[-1]), len(offsets), dtype=torch.float64)
        latents = curve.at(offsets)
        strips.append(
            Strip(
                axis_index=index,
                eigenvalue=float(axes.eigenvalues[index]),
                kind=kind,
                offsets=offsets,
                latents=latents,
                images=features.pictures(latents),
                wanted=taken,
                measured=features.steps(latents),
                measured_even=features.steps(curve.at(even)),
                is_cut=taken < step * (1 - 1e-9),
            )
        )
    return strips


def equal_offsets(
    speeds_along: Callable[[Curve, Tensor], Tensor], curve: Curve, step: float, num_steps: int, limit: float
) -> tuple[Tensor, float]:
    """Offsets along a curve between which the features move equally far, by the metric along the curve.

    The speed of the features is the length of a Jacobian-vector product. Its integral, by the trapezoidal rule, is the
    way that the features have gone; a second pass looks only at the stretch that is needed.

    Args:
        speeds_along: how fast the features move, `(n,)`, along a curve at offsets `(n,)`.
        curve: through the latent space.
        step: way between neighbours.
        num_steps: on each side.
        limit: of the offsets.
    Returns:
        Offsets float64 `(2 · num_steps + 1,)`, and the step: smaller than asked for where a side does not go that far.
    """
    ends, taken = [limit, limit], step
    for _ in range(2):
        sides = []
        for sign, end in zip((-1.0, 1.0), ends, strict=True):
            offsets = sign * torch.linspace(0, end, _NUM_SPEEDS, dtype=torch.float64)
            speeds = speeds_along(curve, offsets)
            way = torch.cumulative_trapezoid(speeds, offsets.abs())
            sides.append((offsets.abs().numpy(), np.concatenate([[0.0], way.numpy()])))
        taken = min(step, *(float(way[-1]) / num_steps for _, way in sides))
        wanted = taken * np.arange(1, num_steps + 1)
        found = [_inverse(way, offsets, wanted) for offsets, way in sides]
        # A little farther, so that the second pass, which sums more finely, does not fall short.
        ends = [min(limit, 1.05 * float(one[-1])) for one in found]
    left, right = found
    return torch.from_numpy(np.concatenate([-left[::-1], [0.0], right])), taken


def _inverse(way: Numbers, offsets: Numbers, wanted: Numbers) -> Numbers:
    """Offsets at which the way has the wanted lengths; where nothing moves at all, evenly spread ones."""
    if way[-1] <= 0:
        return np.linspace(0, offsets[-1], len(wanted) + 1)[1:]
    found: Numbers = np.interp(wanted, way, offsets)
    return found


def _deviation(measured: Tensor, wanted: float) -> float | None:
    return float((measured / wanted - 1).square().mean().sqrt()) if wanted > 0 else None


@dataclass(frozen=True, slots=True)
class _Features:
    """The features of a latent space's images."""

    space: LatentMap
    describe: Describe

    def __call__(self, latents: Tensor) -> Tensor:
        return self.describe(self.space.images(latents)).flatten(1)

    def pictures(self, latents: Tensor) -> Tensor:
        """As they would be saved: uint8 `(n, C, H, W)`."""
        with torch.no_grad():
            return torch.cat([to_uint8(self.space.images(part)).cpu() for part in self._parts(latents)])

    def steps(self, latents: Tensor) -> Tensor:
        """Distances between neighbours: float64 `(n - 1,)`."""
        with torch.no_grad():
            found = torch.cat([self(part).double().cpu() for part in self._parts(latents)])
        steps: Tensor = (found[1:] - found[:-1]).norm(dim=1)
        return steps

    def speeds(self, curve: Curve, offsets: Tensor) -> Tensor:
        """Lengths of Jacobian-vector products along a curve: float64 `(n,)`."""
        parts = zip(self._parts(curve.at(offsets)), self._parts(curve.velocity(offsets)), strict=True)
        moved = [pushed_forward(self, at, along) for at, along in parts]
        return torch.cat([one.double().cpu().norm(dim=1) for one in moved])

    def _parts(self, latents: Tensor) -> Sequence[Tensor]:
        parts: Sequence[Tensor] = latents.to(self.space.device, self.space.dtype).split(_CHUNK)
        return parts
