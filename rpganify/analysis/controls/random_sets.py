"""The baseline of controlling sets: random ones of the same size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rpganify.analysis.bootstrap import LEVEL, Estimate
from rpganify.analysis.controls.choices import Choice
from rpganify.analysis.controls.judging import Judge
from rpganify.analysis.controls.scoring import reached, share
from rpganify.analysis.controls.sequential import Singles

NUM_DRAWS = 40


def random_choices(
    singles: Singles, num_choices: int, concept: int, chance: torch.Generator, *, is_latent: bool
) -> list[Choice]:
    """Choices of random coordinates.

    Args:
        singles: of all choices; the coordinates are drawn from them.
        num_choices: how many.
        concept: class index.
        chance: draws the coordinates, and the blocks.
        is_latent: then each dimension goes to the extreme that alone makes the concept likelier; a bucket gets any block.
    """
    coordinates = singles.coordinates
    order = torch.randperm(len(coordinates), generator=chance)[:num_choices].tolist()
    drawn = [coordinates[position] for position in order]
    if is_latent:
        return [singles.better(coordinate, concept) for coordinate in drawn]
    return [_any(singles, coordinate, chance) for coordinate in drawn]


def _any(singles: Singles, coordinate: int, chance: torch.Generator) -> Choice:
    mine = [choice for choice in singles.choices if choice.coordinate == coordinate]
    return mine[int(torch.randint(len(mine), (), generator=chance))]


def random_shift(singles: Singles, shift: Tensor, concept: int, chance: torch.Generator) -> Tensor:
    """The shift's nonzero sizes on random dimensions, each with the sign that alone makes the concept likelier."""
    sizes = shift[shift != 0].abs()
    drawn = torch.zeros_like(shift)
    order = torch.randperm(len(shift), generator=chance)[: len(sizes)].tolist()
    for dimension, size in zip(order, sizes.tolist(), strict=True):
        drawn[dimension] = size if singles.better(dimension, concept).value > 0 else -size
    return drawn


def score_random(
    judge: Judge,
    codes: Tensor,
    before: Tensor,
    concept: int,
    draw: Callable[[], Callable[[Tensor], Tensor]],
    num_draws: int = NUM_DRAWS,
    progress: Callable[[int], None] = lambda done: None,
) -> Estimate | None:
    """The mean success of random sets, and the range of the middle 95 % of them.

    Args:
        judge: says the probabilities.
        codes: held out, `(N, num_coordinates)`.
        before: their class probabilities, `(N, num_concepts)`.
        concept: class index.
        draw: gives a new random set each time, as what it does to codes.
        num_draws: sets.
        progress: told how many are done.
    Returns:
        None if all codes are of the class already.
    """
    rates = []
    for number in range(num_draws):
        rate = share(reached(before, judge.probabilities(draw()(codes)), concept))
        if rate is None:
            return None
        rates.append(rate)
        progress(number + 1)
    found = torch.tensor(rates, dtype=torch.float64)
    low, high = found.quantile(torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.float64)).tolist()
    mean = float(found.mean())
    return Estimate(mean, min(low, mean), max(high, mean))
