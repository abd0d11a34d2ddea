"""Single images brought to a class by changing as few coordinates as possible: blocks of a path, dimensions of a latent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from rpganify.analysis.controls.choices import Choice, set_choices
from rpganify.analysis.controls.judging import Judge

NUM_TRIED = 32
BEAM = 4
# Two buckets of 20 blocks make 361 pairs of changes, and four of them 2,166; two dimensions at two extremes of 128, 32,512.
MAX_PAIRS = 2500


@dataclass(frozen=True, slots=True)
class Fewest:
    """How many changes bring each code to each class.

    Args:
        num_changes: int64 `(N, num_concepts)`: 0 where the code is of the class already, -1 where no way was found.
        codes: `(N, num_concepts, num_coordinates)`, the changed codes; where no way was found, the likeliest one tried.
        max_changes: that were tried.
    """

    num_changes: Tensor
    codes: Tensor
    max_changes: int

    def within(self, num_changes: int) -> Tensor:
        """Whether that many changes are enough: float64 `(N, num_concepts)`, NaN where none is needed."""
        found = ((self.num_changes > 0) & (self.num_changes <= num_changes)).double()
        return found.masked_fill(self.num_changes == 0, torch.nan)


def find_fewest(
    judge: Judge,
    codes: Tensor,
    choices: Sequence[Choice],
    max_changes: int,
    *,
    num_tried: int = NUM_TRIED,
    beam: int = BEAM,
    max_pairs: int = MAX_PAIRS,
    is_differentiable: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Fewest:
    """For each code and class, the fewest changed coordinates that make it the likeliest class.

    Single changes are all tried, and so are pairs if there are no more than `max_pairs`. Of several, those are tried that
    promise most if the changes' effects on the concept's log-odds add up, beside the best ones of one change less; where
    codes have slopes, every second of them promises most to first order there. So a 1 is exact, a 2 where all pairs are
    tried, and a larger number is the smallest one found.

    Args:
        judge: says the probabilities.
        codes: `(N, num_coordinates)`.
        choices: what a coordinate may be changed to.
        max_changes: >= 1.
        num_tried: images for each code, class, and number of changes beyond one.
        beam: ways that are kept from one number of changes to the next.
        max_pairs: of changes, up to which all are tried.
        is_differentiable: whether the images have slopes along the codes.
        progress: told how many codes are done.
    """
    search = _Search(judge, tuple(choices), max_changes, num_tried, beam, max_pairs, is_differentiable)
    found, made = [], []
    for number, code in enumerate(codes):
        num_changes, changed = search.of_one(code)
        found.append(num_changes)
        made.append(changed)
        progress(number + 1)
    return Fewest(torch.stack(found), torch.stack(made), max_changes)


@dataclass(frozen=True, slots=True)
class _Way:
    """Some changes, and the concept's log-odds under them."""

    choices: tuple[Choice, ...]
    odds: float


@dataclass(frozen=True, slots=True)
class _Tried:
    """Ways that were tried, and what the classifier says of each, `(len(ways), num_concepts)`."""

    ways: tuple[tuple[Choice, ...], ...]
    probabilities: Tensor
    odds: Tensor

    def best(self, concept: int, beam: int) -> tuple[list[_Way], bool]:
        """The best ways to a concept, and whether the first of them makes it the likeliest class."""
        is_there = self.probabilities.argmax(dim=1) == concept
        odds = self.odds[:, concept]
        order = (odds + 1e9 * is_there).argsort(descending=True, stable=True)[:beam].tolist()
        return [_Way(self.ways[index], float(odds[index])) for index in order], bool(is_there[order[0]])


