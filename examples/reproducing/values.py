"""Numbers with the range they may lie in: over trainings where there are several, else within the one there is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Value:
    """A number of one training.

    Args:
        value: as measured.
        low, high: its 95 % interval within this training; None where there is none. Both are the value where it is exact.
        spread: what the interval is over: `3 sets of images`, `paths`; empty without one.
    """

    value: float
    low: float | None = None
    high: float | None = None
    spread: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """A number of all trainings.

    Args:
        value: the mean over the trainings, or the only one's.
        low, high: 95 % interval; None where there is none.
        spread: what it is over.
        num_trainings: how many.
        least, std: over the trainings; None of a single one.
        by_seed: each training's.
    """

    value: float
    low: float | None
    high: float | None
    spread: str
    num_trainings: int
    least: float | None
    std: float | None
    by_seed: Mapping[int, float]


def exactly(value: float) -> Value:
    """A number without chance in it."""
    return Value(value, value, value, "exact")


def mean_of_sets(mean: float, std: float | None, num_sets: int, what: str) -> Value:
    """A mean over some sets whose standard deviation is known: Student's interval."""
    if std is None or num_sets < 2:
        return Value(mean)
    half = _quantile(num_sets) * std / math.sqrt(num_sets)
    return Value(mean, mean - half, mean + half, what)


def share(num: int, total: int, what: str) -> Value:
    """A share of independent draws, with Wilson's interval."""
    found = stats.binomtest(num, total).proportion_ci(LEVEL, method="wilson")
    return Value(num / total, float(found.low), float(found.high), what)


def over_trainings(values: Mapping[int, Value]) -> Summary:
    """One number of several trainings.

    Args:
        values: by seed; at least one.
    """
    found = {seed: one.value for seed, one in values.items()}
    if len(found) == 1:
        (one,) = values.values()
        return Summary(one.value, one.low, one.high, one.spread, 1, None, None, found)
    mean, std, low, high = _student(list(found.values()))
    return Summary(mean, low, high, _named(len(found)), len(found), min(found.values()), std, found)


def ratio(above: Mapping[int, Value], below: Mapping[int, Value]) -> Summary | None:
    """One number divided by another, seed by seed; the mean is the geometric one.

    Args:
        above, below: by seed.
    Returns:
        None if no seed has both, or one is not positive: then there is no ratio to speak of.
    """
    seeds = [seed for seed in above if seed in below]
    if not seeds or any(min(above[seed].value, below[seed].value) <= 0 for seed in seeds):
        return None
    ratios = {seed: above[seed].value / below[seed].value for seed in seeds}
    if len(seeds) > 1:
        mean, std, low, high = _student([math.log(one) for one in ratios.values()])
        spread = _named(len(seeds))
        least, value = min(ratios.values()), math.exp(mean)
        return Summary(value, math.exp(low), math.exp(high), spread, len(seeds), least, value * std, ratios)
    (seed,) = seeds
    one, other = above[seed], below[seed]
    value = ratios[seed]
    halves = [_relative_half(each) for each in (one, other)]
    if halves[0] is None or halves[1] is None:
        return Summary(value, None, None, "", 1, None, None, ratios)
    half = math.hypot(halves[0], halves[1])
    spread = " and ".join(dict.fromkeys(each.spread for each in (one, other) if each.spread))
    return Summary(value, value * math.exp(-half), value * math.exp(half), spread, 1, None, None, ratios)


def _relative_half(value: Value) -> float | None:
    """Half the width of an interval as a share of its value."""
    if value.low is None or value.high is None:
        return None
    return (value.high - value.low) / 2 / value.value


def _student(values: Sequence[float]) -> tuple[float, float, float, float]:
    """Mean, standard deviation, and the ends of Student's interval of at least two values."""
    mean = math.fsum(values) / len(values)
    std = math.sqrt(math.fsum((one - mean) ** 2 for one in values) / (len(values) - 1))
    half = _quantile(len(values)) * std / math.sqrt(len(values))
    return mean, std, mean - half, mean + half


def _quantile(num: int) -> float:
    return float(stats.t.ppf((1 + LEVEL) / 2, num - 1))


def _named(num_trainings: int) -> str:
    return f"{num_trainings} trainings"
