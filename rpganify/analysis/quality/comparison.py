"""Several trainings side by side: minimum, mean and spread of their quality, also against the number of blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rpganify.analysis.quality.figure import Curve, Level, draw_curves, draw_levels
from rpganify.analysis.quality.measure import MODEL, REAL, TITLES, TWIN
from rpganify.analysis.quality.metrics import METRICS
from rpganify.errors import AnalysisError
from rpganify.report.report import Cell, Column, Figure, JsonValue, Report, Table

NAME = "quality-comparison"
MAX_CURVES = 6

DEFINITION = """
Each training was measured by itself, in the same way and against real images of the same set; its report defines the
measures. Trainings of generators with the same number of blocks in every bucket, or of standard generators, are taken
together: minimum and mean over them as in table 2 of RPGAN, which has ten trainings of each; ± is the standard deviation
over the trainings.

Against the number of blocks, as in figure 7: with too few of them the paths do not cover the data, with too many they are
hard to train. Where buckets differ in their number of blocks, the geometric mean stands on the axis: that many in each
bucket would give as many paths.
"""

# A number means the same in two reports where all of these are equal.
_SAME = (
    "data",
    "image shape",
    "real images",
    "generated images",
    "extractor",
    "class scores",
    "nearest neighbours",
    "clusters",
)


@dataclass(frozen=True, slots=True)
class Training:
    """One measured generator.

    Args:
        label: the user's name for it.
        generator: class and size of the plain generator.
        num_blocks: of each bucket; None for a standard generator.
        sha256: of the model.
        numbers: value by the metric's key.
        precision, recall: its curve.
    """

    label: str
    generator: str
    num_blocks: tuple[int, ...] | None
    sha256: str
    numbers: Mapping[str, float]
    precision: np.ndarray
    recall: np.ndarray

    @property
    def blocks(self) -> str:
        """Their numbers in words: `5 × 40 blocks`, `20-20-8 blocks`, `standard`."""
        if self.num_blocks is None:
            return "standard"
        if len(set(self.num_blocks)) == 1:
            return f"{len(self.num_blocks)} × {self.num_blocks[0]} blocks"
        return f"{'-'.join(map(str, self.num_blocks))} blocks"


def compare_quality(reports: Sequence[tuple[str, Report]]) -> Report:
    """Tables and pictures of several reports of the analyzer `quality`.

    A standard twin that was measured beside a model counts as a training of its own, once.

    Args:
        reports: the user's name for each model, all different, and its report.
    Raises:
        AnalysisError: there is none, one is no report on quality, a name is used twice, or the numbers mean different
            things: other data, counts, extractor weights or resizing.
    """
    _require_comparable(reports)
    trainings = [training for label, report in reports for training in _trainings(label, report)]
    seen: dict[str, Training] = {}
    for training in sorted(trainings, key=lambda one: one.label.endswith(f" ({TITLES[TWIN]})")):
        seen.setdefault(training.sha256, training)  # a model that was named comes before the same one as a twin
    trainings = [training for training in trainings if seen[training.sha256] is training]
    groups = _grouped(trainings)
    titles = _titles(reports)
    first = next(metric.key for metric in METRICS if all(metric.key in one.numbers for one in trainings))
    real = [value for _, report in reports for key, value in _numbers(report, REAL).items() if key == first]
    figures = [_curves(groups, reports)]
    if any(one.num_blocks is not None for one in trainings):
        figures.insert(0, _chart(groups, titles[first], min(real, default=None)))
    return Report(
        name=NAME,
        title="Quality of several trainings",
        definition=DEFINITION,
        tables=(_settings_table(groups, titles), _trainings_table(groups, titles)),
        figures=tuple(figures),
        provenance=_provenance(reports),
        notes=tuple(_notes(groups, reports)),
        summary=_summary(groups, first, titles[first]),
    )


def _require_comparable(reports: Sequence[tuple[str, Report]]) -> None:
    if not reports:
        raise AnalysisError("There is no report to compare. `rpganify analyze MODEL quality --data NAME` makes one.")
    labels = [label for label, _ in reports]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise AnalysisError(f"Two models are both called {twice[0]!r}; give each its own name.")
    for label, report in reports:
        if not {"numbers", "curve"} <= {table.name for table in report.tables}:
            raise AnalysisError(
                f"The report {report.name!r} on {label} is none of the analyzer `quality`, and cannot be compared with "
                f"such. Make one: `rpganify analyze {label} quality --data NAME`."
            )
        here, first = reports[0][1].provenance, report.provenance
        for key in _SAME:
            if here.get(key) != first.get(key):
                raise AnalysisError(
                    f"{labels[0]} and {label} were measured differently: {key} is {_short(here.get(key))} for the one and "
                    f"{_short(first.get(key))} for the other, so their numbers cannot be compared. Measure both with the "
                    "same data, --num-images and --extractor."
                )


def _short(value: JsonValue) -> str:
    if isinstance(value, Mapping):
        name, sha = value.get("name"), value.get("weight file sha256")
        return f"{name}{f' (SHA-256 {str(sha)[:8]}…)' if sha else ''}, {value.get('images first')}"
    return repr(value)


def _trainings(label: str, report: Report) -> list[Training]:
    """The model of a report, and its twin if there was one."""
    models = report.provenance["models"]
    assert isinstance(models, Mapping)
    found = []
    for subject, named in ((MODEL, label), (TWIN, f"{label} ({TITLES[TWIN]})")):
        if subject not in models:
            continue
        model = models[subject]
        assert isinstance(model, Mapping)
        blocks = model["num_blocks"]
        num_blocks = tuple(map(int, blocks)) if isinstance(blocks, Sequence) else None  # type: ignore[arg-type]
        points = np.array([row[2:] for row in report.table("curve").rows if row[0] == subject], dtype=np.float64)
        numbers = _numbers(report, subject)
        generator, sha256 = str(model["generator"]), str(model["sha256"])
        found.append(Training(named, generator, num_blocks, sha256, numbers, points[:, 0], points[:, 1]))
    return found


def _grouped(trainings: Sequence[Training]) -> dict[str, list[Training]]:
    """Trainings of one generator with the same blocks, by what tells them from the others."""
    is_one = len({one.generator for one in trainings}) == 1
    groups: dict[str, list[Training]] = {}
    for one in trainings:
        groups.setdefault(one.blocks if is_one else f"{one.generator}, {one.blocks}", []).append(one)
    return groups


def _numbers(report: Report, subject: str) -> dict[str, float]:
    rows = report.table("numbers").rows
    return {str(row[1]): row[3] for row in rows if row[0] == subject and isinstance(row[3], float)}


def _titles(reports: Sequence[tuple[str, Report]]) -> dict[str, str]:
    return {str(row[1]): str(row[2]) for _, report in reports for row in report.table("numbers").rows}


def _settings_table(groups: Mapping[str, Sequence[Training]], titles: Mapping[str, str]) -> Table:
    columns = ("setting", "trainings", "measure", "minimum", "mean", "std", "maximum")
    rows: list[tuple[Cell, ...]] = []
    for setting, trainings in groups.items():
        for metric in METRICS:
            values = [one.numbers[metric.key] for one in trainings if metric.key in one.numbers]
            if values:
                std = float(np.std(values, ddof=1)) if len(values) > 1 else None
                mean = float(np.mean(values))
                rows.append((setting, len(values), titles[metric.key], min(values), mean, std, max(values)))
    headed = tuple(Column(name, is_error=name == "std") for name in columns)
    return Table("settings", "Minimum, mean and spread over the trainings of each setting", headed, tuple(rows))


def _trainings_table(groups: Mapping[str, Sequence[Training]], titles: Mapping[str, str]) -> Table:
    metrics = [metric for metric in METRICS if metric.key in titles]
    columns = (Column("model"), Column("setting"), *(Column(titles[metric.key]) for metric in metrics))
    rows = tuple(
        (one.label, setting, *(one.numbers.get(metric.key) for metric in metrics))
        for setting, trainings in groups.items()
        for one in trainings
    )
    return Table("trainings", "Each training", columns, rows)


def _chart(groups: Mapping[str, Sequence[Training]], title: str, real: float | None) -> Figure:
    key = _key_of(groups)
    levels = [
        Level(trainings[0].generator, _place(trainings[0].num_blocks), tuple(one.numbers[key] for one in trainings))
        for trainings in groups.values()
    ]
    told = f"{title} against the number of blocks per bucket (figure 7)."
    if any(len(level.values) > 1 for level in levels):
        told += " Small dots: trainings; whiskers: ± one standard deviation over them."
    if any(level.num_blocks is None for level in levels):
        told += " Dashed: the standard generator, which has no blocks."
    if any(one.num_blocks and len(set(one.num_blocks)) > 1 for each in groups.values() for one in each):
        told += " Where buckets differ, the geometric mean of their numbers of blocks."
    return Figure("blocks", told, draw_levels(levels, title, real))


def _key_of(groups: Mapping[str, Sequence[Training]]) -> str:
    """The first measure that all trainings have."""
    everyone = [one for trainings in groups.values() for one in trainings]
    return next(metric.key for metric in METRICS if all(metric.key in one.numbers for one in everyone))


def _place(num_blocks: tuple[int, ...] | None) -> float | None:
    return None if num_blocks is None else math.prod(num_blocks) ** (1 / len(num_blocks))


def _curves(groups: Mapping[str, Sequence[Training]], reports: Sequence[tuple[str, Report]]) -> Figure:
    curves = []
    shown = dict(list(groups.items())[:MAX_CURVES])
    for setting, trainings in shown.items():
        label = trainings[0].label if len(trainings) == 1 else f"{setting}, mean of {len(trainings)} trainings"
        precision, recall = (
            np.mean([getattr(one, side) for one in trainings], axis=0) for side in ("precision", "recall")
        )
        curves.append(Curve(label, precision, recall))
    for _, report in reports:
        points = np.array([row[2:] for row in report.table("curve").rows if row[0] == REAL], dtype=np.float64)
        if len(points):
            curves.append(Curve(TITLES[REAL], points[:, 0], points[:, 1], is_reference=True))
            break
    told = "Precision and recall of the images (Sajjadi et al. 2018; figure 11). The closer to the upper right, the better."
    if len(groups) > len(shown):
        told += f" The first {len(shown)} of {len(groups)} settings; the tables hold all."
    return Figure("curves", told, draw_curves(curves))


def _provenance(reports: Sequence[tuple[str, Report]]) -> dict[str, JsonValue]:
    first = reports[0][1].provenance
    return {
        **{key: first[key] for key in _SAME if key in first},
        "models": {label: report.provenance["models"] for label, report in reports},
        "seeds": {label: report.provenance.get("seed") for label, report in reports},
        "versions": first.get("versions"),
    }


def _notes(groups: Mapping[str, Sequence[Training]], reports: Sequence[tuple[str, Report]]) -> list[str]:
    notes = list(dict.fromkeys(note for _, report in reports for note in report.notes))
    single = [setting for setting, trainings in groups.items() if len(trainings) == 1]
    if single:
        notes.append(
            f"One training each, so there is no spread over trainings: {', '.join(single)}. The paper has ten of each."
        )
    seeds = {str(report.provenance.get("seed")) for _, report in reports}
    if len(seeds) > 1:
        notes.append(
            f"Measured with different seeds ({', '.join(sorted(seeds))}): the real images that were drawn differ, which "
            "adds a little to the spread."
        )
    return notes


def _summary(groups: Mapping[str, Sequence[Training]], key: str, title: str) -> str:
    means = {setting: float(np.mean([one.numbers[key] for one in each])) for setting, each in groups.items()}
    is_lower = next(metric.is_lower_better for metric in METRICS if metric.key == key)
    best = (min if is_lower else max)(means, key=lambda setting: means[setting])
    if len(means) == 1:
        return f"{title} of {best}: {means[best]:.3g}, mean of {len(groups[best])}."
    others = ", ".join(f"{setting} {mean:.3g}" for setting, mean in means.items() if setting != best)
    return f"{title} is best for {best}: {means[best]:.3g} (mean; {others})."
