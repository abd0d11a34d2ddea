"""Finds the controlling sets of every concept, and measures them on codes that they were not found on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from rpganify.analysis.bootstrap import mean_interval
from rpganify.analysis.controls.choices import Choice, set_choices
from rpganify.analysis.controls.control import Control
from rpganify.analysis.controls.fewest import find_fewest
from rpganify.analysis.controls.found import OPTIMISED, SEQUENTIAL, Controls, FoundSet, Point, Sizes
from rpganify.analysis.controls.judging import Seen
from rpganify.analysis.controls.looks import Ordinary, ordinary_among_own, ordinary_among_real, variety
from rpganify.analysis.controls.optimised import (
    BATCH_SIZE,
    Shift,
    best_by_size,
    choose_size,
    cut_shifts,
    optimise_shifts,
)
from rpganify.analysis.controls.random_sets import random_choices, random_shift, score_random
from rpganify.analysis.controls.scoring import reached, score_outcome, share
from rpganify.analysis.controls.sequential import MIN_GAIN, NUM_CANDIDATES, Singles, Step, grow_set, measure_singles
from rpganify.analysis.controls.subject import Subject
from rpganify.analysis.controls.translation import measure_translation
from rpganify.errors import AnalysisError

Apply = Callable[[Tensor], Tensor]
Done = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class _Codes:
    """Codes for each purpose, no two of them the same, and what the classifier says of them as they are."""

    search: Tensor
    choosing: Tensor
    held: Tensor
    choosing_before: Tensor
    held_seen: Seen
    ordinary: Ordinary

    @property
    def held_before(self) -> Tensor:
        """Class probabilities of the held-out codes as they are."""
        return self.held_seen.probabilities


@dataclass(frozen=True, slots=True)
class _Search:
    """What controlling sets of one concept are searched with, in either way.

    Args:
        subject: the generator.
        codes: to find sets on, and to measure them on.
        concept: class index.
        name: of the class.
        sizes: how many codes.
        min_gain: that ends the sequential search.
        num_candidates: that it tries at each step.
        chance: of all draws.
    """

    subject: Subject
    codes: _Codes
    concept: int
    name: str
    sizes: Sizes
    min_gain: float
    num_candidates: int
    chance: torch.Generator


def measure_controls(
    subject: Subject,
    seed: int,
    sizes: Sizes,
    *,
    is_optimised: bool = True,
    min_gain: float = MIN_GAIN,
    num_candidates: int = NUM_CANDIDATES,
    real: Tensor | None = None,
    progress: Done = lambda what, done, total: None,
) -> Controls:
    """Controlling sets of every concept, one after another and, of a latent, by optimisation; and what they do.

    Args:
        subject: the generator.
        seed: of all draws.
        sizes: how many codes.
        is_optimised: whether sets of a latent are also found by optimisation.
        min_gain: that ends the sequential search.
        num_candidates: that it tries at each step.
        real: features of real images, `(N, D)`: what makes images unlike them is left out; None knows only the generator's
            own, and leaves nothing out.
        progress: told what is under way.
    Raises:
        AnalysisError: every single change makes images unlike the real ones.
    """
    chance = torch.Generator().manual_seed(seed)
    made_before = subject.judge.num_images
    judge = subject.judge
    search, choosing, held, others = (
        subject.draw(n, chance) for n in (sizes.num_search, sizes.num_search, sizes.num_held, sizes.num_held)
    )
    seen = judge.see(held)
    ordinary = ordinary_among_own(others, judge.see(others).features) if real is None else ordinary_among_real(real)
    ordinary = replace(ordinary, base=ordinary.share(held, seen.features))
    codes = _Codes(search, choosing, held, judge.probabilities(choosing), seen, ordinary)
    # Of the generator's own images alone, a block that makes a class that no other makes looks as if it were broken.
    all_singles = measure_singles(
        *(judge, search, subject.choices, ordinary if ordinary.is_real else None),
        progress=lambda done: progress("single interventions", done, len(subject.choices)),
    )
    singles = all_singles.but_broken()
    if not singles.choices:
        raise AnalysisError(
            f"Every single change of {'a number of z' if subject.is_latent else 'a block'} makes most images unlike the real "
            "ones that they are held against, so there is nothing to search among. Are those what the generator was trained "
            "on? Name its own data, or leave out `--data`."
        )
    sets: list[FoundSet] = []
    after: list[Tensor | None] = []
    for concept, name in enumerate(subject.concepts):
        progress("controlling sets", concept, len(subject.concepts))
        one = _Search(subject, codes, concept, name, sizes, min_gain, num_candidates, chance)
        found = [_sequential(one, singles)]
        if subject.is_latent and is_optimised:
            optimised = _optimised(one, all_singles)
            found += [optimised] if optimised is not None else []
        sets += found
        best = min(found, key=lambda made: (-(made.chosen_by or 0.0), made.size))
        after.append(subject.judge.probabilities(best.control.apply(held)) if best.size else None)
    progress("controlling sets", len(subject.concepts), len(subject.concepts))
    fewest = None
    if sizes.num_fewest:
        num = min(sizes.num_fewest, len(held))
        fewest = find_fewest(
            subject.judge, held[:num], singles.choices, subject.max_changes, is_differentiable=subject.is_latent,
            progress=lambda done: progress("fewest changes", done, num),
        )  # fmt: skip
    return Controls(
        subject.concepts,
        subject.is_latent,
        subject.num_coordinates,
        sizes,
        min_gain,
        tuple(sets),
        measure_translation(codes.held_before, after, chance),
        held,
        codes.held_before.argmax(dim=1),
        fewest,
        ordinary.base,
        ordinary.is_real,
        tuple(choice for choice in subject.choices if choice not in singles.choices),
        subject.judge.num_images - made_before,
    )


def _sequential(search: _Search, singles: Singles) -> FoundSet:
    subject, concept = search.subject, search.concept
    grow = partial(
        grow_set,
        *(subject.judge, search.codes.search, concept, singles),
        min_gain=search.min_gain,
        max_size=subject.max_size,
        num_candidates=search.num_candidates,
        beam=subject.beam,
        weaker=subject.weaker,
        is_differentiable=subject.is_latent,
    )
    steps = grow()
    choices = steps[-1].choices if steps else ()
    if subject.is_latent:
        control = Control(search.name, "set", choices)
    else:
        lowering = tuple(step.choices for step in grow(is_raised=False))
        control = Control(search.name, "blocks", choices, tuple(step.choices for step in steps), lowering)

    def draw() -> Apply:
        drawn = random_choices(singles, len(choices), concept, search.chance, is_latent=subject.is_latent)
        return lambda here: set_choices(here, drawn)

    everything = None
    if subject.is_latent:
        best = [singles.better(coordinate, concept) for coordinate in singles.coordinates]
        everything = partial(set_choices, choices=best)
    curve = [(len(step.choices), partial(set_choices, choices=step.choices)) for step in steps]
    return _measured(search, SEQUENTIAL, control, draw, curve, everything, steps)


def _optimised(search: _Search, singles: Singles) -> FoundSet | None:
    """None where the concept has no slope at all."""
    subject, codes, concept, chance = search.subject, search.codes, search.concept, search.chance
    rates: list[float] = []

    def rate(shift: Tensor) -> float:
        judged = subject.judge.probabilities(codes.choosing + shift.to(codes.choosing))
        return share(reached(codes.choosing_before, judged, concept)) or 0.0

    def control_of(shift: Tensor) -> Control:
        return Control(search.name, "shift", _as_choices(shift))

    def is_enough(shift: Shift) -> bool:
        # Two penalties in a row that bring nothing more: the sets only grow from here.
        rates.append(rate(shift.shift))
        return len(rates) > 2 and rates[-3] >= max(rates[-2:]) > 0

    shifts = optimise_shifts(
        subject.judge,
        lambda n: subject.draw(n, chance),
        concept,
        batch_size=max(8, min(BATCH_SIZE, search.sizes.num_search // 2)),
        is_enough=is_enough,
    )
    if not shifts:
        return None
    candidates = cut_shifts(shifts[:-1])
    found = [rate(candidate) for candidate in candidates]
    best = best_by_size(candidates, found)
    size = choose_size({size: found[index] for size, index in best.items()}, len(codes.choosing)) if best else 0
    shift = candidates[best[size]] if best else torch.zeros(subject.num_coordinates, dtype=torch.float64)

    def draw() -> Apply:
        return control_of(random_shift(singles, shift, concept, chance)).apply

    curve = [(size, control_of(candidates[index]).apply) for size, index in best.items()]
    everything = control_of(shifts[-1].shift).apply
    return _measured(search, OPTIMISED, control_of(shift), draw, curve, everything)


def _measured(
    search: _Search,
    method: str,
    control: Control,
    draw: Callable[[], Apply],
    curve: Sequence[tuple[int, Apply]],
    everything: Apply | None,
    steps: tuple[Step, ...] = (),
) -> FoundSet:
    """A set that was found, judged on held-out codes.

    Args:
        search: that found it.
        method: how.
        control: what it does.
        draw: a random set of its size.
        curve: sets by size, on the way to its own.
        everything: sets or moves all dimensions; None for paths.
        steps: of the sequential way.
    """
    codes, concept, sizes, chance = search.codes, search.concept, search.sizes, search.chance
    judge = search.subject.judge
    see, judged = judge.see, judge.probabilities
    changed = control.apply(codes.held) if control.choices else codes.held
    seen = see(changed)
    outcome = score_outcome(codes.held_before, seen.probabilities, concept, chance)
    few, few_before = codes.held[: sizes.num_random], codes.held_before[: sizes.num_random]
    num_draws = sizes.num_draws if control.choices else 0
    random = score_random(judge, few, few_before, concept, draw, num_draws) if num_draws else None
    some, some_before = codes.held[: sizes.num_search], codes.held_before[: sizes.num_search]
    own = codes.held_seen.looks[codes.held_before.argmax(dim=1) == concept]
    points = []
    for size, apply in curve:
        made = apply(some)
        found = see(made)
        is_there = reached(some_before, found.probabilities, concept)
        ordinary = codes.ordinary.share(made, found.features)
        points.append(Point(size, is_there, variety(found.looks, own), ordinary))
    chosen = control.apply(codes.choosing) if control.choices else codes.choosing
    return FoundSet(
        concept,
        method,
        control,
        steps,
        share(reached(codes.choosing_before, judged(chosen), concept)),
        outcome,
        random,
        everything and mean_interval(reached(some_before, judged(everything(some)), concept), chance),
        tuple(points),
        variety(seen.looks, own) if control.choices else None,
        codes.ordinary.share(changed, seen.features),
    )


def _as_choices(shift: Tensor) -> tuple[Choice, ...]:
    """A shift's nonzero entries, the largest first."""
    order = shift.abs().argsort(descending=True, stable=True).tolist()
    return tuple(Choice(index, float(shift[index])) for index in order if shift[index] != 0)
