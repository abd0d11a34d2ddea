"""What the inversions found: per image distance the methods' outcomes, and the comparisons of pairs of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rpganify.analysis.bootstrap import Estimate, mean_interval
from rpganify.analysis.geometry.axes import Axes
from rpganify.analysis.geometry.feature_maps import FeatureMap
from rpganify.analysis.latent_inversion.comparing import Paired, compare, holm
from rpganify.analysis.latent_inversion.methods import Method, Outcome
from rpganify.analysis.latents import LatentMap

REAL, OWN = "real", "own"


@dataclass(frozen=True, slots=True)
class Targets:
    """Images to invert.

    Args:
        name: "real" or "own".
        rows: which of a search's targets they are.
        latents: that made them, `(n, D)`; None of real ones.
        spread: standard deviation of the values of such latents.
    """

    name: str
    rows: slice
    latents: Tensor | None = None
    spread: float = 1.0

    def of(self, values: Tensor) -> Tensor:
        """Their part of what a search found."""
        return values[self.rows]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A method against another on one kind of images.

    Args:
        method: which.
        images: "real" or "own".
        paired: what came out.
        corrected_p: Holm's, over all comparisons of the report.
    """

    method: Method
    images: str
    paired: Paired
    corrected_p: float = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was found by one image distance.

    Args:
        features: that it is the Euclidean distance of.
        axes: of the mean metric.
        num_top: the fewest axes that hold 99 % of the metric's trace.
        outcomes: one per method.
        pictures: the wanted images `(T, C, H, W)` first, then each method's, uint8.
        comparisons: of pairs of methods.
    """

    features: FeatureMap
    axes: Axes = field(repr=False)
    num_top: int
    outcomes: tuple[Outcome, ...]
    pictures: tuple[Tensor, ...] = field(repr=False)
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Inverted:
    """The whole inversion.

    Args:
        space: whose latents were searched.
        measured: per image distance.
        targets: the kinds of images.
        num_tuned_on: targets that step sizes were chosen on.
        num_steps: gradients per target.
        relative_epsilon: of the preconditioning, as a share of the largest eigenvalue.
        data: name of the real images; empty without any.
        seed: of everything random.
    """

    space: LatentMap
    measured: tuple[Measured, ...]
    targets: tuple[Targets, ...]
    num_tuned_on: int
    num_steps: int
    relative_epsilon: float
    data: str
    seed: int

    def each(self) -> Iterator[tuple[Measured, Targets]]:
        """Every image distance with every kind of images."""
        for one in self.measured:
            for kind in self.targets:
                yield one, kind

    @property
    def num_real(self) -> int:
        """Real images among the targets."""
        return sum(kind.rows.stop - kind.rows.start for kind in self.targets if kind.name == REAL)


def compare_methods(outcomes: tuple[Outcome, ...], targets: tuple[Targets, ...], seed: int) -> tuple[Comparison, ...]:
    """Each method against the one that it is to be compared with, on each kind of images; not yet corrected."""
    chance = torch.Generator().manual_seed(seed)
    by_name = {outcome.method.name: outcome.search.final for outcome in outcomes}
    return tuple(
        Comparison(
            outcome.method,
            kind.name,
            compare(kind.of(outcome.search.final), kind.of(by_name[outcome.method.against]), chance),
        )
        for kind in targets
        for outcome in outcomes
        if outcome.method.against is not None
    )


def corrected(comparisons: list[tuple[Comparison, ...]]) -> list[tuple[Comparison, ...]]:
    """The comparisons of all image distances with Holm's p-values, over all of them together."""
    flat = [one for group in comparisons for one in group]
    values = iter(holm([one.paired.p for one in flat]))
    return [
        tuple(Comparison(one.method, one.images, one.paired, next(values)) for one in group) for group in comparisons
    ]


def latent_error(found: Tensor, truth: Tensor, spread: float, axes: Axes, num_axes: int) -> tuple[float, float]:
    """How far found latents lie from those that made the images, as a share of the distance of two such latents.

    Args:
        found, truth: `(n, D)`.
        spread: standard deviation of the values of those that made images.
        axes: of the space.
        num_axes: the first ones, for the second number.
    Returns:
        In the whole space, and along the first axes alone; root mean squares. 1 is what another such latent has.
    """
    off = (found - truth).double().cpu() / spread
    along = off @ axes.directions[:num_axes].T
    return _share_of_random(off), _share_of_random(along)


def _share_of_random(off: Tensor) -> float:
    """Root mean square of differences `(n, k)`, as a share of what it is between two draws of k standard normals."""
    return float((off.square().sum(dim=1).mean() / (2 * off.shape[1])).sqrt())


def mean_of(values: Tensor, seed: int) -> Estimate:
    """The mean over targets, with its bootstrap interval."""
    estimate = mean_interval(values, torch.Generator().manual_seed(seed))
    assert estimate is not None  # there is at least one target, and distances are finite
    return estimate
