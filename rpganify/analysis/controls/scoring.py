"""How well a control works on codes that it was not found on: success, probabilities, and what else changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.bootstrap import Estimate, interval, mean_interval, resample


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a control does to held-out images.

    Args:
        success: of the images that were not of the concept's class, the share that is of it afterwards; None if all were.
        probability: mean probability of the concept over all images afterwards.
        before: the same before.
        stays: of the images that were of the class, the share that still is; None if there were none.
        elsewhere: of the images that were not of the class, the share that ends in a third one; None if there were none.
        changes: per class, the mean change of its probability over the images that were not of the concept's class; the
            concept's own among them. Empty if there were none.
    """

    success: Estimate | None
    probability: Estimate
    before: float
    stays: float | None
    elsewhere: float | None
    changes: tuple[Estimate, ...]


def score_outcome(before: Tensor, after: Tensor, concept: int, chance: torch.Generator) -> Outcome:
    """The outcome of a control, with bootstrap intervals over codes.

    Args:
        before: class probabilities of held-out codes, `(N, num_concepts)`, N >= 1.
        after: of the same codes under the control.
        concept: class index.
        chance: of the resamples.
    """
    was, is_now = before.argmax(dim=1), after.argmax(dim=1)
    others, is_there = was != concept, is_now == concept
    probability = mean_interval(after[:, concept], chance)
    assert probability is not None
    success = mean_interval(reached(before, after, concept), chance)
    moved = (after - before)[others]
    changes = tuple(
        one for one in (interval(moved.mean(dim=0), resample(moved, chance)) if len(moved) else []) if one is not None
    )
    stays = float(is_there[~others].double().mean()) if bool((~others).any()) else None
    third = others & ~is_there & (is_now != was)
    elsewhere = float(third[others].double().mean()) if len(moved) else None
    return Outcome(success, probability, float(before[:, concept].mean()), stays, elsewhere, changes)


def reached(before: Tensor, after: Tensor, concept: int) -> Tensor:
    """Which codes a control brought to the class: float64 `(N,)`, 1 or 0, NaN for those that were of it before.

    Args:
        before, after: class probabilities of the same codes, `(N, num_concepts)`.
        concept: class index.
    """
    found = (after.argmax(dim=1) == concept).double()
    return found.masked_fill(before.argmax(dim=1) == concept, torch.nan)


def share(found: Tensor) -> float | None:
    """The share of 1 in what `reached` gave; None where all were of the class before."""
    mean = float(found.nanmean())
    return None if math.isnan(mean) else mean


def mean_over_concepts(found: Tensor, chance: torch.Generator) -> Estimate | None:
    """The mean over concepts of each one's share, with a bootstrap interval over codes.

    Args:
        found: what `reached` gave, a column per concept, `(N, num_concepts)`.
        chance: of the resamples, which take whole rows.
    Returns:
        None if no concept has a share.
    """
    known = ~found.isnan()
    found, known = found[:, known.any(dim=0)], known[:, known.any(dim=0)]
    if not found.shape[1]:
        return None

    def mean_share(means: Tensor) -> Tensor:  # (..., 2, concepts)
        return (means[..., 0, :] / means[..., 1, :]).nanmean(dim=-1)

    rows = torch.stack([found.nan_to_num(), known.double()], dim=1)  # (N, 2, concepts)
    (estimate,) = interval(mean_share(rows.mean(dim=0))[None], mean_share(resample(rows, chance))[:, None])
    return estimate
