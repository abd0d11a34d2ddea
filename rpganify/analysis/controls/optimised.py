"""A controlling set found by optimisation: a shift of the latent that raises a concept, kept sparse by an L1 penalty."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.controls.judging import Judge

BOUND = 3.0
NUM_PENALTIES = 7
NUM_STEPS = 25
NUM_REFIT_STEPS = 10
BATCH_SIZE = 24
FIRST_STEP, LAST_STEP = 0.4, 0.04
MOMENTUM = 0.8
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift that was optimised under one penalty.

    Args:
        penalty: on the sum of its entries' sizes.
        penalised: as the penalty leaves it, `(num_dimensions,)`.
        shift: the same nonzero entries, optimised again without the penalty, which makes all of them too small.
    """

    penalty: float
    penalised: Tensor
    shift: Tensor


Slope = Callable[[Tensor], Tensor]


def optimise_shifts(
    judge: Judge,
    draw: Callable[[int], Tensor],
    concept: int,
    *,
    bound: float = BOUND,
    num_penalties: int = NUM_PENALTIES,
    batch_size: int = BATCH_SIZE,
    is_enough: Callable[[Shift], bool] = lambda shift: False,
) -> tuple[Shift, ...]:
    """Shifts `s` that minimise `mean(−log p(concept | z + s)) + penalty · Σ|s_i|`, for falling penalties, then for none.

    The first penalty is half the smallest one that leaves `s = 0` optimal, which is the largest slope at 0; each further
    one is half the one before and starts where that ended. Entries stay within ± `bound`. Every step draws new latents, so
    there are none to fit too closely.

    Args:
        judge: says the log-probabilities and their slopes.
        draw: gives so many new latents, flat, `(n, num_dimensions)`.
        concept: class index.
        bound: the largest entry, in standard deviations of the latent.
        num_penalties: above 0.
        batch_size: latents of each step.
        is_enough: asked after each penalty; the rest of the falling ones is left out once it says so.
    Returns:
        One shift per penalty, the last with penalty 0, of all dimensions; none where all slopes at 0 are 0.
    Source:
        The optimised way of the concepts' paper; the log-probability (the concept's logit less the log-sum-exp of all,
        which stops pulling where the concept is reached), penalties, steps and refit are ours.
    """
    first = draw(4 * batch_size)
    at_0 = judge.log_probability(first, concept)[1].mean(dim=0).double()
    largest, size = float(at_0.abs().max()), float(at_0.square().mean().sqrt())
    if largest == 0:
        return ()

    def slope(shift: Tensor) -> Tensor:
        latents = draw(batch_size)
        return -judge.log_probability(latents + shift.to(latents), concept)[1].mean(dim=0).double()

    shift = torch.zeros_like(at_0)
    everywhere = torch.ones_like(shift, dtype=torch.bool)
    found: list[Shift] = []
    for number in range(num_penalties):
        penalty = largest / 2 ** (number + 1)
        shift = descend(slope, shift, penalty, bound, size, NUM_STEPS, everywhere)
        found.append(Shift(penalty, shift, descend(slope, shift, 0.0, bound, size, NUM_REFIT_STEPS, shift != 0)))
        if is_enough(found[-1]):
            break
    dense = descend(slope, shift, 0.0, bound, size, NUM_STEPS, everywhere)
    found.append(Shift(0.0, dense, dense))
    return tuple(found)


def descend(
    slope: Slope, start: Tensor, penalty: float, bound: float, size: float, num_steps: int, free: Tensor
) -> Tensor:
    """Proximal gradient steps with momentum on a loss plus `penalty · Σ|s_i|`, with `|s_i| <= bound`.

    Args:
        slope: of the loss at a shift; may be of a new sample each time, which falling steps average out.
        start: within the bound.
        penalty: >= 0.
        bound: above 0.
        size: of the slope, its root mean square over entries; a step along a slope of that size is 0.4 at first, and
            falls to 0.04 along a cosine. A steeper slope makes no longer step.
        num_steps: above 0.
        free: bool, entries that may move.
    """
    shift, momentum = start, torch.zeros_like(start)
    for step in range(num_steps):
        here = slope(shift)
        size = max(size, float(here.square().mean().sqrt()))
        momentum = MOMENTUM * momentum + (1 - MOMENTUM) * here
        corrected = momentum / (1 - MOMENTUM ** (step + 1))
        falling = (1 + math.cos(math.pi * step / num_steps)) / 2
        length = (LAST_STEP + (FIRST_STEP - LAST_STEP) * falling) / size
        moved = _shrunk(shift - length * corrected, length * penalty).clamp(-bound, bound)
        shift = moved.where(free, shift)
    return shift


def cut_shifts(shifts: Sequence[Shift]) -> tuple[Tensor, ...]:
    """All shifts cut down to their 1, 2, 3, 4, 6, 8, 12, … largest entries, and as they are; zeros are left out.

    A slope of few latents leaves small entries behind that do nothing, at any penalty: what is cut off without loss is
    none of the set.
    """
    made: list[Tensor] = []
    for shift in shifts:
        num_entries = int((shift.shift != 0).sum())
        order = shift.shift.abs().argsort(descending=True, stable=True)
        for size in sorted({size for size in SIZES if size < num_entries} | {num_entries} - {0}):
            cut = torch.zeros_like(shift.shift)
            cut[order[:size]] = shift.shift[order[:size]]
            made.append(cut)
    return tuple(made)


def best_by_size(candidates: Sequence[Tensor], rates: Sequence[float]) -> dict[int, int]:
    """For each number of nonzero entries, the index of the candidate of the highest rate; by rising size."""
    best: dict[int, int] = {}
    for index, (candidate, rate) in enumerate(zip(candidates, rates, strict=True)):
        size = int((candidate != 0).sum())
        if size not in best or rate > rates[best[size]]:
            best[size] = index
    return dict(sorted(best.items()))


def choose_size(rates: Mapping[int, float], num_codes: int) -> int:
    """The smallest size whose success is within one standard error of the best one's.

    Args:
        rates: success, 0 to 1, by size, on codes that nothing was optimised on.
        num_codes: how many those were.
    Source:
        The rule of one standard error, Breiman et al. 1984; the error is that of a share, with one success and one
        failure added, so that it is not 0 at 100 %.
    """
    best = max(rates.values())
    smoothed = (best * num_codes + 1) / (num_codes + 2)
    error = (smoothed * (1 - smoothed) / num_codes) ** 0.5
    return min(size for size, rate in rates.items() if rate >= best - error)


def _shrunk(values: Tensor, by: float) -> Tensor:
    return values.sign() * (values.abs() - by).clamp(min=0)
