"""Class-to-class translation: what one control per class makes of images of every other class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.bootstrap import Estimate, mean_interval


@dataclass(frozen=True, slots=True)
class Translation:
    """Success of each class's control on images of each class.

    Args:
        rates: `rates[source][target]`, the share of the source's held-out images that end in the target's class; on the
            diagonal, the share that stays. None where there are no images of the source, or no control of the target.
        num_sources: held-out images of each class.
        examples: for each class, the index of the held-out code that shows it; None where there is none.
    """

    rates: tuple[tuple[Estimate | None, ...], ...]
    num_sources: tuple[int, ...]
    examples: tuple[int | None, ...]


def measure_translation(before: Tensor, after: Sequence[Tensor | None], chance: torch.Generator) -> Translation:
    """The matrix of translations, and one image of each class to show them on.

    The images shown are chosen by what they are, not by what becomes of them: of each class, that of the median
    probability, neither a perfect one nor a doubtful one.

    Args:
        before: class probabilities of held-out codes, `(N, num_concepts)`.
        after: of the same codes under each class's control; None where there is none.
        chance: of the bootstrap.
    """
    sources = before.argmax(dim=1)
    num_concepts = before.shape[1]
    rates: list[tuple[Estimate | None, ...]] = []
    examples: list[int | None] = []
    for source in range(num_concepts):
        mine = (sources == source).nonzero()[:, 0]
        row: list[Estimate | None] = []
        for target in range(num_concepts):
            made = after[target]
            reached = None if made is None else (made[mine].argmax(dim=1) == target).double()
            row.append(None if reached is None else mean_interval(reached, chance))
        rates.append(tuple(row))
        order = mine[before[mine, source].argsort(stable=True)]
        examples.append(int(order[len(order) // 2]) if len(order) else None)
    counts = tuple(int((sources == source).sum()) for source in range(num_concepts))
    return Translation(tuple(rates), counts, tuple(examples))
