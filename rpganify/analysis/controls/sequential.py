"""A controlling set found one coordinate after another: the best next one, until the gain is too small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.controls.choices import Choice, no_weaker_choices, set_choices
from rpganify.analysis.controls.judging import Judge
from rpganify.analysis.controls.looks import Ordinary

# Of the concept's mean probability.
MIN_GAIN = 0.02
NUM_CANDIDATES = 16
# All candidates are tried on a quarter of the codes first, and only the best on all.
_NUM_FINALISTS = 4
_MIN_FIRST = 24


@dataclass(frozen=True, slots=True)
class Step:
    """The best set of one size.

    Args:
        choices: which coordinates are set to what; the last one was added last.
        probability: the concept's mean probability under it, on the codes of the search.
        gain: by how much that lies further in the wanted direction than the best set of one choice less.
    """

    choices: tuple[Choice, ...]
    probability: float
    gain: float


@dataclass(frozen=True, slots=True)
class Singles:
    """What each choice does alone.

    Args:
        choices: all there are.
        before: mean probability of each concept without any, `(num_concepts,)`.
        after: with each choice alone, `(num_choices, num_concepts)`.
        broken: which of them break images, bool `(num_choices,)`; all False where nobody looked.
    """

    choices: tuple[Choice, ...]
    before: Tensor
    after: Tensor
    broken: Tensor

    @property
    def coordinates(self) -> list[int]:
        """That there are choices of, each once."""
        return sorted({choice.coordinate for choice in self.choices})

    def but_broken(self) -> Singles:
        """Those that do not break images."""
        kept = (~self.broken).nonzero()[:, 0].tolist()
        return Singles(tuple(self.choices[index] for index in kept), self.before, self.after[kept], self.broken[kept])

    def better(self, coordinate: int, concept: int) -> Choice:
        """The choice of this coordinate that makes the concept likeliest.

        Raises:
            ValueError: there is no choice of this coordinate.
        """
        mine = [index for index, choice in enumerate(self.choices) if choice.coordinate == coordinate]
        return self.choices[max(mine, key=lambda index: float(self.after[index, concept]))]


def measure_singles(
    judge: Judge,
    codes: Tensor,
    choices: Sequence[Choice],
    ordinary: Ordinary | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Singles:
    """The effect of every choice alone, on all concepts at once.

    Args:
        judge: says the probabilities.
        codes: `(N, num_coordinates)`.
        choices: at least one.
        ordinary: what images are like that nothing was done to, to tell which choices break them; None does not look.
        progress: told how many choices are done.
    """
    before = judge.probabilities(codes).mean(dim=0)
    after, broken = [], []
    for number, choice in enumerate(choices):
        changed = set_choices(codes, [choice])
        seen = judge.see(changed)
        after.append(seen.probabilities.mean(dim=0))
        broken.append(ordinary is not None and ordinary.is_broken(ordinary.share(changed, seen.features)))
        progress(number + 1)
    return Singles(tuple(choices), before, torch.stack(after), torch.tensor(broken))


def grow_set(
    judge: Judge,
    codes: Tensor,
    concept: int,
    singles: Singles,
    *,
    is_raised: bool = True,
    min_gain: float = MIN_GAIN,
    max_size: int | None = None,
    num_candidates: int = NUM_CANDIDATES,
    beam: int = 1,
    weaker: Callable[[Choice], Sequence[Choice]] = no_weaker_choices,
    is_differentiable: bool = False,
) -> tuple[Step, ...]:
    """The best choice, then the best beside it, and so on; each coordinate is set at most once.

    Of many choices only a short list is tried beside each set: those that do most alone, and, where codes have slopes,
    those that promise most to first order beside what is set already. With `num_candidates` choices or fewer left, all.

    Args:
        judge: says the probabilities.
        codes: of the search, `(N, num_coordinates)`; what is reported must be measured on others.
        concept: class index.
        singles: of all choices, on the same codes.
        is_raised: whether the concept's mean probability is to rise; else it is to fall.
        min_gain: a size that moves it by less ends the search.
        max_size: choices at most; None takes as many as there are coordinates.
        num_candidates: tried beside each set.
        beam: sets that are kept from one size to the next; 1 only ever adds to the best one.
        weaker: other values to try of the choice that won.
        is_differentiable: whether the images have slopes along the codes.
    Returns:
        The best set of each size, from 1; empty if no choice is worth it.
    Source:
        The sequential way of the concepts' paper; thresholds, short list, beam and extremes are ours.
    """
    sign = 1.0 if is_raised else -1.0
    wanted = _Wanted(judge, codes, concept, sign)
    probability = float(singles.before[concept])
    kept: list[tuple[Choice, ...]] = [()]
    steps: list[Step] = []
    num_coordinates = len(singles.coordinates)
    while len(steps) < (num_coordinates if max_size is None else min(max_size, num_coordinates)):
        if not steps:
            order = (sign * singles.after[:, concept]).argsort(descending=True, stable=True)[:beam].tolist()
            kept = [(singles.choices[index],) for index in order]
            best = float(singles.after[order[0], concept])
        else:
            longer: dict[frozenset[Choice], tuple[Choice, ...]] = {}
            for chosen in kept:
                for choice in _short_list(wanted, chosen, singles, num_candidates, is_differentiable):
                    longer.setdefault(frozenset((*chosen, choice)), (*chosen, choice))
            kept, best = wanted.best(list(longer.values()), beam)
        *front, last = kept[0]
        others = [(*front, choice) for choice in weaker(last)]
        if others:
            (other,), value = wanted.best(others, 1)
            if sign * value > sign * best:
                kept[0], best = other, value
        gain = sign * (best - probability)
        if gain < min_gain:
            break
        probability = best
        steps.append(Step(kept[0], best, gain))
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a search is after: a concept's mean probability on these codes, high (`sign` 1) or low (-1)."""

    judge: Judge
    codes: Tensor
    concept: int
    sign: float

    def best(self, sets: Sequence[tuple[Choice, ...]], num_best: int) -> tuple[list[tuple[Choice, ...]], float]:
        """The best of the sets, and the mean probability under the very best."""
        num_first = max(_MIN_FIRST, len(self.codes) // 4)
        num_finalists = max(_NUM_FINALISTS, 2 * num_best)
        if len(sets) > num_finalists and len(self.codes) > num_first:
            order = self._order(self.reached(sets, self.codes[:num_first]))
            sets = [sets[index] for index in order[:num_finalists]]
        reached = self.reached(sets, self.codes)
        order = self._order(reached)[:num_best]
        return [sets[index] for index in order], float(reached[order[0]])

    def reached(self, sets: Sequence[tuple[Choice, ...]], codes: Tensor) -> Tensor:
        """The mean probability under each set."""
        changed = torch.cat([set_choices(codes, chosen) for chosen in sets])
        judged = self.judge.probabilities(changed)[:, self.concept]
        return judged.reshape(len(sets), len(codes)).mean(dim=1)

    def _order(self, reached: Tensor) -> list[int]:
        order: list[int] = (self.sign * reached).argsort(descending=True, stable=True).tolist()
        return order


def _short_list(
    wanted: _Wanted, chosen: Sequence[Choice], singles: Singles, num_candidates: int, is_differentiable: bool
) -> list[Choice]:
    """The choices that are worth trying beside the chosen ones."""
    used = {choice.coordinate for choice in chosen}
    free = [index for index, choice in enumerate(singles.choices) if choice.coordinate not in used]
    if len(free) <= num_candidates:
        return [singles.choices[index] for index in free]
    alone = sorted(free, key=lambda index: -wanted.sign * float(singles.after[index, wanted.concept]))
    if not is_differentiable:
        return [singles.choices[index] for index in alone[:num_candidates]]
    now = set_choices(wanted.codes, chosen)
    slopes = wanted.judge.log_probability(now, wanted.concept)[1]
    columns = torch.tensor([singles.choices[index].coordinate for index in free])
    values = torch.tensor([singles.choices[index].value for index in free], dtype=slopes.dtype)
    promised = wanted.sign * ((values - now[:, columns].to(slopes)) * slopes[:, columns]).mean(dim=0)
    ahead = [free[position] for position in promised.argsort(descending=True, stable=True).tolist()]
    listed: dict[int, None] = {}
    for pair in zip(ahead, alone, strict=True):
        listed.update(dict.fromkeys(pair))
    return [singles.choices[index] for index in list(listed)[:num_candidates]]
