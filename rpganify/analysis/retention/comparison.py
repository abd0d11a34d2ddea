"""Retention of several models side by side: before a growth, after it, and trained otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.path_kinds import ALL as ALL_PATHS
from rpganify.analysis.retention.figure import Series, draw_quality
from rpganify.analysis.retention.measure import REAL
from rpganify.analysis.same_settings import require_same
from rpganify.report.report import Cell, Column, Figure, Report, Table
from rpganify.report.style import COLOURS

NAME = "retention-comparison"
_SAME = ("data", "groups", "images", "distance", "extractor", "classifier", "nearest neighbours")

DEFINITION = """
Each model was measured by itself, in the same way; its report defines the measures. What a growth has cost is the difference
between the model before it and the model after it on old classes; what it has won is what the model after it reaches of the new
ones. A model that was trained from nothing on all classes says what is to be had without a growth.
"""


def compare_retention(reports: Sequence[tuple[str, Report]]) -> Report:
    """Tables and the picture of several reports of the analyzer `retention`.

    Args:
        reports: the user's name for each model, all different, and its report.
    Raises:
        AnalysisError: there is none, one is of another analyzer, or they were not measured in the same way.
    """
    require_same(reports, "retention", _SAME)
    first = reports[0][1].provenance
    groups = list(first["groups"]) if isinstance(first["groups"], Mapping) else []
    distance = str(first["distance"])
    shown = [_series(report, ALL_PATHS, name) for name, report in reports[: len(COLOURS)]]
    reference = _series(reports[0][1], REAL, "other real images")
    drawing = draw_quality(
        [*shown, *([reference] if reference.precision else [])], [(key, key) for key in groups], distance
    )
    told = "All paths of each model against real images of old, new and all classes. Hollow: other real images."
    if len(shown) < len(reports):
        told += f" The first {len(shown)} of {len(reports)} models; the table holds all."
    return Report(
        name=NAME,
        title="Old classes and new ones, of several models",
        definition=DEFINITION,
        tables=(_table(reports, groups, distance),),
        figures=(Figure("quality", told, drawing),),
        provenance={
            **{key: first[key] for key in _SAME},
            "models": {name: report.provenance["model sha256"] for name, report in reports},
            "versions": first.get("versions"),
        },
        notes=tuple(dict.fromkeys(note for _, report in reports for note in report.notes if "left out" in note)),
        summary=_summary(reports, groups, distance),
    )


def _series(report: Report, subject: str, label: str) -> Series:
    rows = {str(row[2]): row for row in report.table("numbers").rows if row[0] == subject}
    return Series(
        label,
        {key: found for key, row in rows.items() if (found := _estimate(row)) is not None},
        {key: float(str(row[7])) for key, row in rows.items()},
        {key: float(str(row[8])) for key, row in rows.items()},
        subject == REAL,
    )


def _estimate(row: Sequence[Cell]) -> Estimate | None:
    value, low, high = row[4:7]
    if not (isinstance(value, float) and isinstance(low, float) and isinstance(high, float)):
        return None
    return Estimate(value, low, high)


def _table(reports: Sequence[tuple[str, Report]], groups: Sequence[str], distance: str) -> Table:
    columns = [Column("model"), Column("images of"), Column("new classes", "%")]
    for key in groups:
        columns += [Column(f"{distance}, {key} classes"), Column(f"± {key}", is_error=True)]
    columns += [Column(f"recall, {key} classes") for key in groups]
    rows: list[tuple[Cell, ...]] = []
    for name, report in reports:
        shares = _shares(report)
        subjects = dict.fromkeys((str(row[0]), str(row[1])) for row in report.table("numbers").rows if row[0] != REAL)
        for subject, title in subjects:
            one = _series(report, subject, name)
            cells: list[Cell] = []
            for key in groups:
                found = one.frechet.get(key)
                cells += [None, None] if found is None else [found.value, (found.high - found.low) / 2]
            rows.append((name, title, shares.get(title), *cells, *(one.recall.get(key) for key in groups)))
    title = "Distance, with half its 95 % interval, and recall, by classes"
    return Table("models", title, tuple(columns), tuple(rows))


def _shares(report: Report) -> dict[str, Cell]:
    found = next((table for table in report.tables if table.name == "shares"), None)
    return {} if found is None else {str(row[0]): row[1] for row in found.rows}


def _summary(reports: Sequence[tuple[str, Report]], groups: Sequence[str], distance: str) -> str:
    said: list[str] = []
    for key in groups:
        found = {name: _series(report, ALL_PATHS, name) for name, report in reports}
        values = {name: one.frechet[key].value for name, one in found.items() if key in one.frechet}
        what, is_lower = distance, True
        if not values:
            values = {name: one.recall[key] for name, one in found.items() if key in one.recall}
            what, is_lower = "recall", False
        if not values:
            continue
        order = sorted(values, key=lambda name: values[name], reverse=not is_lower)
        listed = ", ".join(f"{name} {values[name]:.3g}" for name in order)
        said.append(f"{key} classes: {listed}" if said else f"{what}, best first, {key} classes: {listed}")
    told = "; ".join(said)
    return f"{told[:1].upper()}{told[1:]}." if told else ""
