"""Reports on disk: one page to look at, and JSON, CSV and PNG files to work with."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rpganify.errors import AnalysisError
from rpganify.report.dark import dark_png
from rpganify.report.page import render_page
from rpganify.report.report import Figure, Report, Table

FORMAT_VERSION = 1
PAGE = "index.html"


def write_reports(reports: Sequence[Report], directory: Path, *, title: str) -> tuple[Path, ...]:
    """Writes `index.html`, and per report `NAME.json`, `NAME-TABLE.csv` and `NAME-FIGURE.png`.

    Everything is made before anything is written, and each file is written aside and renamed, so a
    failure leaves what was there before. Files of other names in the directory stay.

    Args:
        reports: at least one, each with its own name.
        directory: made if missing.
        title: what was analyzed, the page's heading.
    Returns:
        The files written, the page first.
    Raises:
        AnalysisError: nothing to write, two files of one name, or the disk refuses.
    """
    contents = _contents(reports, title)
    is_new = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=directory) as aside:
            for name, content in contents.items():
                _write(Path(aside) / name, content)
            for name in contents:
                os.replace(Path(aside) / name, directory / name)
    except OSError as error:
        if is_new:
            shutil.rmtree(directory, ignore_errors=True)
        raise AnalysisError(
            f"The report cannot be written to {directory}: {error.strerror or error}. What was there is unchanged. "
            "Free some space or allow writing there, or choose another directory with -o."
        ) from error
    return tuple(directory / name for name in contents)


def report_to_json(report: Report) -> dict[str, object]:
    """The report as plain data: everything but the pictures, which are named."""
    return {
        "format": FORMAT_VERSION,
        "name": report.name,
        "title": report.title,
        "summary": report.summary,
        "per_bucket": list(report.per_bucket),
        "definition": report.definition,
        "notes": list(report.notes),
        "provenance": dict(report.provenance),
        "tables": {table.name: _table_to_json(table) for table in report.tables},
        "figures": [
            {"name": figure.name, "file": report.file(figure), "caption": figure.caption} for figure in report.figures
        ],
    }


def table_to_csv(table: Table) -> str:
    """The table as CSV: a line of headings with units, then the rows in full precision; None is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.heading for column in table.columns])
    writer.writerows(table.rows)
    return text.getvalue()


def figure_to_png(figure: Figure) -> bytes:
    """The picture as a PNG file; equal figures give equal bytes."""
    if isinstance(figure.picture, bytes):
        return figure.picture
    buffer = io.BytesIO()
    figure.picture.savefig(buffer, format="png", dpi="figure", metadata={"Software": None})
    return buffer.getvalue()


def pictures_of(report: Report) -> dict[str, bytes]:
    """The report's pictures as PNG files by name, and those for a dark page under `dark_name(name)`."""
    pictures: dict[str, bytes] = {}
    for figure in report.figures:
        name = report.file(figure)
        pictures[name] = figure_to_png(figure)
        dark = figure.dark if isinstance(figure.picture, bytes) else dark_png(figure.picture)
        if dark is not None:
            pictures[dark_name(name)] = dark
    return pictures


def dark_name(name: str) -> str:
    """The name of a picture's version for a dark page: `x.dark.png` of `x.png`."""
    return f"{name.removesuffix('.png')}.dark.png"


def _contents(reports: Sequence[Report], title: str) -> dict[str, bytes]:
    if not reports:
        raise AnalysisError("There is no report to write. Name an analyzer; `rpganify plugins` lists them.")
    files: list[tuple[str, bytes]] = []
    pictures: dict[str, bytes] = {}
    for report in reports:
        text = json.dumps(report_to_json(report), ensure_ascii=False, indent=2, allow_nan=False)
        files.append((f"{report.name}.json", text.encode() + b"\n"))
        files += [(report.file(table), table_to_csv(table).encode()) for table in report.tables]
        for figure in report.figures:
            pictures[report.file(figure)] = figure_to_png(figure)
            files.append((report.file(figure), pictures[report.file(figure)]))
    names = [name for name, _ in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AnalysisError(f"Two parts of these reports would be written to {twice[0]!r}; give each its own name.")
    page = render_page(reports, title, pictures)
    return {PAGE: page.encode(), **dict(files)}


def _table_to_json(table: Table) -> dict[str, object]:
    return {
        "title": table.title,
        "is_raw": table.is_raw,
        "columns": [{"name": c.name, "unit": c.unit, "is_error": c.is_error} for c in table.columns],
        "rows": [list(row) for row in table.rows],
    }


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
