"""A report as it was written: JSON and PNG back to the report, for analyses that were kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rpganify.errors import AnalysisError
from rpganify.report.report import Column, Figure, Report, Table
from rpganify.report.writing import FORMAT_VERSION, dark_name


def report_from_json(data: Mapping[str, Any], pictures: Mapping[str, bytes]) -> Report:
    """The report that `report_to_json` wrote, with its pictures as PNG files.

    Args:
        data: the JSON.
        pictures: PNG files by name, as `pictures_of` gave them.
    Raises:
        AnalysisError: the data is of another format, a part is missing or of another kind.
    """
    try:
        if data["format"] != FORMAT_VERSION:
            raise AnalysisError(f"a report of format {data['format']}, where {FORMAT_VERSION} is read")
        return Report(
            name=_text(data["name"]),
            title=_text(data["title"]),
            definition=_text(data["definition"]),
            tables=tuple(_table(name, table) for name, table in data["tables"].items()),
            figures=tuple(_figure(figure, pictures) for figure in data["figures"]),
            provenance=dict(data["provenance"]),
            notes=tuple(_text(note) for note in data["notes"]),
            summary=_text(data["summary"]),
            per_bucket=tuple(_text(words) for words in data["per_bucket"]),
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, AnalysisError):
            raise
        raise AnalysisError(f"it is no report: {type(error).__name__} {error}") from error


def _table(name: str, data: Mapping[str, Any]) -> Table:
    columns = tuple(Column(_text(c["name"]), _text(c["unit"]), bool(c["is_error"])) for c in data["columns"])
    for row in data["rows"]:
        if any(not isinstance(cell, str | int | float | bool | None) for cell in row):
            raise AnalysisError(f"a row of table {name!r} holds something else than numbers and texts")
    return Table(name, _text(data["title"]), columns, tuple(tuple(row) for row in data["rows"]), bool(data["is_raw"]))


def _figure(data: Mapping[str, Any], pictures: Mapping[str, bytes]) -> Figure:
    file = _text(data["file"])
    return Figure(_text(data["name"]), _text(data["caption"]), pictures[file], pictures.get(dark_name(file)))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise AnalysisError(f"{value!r} stands where a text is due")
    return value
