"""What was found of one generator: controlling sets with all that is measured of them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.controls.choices import Choice
from rpganify.analysis.controls.control import Control
from rpganify.analysis.controls.fewest import Fewest
from rpganify.analysis.controls.scoring import Outcome
from rpganify.analysis.controls.sequential import Step
from rpganify.analysis.controls.translation import Translation

SEQUENTIAL, OPTIMISED = "sequential", "optimised"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many codes each part of the measurement takes.

    Args:
        num_search: that sets are found on, one coordinate after another; as many others choose among found ones. Shifts
            are optimised on new ones at every step.
        num_held: held out, that everything reported is measured on.
        num_random: held-out codes that each random set is tried on.
        num_draws: random sets of each concept and method.
        num_fewest: held-out codes that are brought to every class by as few changes as possible; 0 leaves that out.
    """

    num_search: int = 100
    num_held: int = 500
    num_random: int = 50
    num_draws: int = 40
    num_fewest: int = 40


@dataclass(frozen=True, slots=True)
class Point:
    """Success of a set on the way to its size.

    Args:
        size: coordinates that it sets or moves.
        reached: of the first held-out codes, 1 for those that it brings to the class, 0 for others, NaN for those that
            are of it by themselves.
        variety, ordinary: of the images under it, as of `FoundSet`.
    """

    size: int
    reached: Tensor
    variety: float | None
    ordinary: float | None


@dataclass(frozen=True, slots=True)
class FoundSet:
    """A controlling set of one concept, found in one way.

    Args:
        concept: class index.
        method: `sequential` or `optimised`.
        control: what it does; may be empty.
        steps: of the sequential way; empty for the other.
        chosen_by: success on the codes that choose between the ways; None where all are of the class already.
        outcome: on held-out codes.
        random: success of random sets of the same size; None for an empty set.
        everything: success with all dimensions set or moved; None for paths, where that is one image for all.
        curve: success on held-out codes by size, rising.
        variety: variance of the held-out images under the set, against that of images that are of the class by themselves;
            None for an empty set, and where there are too few of those.
        ordinary: share of the held-out images under the set that are ordinary, as of `looks.Ordinary`.
    """

    concept: int
    method: str
    control: Control
    steps: tuple[Step, ...]
    chosen_by: float | None
    outcome: Outcome
    random: Estimate | None
    everything: Estimate | None
    curve: tuple[Point, ...]
    variety: float | None
    ordinary: float | None

    @property
    def size(self) -> int:
        """Coordinates that it sets or moves."""
        return len(self.control.choices)


@dataclass(frozen=True, slots=True)
class Controls:
    """All that was found of one generator.

    Args:
        concepts: names of the classes.
        is_latent: whether coordinates are dimensions of a latent rather than buckets.
        num_coordinates: there are.
        sizes: of the measurement.
        min_gain: that ends the sequential search.
        sets: by concept, then by method.
        translation: by the better set of each concept; its examples are rows of `held`.
        held: the held-out codes.
        held_classes: the likeliest class of each as it is, int64 `(num_held,)`.
        fewest: by single changes, of the first held-out codes; None where it was left out.
        base_ordinary: share of the held-out images as they are that is ordinary; None where that is not known.
        is_real: whether it is real images that they are held against.
        broken: choices that were left out, because they make images unlike real ones.
        num_images: that were made.
    """

    concepts: tuple[str, ...]
    is_latent: bool
    num_coordinates: int
    sizes: Sizes
    min_gain: float
    sets: tuple[FoundSet, ...]
    translation: Translation
    held: Tensor
    held_classes: Tensor
    fewest: Fewest | None
    base_ordinary: float | None
    is_real: bool
    broken: tuple[Choice, ...]
    num_images: int

    @property
    def curve_classes(self) -> Tensor:
        """The likeliest class of each code that curves are measured on."""
        return self.held_classes[: self.sizes.num_search]

    def better(self, concept: int) -> FoundSet:
        """Of a concept's sets, the one of higher success on the codes that choose; of equal ones, the smaller."""
        mine = [one for one in self.sets if one.concept == concept]
        return min(mine, key=lambda one: (-(one.chosen_by or 0.0), one.size))

    def of_method(self, method: str) -> tuple[FoundSet, ...]:
        """The sets that were found in one way, by concept."""
        return tuple(one for one in self.sets if one.method == method)
