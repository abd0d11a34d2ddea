"""Success by the number of coordinates that are changed: one set for all images, and each image on its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.controls.found import SEQUENTIAL, Controls, FoundSet, Point
from rpganify.analysis.controls.scoring import mean_over_concepts

# Equal success: as much, but for this, 0 to 1.
TOLERANCE = 0.005
MAX_POINTS = 12


@dataclass(frozen=True, slots=True)
class Growth:
    """Success by size, averaged over concepts.

    Args:
        sizes: rising.
        success: one each; None where no concept has any.
    """

    sizes: tuple[int, ...]
    success: tuple[Estimate | None, ...]


def set_growth(measured: Controls, method: str, chance: torch.Generator) -> Growth:
    """One set for all images: of some sizes, the mean over concepts of each one's last set that is no larger.

    A concept whose smallest set is larger counts with no set, and one whose search ended earlier with its last.

    Args:
        measured: the sets.
        method: `sequential` or `optimised`.
        chance: of the resamples.
    """
    sets = measured.of_method(method)
    sizes = sorted({point.size for one in sets for point in one.curve})
    if len(sizes) > MAX_POINTS:
        # Evenly on a logarithmic scale, as far as there are such sizes.
        wanted = [sizes[0] * (sizes[-1] / sizes[0]) ** (index / (MAX_POINTS - 1)) for index in range(MAX_POINTS)]
        sizes = sorted({min(sizes, key=lambda size: abs(size - one)) for one in wanted})
    columns = {size: torch.stack([_at(one, size, measured) for one in sets], dim=1) for size in sizes}
    return Growth(tuple(sizes), tuple(mean_over_concepts(columns[size], chance) for size in sizes))


def image_growth(measured: Controls, chance: torch.Generator) -> Growth:
    """Each image on its own: the share, averaged over concepts, that so many changes bring to the concept; may be empty."""
    fewest = measured.fewest
    if fewest is None:
        return Growth((), ())
    sizes = range(1, fewest.max_changes + 1)
    return Growth(tuple(sizes), tuple(mean_over_concepts(fewest.within(size), chance) for size in sizes))


def point_for(one: FoundSet, success: float) -> Point | None:
    """The fewest coordinates with which the set's success, 0 to 1, is that high; None where it never is."""
    for point in one.curve:
        if float(point.reached.nanmean()) >= success - TOLERANCE:
            return point
    return None


def pairs_of_sets(measured: Controls, twin: Controls) -> list[tuple[FoundSet, FoundSet]]:
    """Each concept's set of the one model and of the other, both found one after another."""
    of_twin = {one.concept: one for one in twin.of_method(SEQUENTIAL)}
    return [(one, of_twin[one.concept]) for one in measured.of_method(SEQUENTIAL)]


def _at(one: FoundSet, size: int, measured: Controls) -> Tensor:
    known = [point for point in one.curve if point.size <= size]
    if known:
        return known[-1].reached
    is_own = measured.curve_classes == one.concept
    return torch.zeros(len(is_own), dtype=torch.float64).masked_fill(is_own, torch.nan)
