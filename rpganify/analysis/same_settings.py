"""Refuses to put reports side by side whose numbers mean different things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rpganify.errors import AnalysisError
from rpganify.report.report import JsonValue, Report


def require_same(reports: Sequence[tuple[str, Report]], analyzer: str, keys: Sequence[str]) -> None:
    """Refuses reports that are not all of one analyzer, or were not made with the same settings.

    Args:
        reports: the user's name for each model, and its report.
        analyzer: whose they have to be.
        keys: of the provenance, in which they have to agree.
    Raises:
        AnalysisError: there is none, a name is used twice, or what the first difference is.
    """
    if not reports:
        raise AnalysisError(f"There is no report to compare. `rpganify analyze MODEL {analyzer}` makes one.")
    names = [name for name, _ in reports]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise AnalysisError(f"Two models are both called {twice[0]!r}; give each its own name.")
    first = reports[0][1]
    for name, report in reports:
        if report.name != analyzer:
            raise AnalysisError(
                f"The report {report.name!r} on {name} is none of the analyzer `{analyzer}`, and cannot be compared with such. "
                f"Make one: `rpganify analyze {name} {analyzer}`."
            )
        for key in keys:
            here, there = first.provenance.get(key), report.provenance.get(key)
            if here != there:
                raise AnalysisError(
                    f"{names[0]} and {name} were measured differently: {key} is {_short(here)} for the one and {_short(there)} "
                    "for the other, so their numbers cannot be compared. Measure both in one call of `rpganify report`."
                )


def _short(value: JsonValue) -> str:
    if isinstance(value, Mapping) and "name" in value:
        sha = value.get("weight file sha256")
        return f"{value['name']}{f' (SHA-256 {str(sha)[:8]}…)' if sha else ''}"
    return repr(value)
