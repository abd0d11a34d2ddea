"""Classes of several models' images side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.classes.figure import MAX_CLASSES, Bars, draw_shares
from rpganify.analysis.classes.measure import REAL
from rpganify.analysis.path_kinds import ALL
from rpganify.analysis.same_settings import require_same
from rpganify.report.report import Cell, Column, Figure, Report, Table
from rpganify.report.style import COLOURS

NAME = "classes-comparison"
_SAME = ("classifier", "data", "generated images", "real images", "class names")

DEFINITION = """
Each model's images were counted by the same classifier; the models' reports define the measures. Shown are images of all of a
model's paths.
"""


def compare_classes(reports: Sequence[tuple[str, Report]]) -> Report:
    """The table and the picture of several reports of the analyzer `classes`.

    Args:
        reports: the user's name for each model, all different, and its report.
    Raises:
        AnalysisError: there is none, one is of another analyzer, or they were not measured in the same way.
    """
    require_same(reports, "classes", _SAME)
    first = reports[0][1]
    told_names = first.provenance["class names"]
    names = [str(name) for name in told_names] if isinstance(told_names, Sequence) else []
    shares = [(name, _shares(report, ALL)) for name, report in reports]
    real = _shares(first, REAL)
    everyone = [one for _, one in shares] + ([real] if real else [])
    spread = [max(s[c].value for s in everyone) - min(s[c].value for s in everyone) for c in range(len(names))]
    shown = sorted(sorted(range(len(names)), key=lambda index: -spread[index])[:MAX_CLASSES])
    bars = [Bars(name, tuple(one[index] for index in shown)) for name, one in shares[: len(COLOURS)]]
    if real:
        bars.append(Bars("real images", tuple(real[index] for index in shown), is_reference=True))
    new = [shown.index(index) for index in _new_classes(reports) if index in shown]
    told = "Share of the images of each class, by the classifier; whiskers are 95 % intervals."
    told += " White: real images." if real else ""
    if len(shown) < len(names):
        told += f" The {len(shown)} of {len(names)} classes whose shares differ most."
    if len(shares) > len(COLOURS):
        told += f" The first {len(COLOURS)} of {len(shares)} models; the table holds all."
    table = _table(reports)
    return Report(
        name=NAME,
        title="Classes of the images, of several models",
        definition=DEFINITION,
        tables=(table,),
        figures=(Figure("shares", told, draw_shares(bars, [names[index] for index in shown], new)),),
        provenance={
            **{key: first.provenance.get(key) for key in _SAME},
            "models": {name: report.provenance["model sha256"] for name, report in reports},
            "versions": first.provenance.get("versions"),
        },
        summary=_summary(table),
    )


def _shares(report: Report, subject: str) -> list[Estimate]:
    rows = [row for row in report.table("counts").rows if row[0] == subject]
    return [Estimate(*(float(str(cell)) for cell in row[6:9])) for row in rows]


def _new_classes(reports: Sequence[tuple[str, Report]]) -> list[int]:
    """Of the first report that tells old classes from new ones."""
    for _, report in reports:
        marked = [str(row[0]) for row in report.table("shares").rows]
        if any(name.endswith(" (new)") for name in marked):
            return [index for index, name in enumerate(marked) if name.endswith(" (new)")]
    return []


def _table(reports: Sequence[tuple[str, Report]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    columns = reports[0][1].table("distances").columns
    for name, report in reports:
        rows += [(name, *row) for row in report.table("distances").rows if row[0] != "real images"]
    return Table(
        "models", "How far the classes are from those of real images", (Column("model"), *columns), tuple(rows)
    )


def _summary(table: Table) -> str:
    found: Mapping[str, float] = {
        str(row[0]): row[3] for row in table.rows if row[1] in ("this model", "all paths") and isinstance(row[3], float)
    }
    if not found:
        return ""
    listed = ", ".join(f"{name} {found[name]:.3f}" for name in sorted(found, key=lambda name: found[name]))
    return f"Total variation distance of the classes from real images', best first: {listed}."
