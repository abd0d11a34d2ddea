"""Single images brought to a class by changing as few coordinates as possible: blocks of a path, dimensions of a latent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.controls.choices import Choice, set_choices, set_each
from rpganify.analysis.controls.judging import Judge

NUM_TRIED = 32
BEAM = 4


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
    is_differentiable: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Fewest:
    """For each code and class, the fewest changed coordinates that make it the likeliest class.

    Single changes are all tried. Of several, those are tried that promise most if the changes' effects on the concept's
    log-odds add up, beside the best ones of one change less; where codes have slopes, every second of them promises most to
    first order there. So a 1 is exact, and a larger number is the smallest one found.

    Args:
        judge: says the probabilities.
        codes: `(N, num_coordinates)`.
        choices: what a coordinate may be changed to.
        max_changes: >= 1.
        num_tried: images for each code, class, and number of changes beyond one.
        beam: ways that are kept from one number of changes to the next.
        is_differentiable: whether the images have slopes along the codes.
        progress: told how many codes are done.
    """
    found, made = [], []
    for number, code in enumerate(codes):
        num_changes, changed = _of_one(judge, code, choices, max_changes, num_tried, beam, is_differentiable)
        found.append(num_changes)
        made.append(changed)
        progress(number + 1)
    return Fewest(torch.stack(found), torch.stack(made), max_changes)


@dataclass(frozen=True, slots=True)
class _Way:
    """Some changes, and the concept's log-odds under them."""

    choices: tuple[Choice, ...]
    odds: float


def _of_one(
    judge: Judge,
    code: Tensor,
    choices: Sequence[Choice],
    max_changes: int,
    num_tried: int,
    beam: int,
    is_differentiable: bool,
) -> tuple[Tensor, Tensor]:
    own = judge.probabilities(code[None])[0]
    own_odds = _log_odds(own)
    options = [choice for choice in choices if float(code[choice.coordinate]) != choice.value]
    singles = judge.probabilities(set_each(code[None], options).flatten(0, 1))  # (num_options, num_concepts)
    single_odds = _log_odds(singles)
    gains = single_odds - own_odds
    num_changes = torch.full((len(own),), -1, dtype=torch.int64)
    changed = code.repeat(len(own), 1)
    for concept in range(len(own)):
        if int(own.argmax()) == concept:
            num_changes[concept] = 0
            continue
        best = single_odds[:, concept].argsort(descending=True, stable=True).tolist()
        reaching = [index for index in best if int(singles[index].argmax()) == concept]
        ways = [_Way((options[index],), float(single_odds[index, concept])) for index in (*reaching[:1], *best)][:beam]
        is_reached, size = bool(reaching), 1
        while not is_reached and size < max_changes:
            size += 1
            promised = gains[:, concept].expand(len(ways), -1)
            tried = _longer(ways, options, promised, num_tried)
            if is_differentiable:
                at_ways = torch.cat([set_choices(code[None], way.choices) for way in ways])
                by_slope = _longer(ways, options, _first_order(judge, at_ways, concept, options), num_tried)
                tried = _alternating(tried, by_slope)[:num_tried]
            if not tried:
                break
            made = torch.cat([set_choices(code[None], way) for way in tried])
            judged = judge.probabilities(made)
            odds = _log_odds(judged)[:, concept]
            is_there = judged.argmax(dim=1) == concept
            is_reached = bool(is_there.any())
            order = (odds + 1e9 * is_there).argsort(descending=True, stable=True).tolist()
            ways = [_Way(tried[index], float(odds[index])) for index in order[:beam]]
        changed[concept] = set_choices(code[None], ways[0].choices)[0]
        if is_reached:
            num_changes[concept] = size
    return num_changes, changed


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
