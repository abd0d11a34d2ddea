"""Diversity of the synthetic generator, and cells of its report by name."""

from __future__ import annotations

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.diversity.analyzer import Diversity
from rpganify.analysis.features import PixelFeatures
from rpganify.report.report import Cell, Report
from tests.unit.analysis.synthetic import SyntheticGenerator

COLOUR_FIRST = ("colour", "position", "shape")


def column(report: Report, heading: str, table: str = "buckets") -> list[Cell]:
    """Of the buckets, without the two bounds."""
    found = report.table(table)
    index = [c.name for c in found.columns].index(heading)
    return [row[index] for row in found.rows if row[0] is not None]


def distances_of(report: Report, key: str = "colour") -> list[Cell]:
    return column(report, f"{key} distance", "distances")


def bound(report: Report, name: str, heading: str, table: str = "distances") -> Cell:
    found = report.table(table)
    (row,) = (row for row in found.rows if row[1] == name)
    return row[[c.name for c in found.columns].index(heading)]


def analyze(model: SyntheticGenerator, num_paths: int = 20, **settings: object) -> Report:
    context = AnalysisContext(num_paths=num_paths, extractor=PixelFeatures(), **settings)  # type: ignore[arg-type]
    return Diversity().analyze(model, context)
