"""All seeds of an experiment together: every number over the trainings, and what becomes of the paper's statements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rpganify.errors import closest

from .errors import RecipeError
from .recipe import Statement
from .values import Summary, Value, over_trainings, ratio

Verdict = Literal["held", "did not hold", "open"]

Numbers = Mapping[int, Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement of the paper, and what came out.

    Args:
        statement: of the recipe.
        found: the number that it is held against; None where it could not be taken.
        verdict: `held` or `did not hold` where the whole interval lies on one side of the bound, else `open`.
    """

    statement: Statement
    found: Summary | None
    verdict: Verdict


def summed(numbers: Numbers) -> dict[str, Summary]:
    """Each number over the seeds that have it, by `MODEL MEASURE`.

    Args:
        numbers: by seed.
    """
    names = dict.fromkeys(name for found in numbers.values() for name in found)
    return {
        name: over_trainings({seed: found[name] for seed, found in numbers.items() if name in found}) for name in names
    }


def findings(statements: tuple[Statement, ...], numbers: Numbers) -> list[Finding]:
    """What becomes of each statement; one whose number could not be taken, of this bucket for example, stays open.

    Raises:
        RecipeError: a statement is about a number that is never taken.
    """
    return [_finding(statement, numbers) for statement in statements]


def _finding(statement: Statement, numbers: Numbers) -> Finding:
    values = _values(statement.number, numbers)
    if not values:
        found = None
    else:
        found = ratio(values, _values(statement.over, numbers)) if statement.over else over_trainings(values)
    return Finding(statement, found, _verdict(statement, found))


def _values(name: str, numbers: Numbers) -> dict[int, Value]:
    known = list(dict.fromkeys(one for found in numbers.values() for one in found))
    # noise-frechet-2 is missing where noise cannot do what blocks do in bucket 2, and new digits where a model makes none;
    # of another bucket, or of another model, the number is there.
    if _family(name) not in {_family(one) for one in known}:
        raise RecipeError(
            f"A statement is about {name!r}, which was not measured.{closest(name, known)} Numbers are called MODEL MEASURE; "
            "results.json lists all."
        )
    return {seed: found[name] for seed, found in numbers.items() if name in found}


def _family(name: str) -> str:
    """What is measured, without the model and the bucket that it is measured of."""
    return re.sub(r"-(\d+|worst|unchanged)$", "", name.partition(" ")[2])


def _verdict(statement: Statement, found: Summary | None) -> Verdict:
    if found is None or found.low is None or found.high is None:
        return "open"
    if statement.at_least is not None:
        bound, sign = statement.at_least, 1.0
    else:
        assert statement.at_most is not None
        bound, sign = -statement.at_most, -1.0
    low, high = sorted((sign * found.low, sign * found.high))
    return "held" if low >= bound else "did not hold" if high < bound else "open"