@dataclass(frozen=True, slots=True)
class _Search:
    """What `find_fewest` is asked for, but the codes."""

    judge: Judge
    choices: tuple[Choice, ...]
    max_changes: int
    num_tried: int
    beam: int
    max_pairs: int
    is_differentiable: bool

    def of_one(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """The fewest changes to each concept, and the changed codes."""
        own = self.judge.probabilities(code[None])[0]
        options = [choice for choice in self.choices if float(code[choice.coordinate]) != choice.value]
        singles = self._tried(code, [(option,) for option in options])
        gains = singles.odds - _log_odds(own)
        num_changes = torch.full((len(own),), -1, dtype=torch.int64)
        changed = code.repeat(len(own), 1)
        pairs: _Tried | None = None
        for concept in range(len(own)):
            if int(own.argmax()) == concept:
                num_changes[concept] = 0
                continue
            ways, is_reached = singles.best(concept, self.beam)
            size = 1
            while not is_reached and size < self.max_changes:
                size += 1
                if size == 2 and pairs is None:
                    pairs = self._pairs(code, options)
                if size == 2 and pairs is not None:
                    tried = pairs
                else:
                    listed = self._listed(code, concept, ways, options, gains[:, concept])
                    if not listed:
                        break
                    tried = self._tried(code, listed)
                ways, is_reached = tried.best(concept, self.beam)
            changed[concept] = set_choices(code[None], ways[0].choices)[0]
            if is_reached:
                num_changes[concept] = size
        return num_changes, changed

    def _tried(self, code: Tensor, ways: Sequence[tuple[Choice, ...]]) -> _Tried:
        probabilities = self.judge.probabilities(torch.cat([set_choices(code[None], way) for way in ways]))
        return _Tried(tuple(ways), probabilities, _log_odds(probabilities))

    def _pairs(self, code: Tensor, options: Sequence[Choice]) -> _Tried | None:
        """All pairs of changes; None if there are too many."""
        counts = Counter(option.coordinate for option in options)
        num_pairs = (len(options) ** 2 - sum(count**2 for count in counts.values())) // 2
        if not 0 < num_pairs <= self.max_pairs:
            return None
        pairs = [pair for pair in combinations(options, 2) if pair[0].coordinate != pair[1].coordinate]
        return self._tried(code, pairs)

    def _listed(
        self, code: Tensor, concept: int, ways: Sequence[_Way], options: Sequence[Choice], gains: Tensor
    ) -> list[tuple[Choice, ...]]:
        """Ways of one change more that are worth trying; none where every coordinate is changed."""
        listed = _longer(ways, options, gains.expand(len(ways), -1), self.num_tried)
        if not self.is_differentiable:
            return listed
        at_ways = torch.cat([set_choices(code[None], way.choices) for way in ways])
        by_slope = _longer(ways, options, _first_order(self.judge, at_ways, concept, options), self.num_tried)
        return _alternating(listed, by_slope)[: self.num_tried]


def _longer(ways: Sequence[_Way], options: Sequence[Choice], gains: Tensor, num_tried: int) -> list[tuple[Choice, ...]]:
    """The ways with one more change each, most promising first; the same changes in another order are one way.

    Args:
        ways: to be made longer.
        options: the changes.
        gains: what each promises beside each way, `(len(ways), len(options))`.
        num_tried: ways to return at most.
    """
    promised: dict[frozenset[Choice], tuple[float, tuple[Choice, ...]]] = {}
    for way, of_way in zip(ways, gains.tolist(), strict=True):
        used = {choice.coordinate for choice in way.choices}
        for option, gain in zip(options, of_way, strict=True):
            if option.coordinate in used:
                continue
            longer = (*way.choices, option)
            key, value = frozenset(longer), way.odds + gain
            if key not in promised or promised[key][0] < value:
                promised[key] = (value, longer)
    best = sorted(promised.values(), key=lambda one: -one[0])[:num_tried]
    return [choices for _, choices in best]


def _first_order(judge: Judge, codes: Tensor, concept: int, options: Sequence[Choice]) -> Tensor:
    """What each change promises beside what is changed already: `(len(codes), len(options))`."""
    slopes = judge.log_probability(codes, concept)[1]
    columns = torch.tensor([option.coordinate for option in options])
    values = torch.tensor([option.value for option in options], dtype=slopes.dtype)
    return (values - codes[:, columns].to(slopes)) * slopes[:, columns]


def _alternating(ones: Sequence[tuple[Choice, ...]], others: Sequence[tuple[Choice, ...]]) -> list[tuple[Choice, ...]]:
    """The first of both, the second of both, and so on, each once."""
    listed = {frozenset(way): way for pair in zip(others, ones, strict=False) for way in reversed(pair)}
    return list(listed.values())


def _log_odds(probabilities: Tensor) -> Tensor:
    """`log p / (1 − p)`, of probabilities kept away from 0 and 1 so that it is finite."""
    return torch.logit(probabilities, eps=1e-12)
