import io
import json
from typing import Any

import pytest
from PIL import Image

from rpganify.errors import AnalysisError
from rpganify.report.reading import report_from_json
from rpganify.report.report import Column, Figure, Report, Table
from rpganify.report.style import new_drawing
from rpganify.report.writing import pictures_of, report_to_json


@pytest.fixture
def report() -> Report:
    columns = (Column("name"), Column("size", "px"), Column("std", is_error=True))
    picture = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(picture, "PNG")
    return Report(
        name="size",
        title="Sizes",
        definition="How large.",
        tables=(
            Table("main", "Sizes", columns, (("a", 1.0, 0.1 + 0.2), ("b", None, None), ("c", 3, 1e-300))),
            Table("raw", "All", columns, (("é", True, None),), is_raw=True),
        ),
        figures=(Figure("plot", "A line.", new_drawing(1, 1)), Figure("photo", "A photo.", picture.getvalue())),
        provenance={"seed": 3, "versions": {"torch": "2"}, "shape": [1, 2]},
        notes=("Take care.",),
        summary="Large.",
        per_bucket=("One.", "Two."),
    )


def test_a_report_survives_being_written_and_read(report: Report):
    data = json.loads(json.dumps(report_to_json(report)))
    again = report_from_json(data, pictures_of(report))
    assert report_to_json(again) == report_to_json(report)
    assert pictures_of(again) == pictures_of(report)
    assert [table.is_raw for table in again.tables] == [False, True]
    assert [type(row[1]) for row in again.tables[0].rows] == [float, type(None), int]


def test_a_drawing_has_a_picture_for_dark_pages_and_a_photograph_has_none(report: Report):
    assert sorted(pictures_of(report)) == ["size-photo.png", "size-plot.dark.png", "size-plot.png"]
    again = report_from_json(report_to_json(report), pictures_of(report))
    assert again.figures[0].dark == pictures_of(report)["size-plot.dark.png"]
    assert again.figures[1].dark is None


def _set(data: dict[str, Any], path: str, value: object) -> None:
    *keys, last = path.split("/")
    place: Any = data
    for key in keys:
        place = place[int(key)] if isinstance(place, list) else place[key]
    if isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("format", 99, "of format 99, where 1 is read"),
        ("title", 3, "3 stands where a text is due"),
        ("notes", [None], "None stands where a text is due"),
        ("tables", [], "it is no report: AttributeError"),
        ("tables/main/rows/0", ["a", 1.0], "has 2 cells for 3 columns"),
        ("tables/main/rows/0", ["a", [1.0], None], "something else than numbers and texts"),
        ("figures/0/file", "other.png", "it is no report: KeyError"),
        ("provenance", 7, "it is no report: TypeError"),
    ],
)
def test_what_was_tampered_with_is_refused(report: Report, path: str, value: object, says: str):
    data = json.loads(json.dumps(report_to_json(report)))
    _set(data, path, value)
    with pytest.raises(AnalysisError, match=says):
        report_from_json(data, pictures_of(report))
