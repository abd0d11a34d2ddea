"""Choosing each method's step size, by one rule for all, on targets that no comparison is made on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# 1, 2, 5 per decade; a standard normal latent's values are about 1.
STEP_SIZES = (0.02, 0.05, 0.1, 0.2, 0.5)
MAX_EXTENSIONS = 4


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was tried.

    Args:
        tried: step sizes, rising, each with the mean final distance to the tuning targets.
        chosen: the step size whose mean is smallest.
        is_at_end: it is the smallest or largest that was tried, so a better one may lie beyond.
    """

    tried: tuple[tuple[float, float], ...]
    chosen: float
    is_at_end: bool


def tune(
    mean_distance: Callable[[float], float],
    step_sizes: tuple[float, ...] = STEP_SIZES,
    max_extensions: int = MAX_EXTENSIONS,
    progress: Callable[[int], None] = lambda done: None,
) -> Tuning:
    """The step size with the smallest mean distance; while it is the first or last one tried, one more beyond is tried.

    Args:
        mean_distance: of a method with a step size.
        step_sizes: tried first, rising; of the series 1, 2, 5, so that it can be gone on.
        max_extensions: of those beyond the ends.
        progress: told the number tried so far.
    """
    found: dict[float, float] = {}
    queue = list(step_sizes)
    while queue:
        size = queue.pop(0)
        found[size] = mean_distance(size)
        progress(len(found))
        if not queue and len(found) < len(step_sizes) + max_extensions:
            best = min(found, key=lambda one: found[one])
            if best == min(found):
                queue.append(_neighbour(best, -1))
            elif best == max(found):
                queue.append(_neighbour(best, 1))
    best = min(found, key=lambda one: found[one])
    return Tuning(tuple(sorted(found.items())), best, best in (min(found), max(found)))


def _neighbour(size: float, direction: int) -> float:
    """The number before or after in the series … 0.1, 0.2, 0.5, 1, 2, 5 …"""
    mantissa, exponent = f"{size:.0e}".split("e")
    place = ("1", "2", "5").index(mantissa) + direction
    return float(f"{('1', '2', '5')[place % 3]}e{int(exponent) + place // 3}")
