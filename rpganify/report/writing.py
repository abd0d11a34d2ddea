"""Reports on disk: one page to look at, and JSON, CSV and PNG files to work with."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from rpganify.errors import AnalysisError
from rpganify.report.contents import Page
from rpganify.report.page import render_page
from rpganify.report.pictures import ToPng, dark_name, figure_to_png, pictures_of
from rpganify.report.report import Report, Table
from rpganify.report.subject import Subject

__all__ = [
    "FORMAT_VERSION",
    "PAGE",
    "dark_name",
    "figure_to_png",
    "pictures_of",
    "report_to_json",
    "table_to_csv",
    "write_page",
    "write_reports",
]

FORMAT_VERSION = 1
PAGE = "index.html"
DATA = "report.json"


def write_reports(reports: Sequence[Report], directory: Path, *, title: str) -> tuple[Path, ...]:
    """Writes a page on one model, and its files: `write_page` for reports that are all there is to say.

    Args:
        reports: at least one, each with its own name.
        directory: made if missing.
        title: what was analyzed, the page's heading.
    """
    return write_page(Page(title, (Subject(title, "model", reports=tuple(reports)),)), directory)


def write_page(page: Page, directory: Path) -> tuple[Path, ...]:
    """Writes `index.html`, `report.json`, and per report `NAME.json`, `NAME-TABLE.csv` and `NAME-FIGURE.png`.

    Files of several models lie in a folder each. Everything is made before anything is written, and each file is
    written aside and renamed, so a failure leaves what was there before. Files of other names in the directory stay.

    Args:
        page: with at least one report.
        directory: made if missing.
    Returns:
        The files written, the page first.
    Raises:
        AnalysisError: nothing to write, two files of one name, or the disk refuses.
    """
    contents = _contents(page)
    is_new = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=directory) as aside:
            for name, content in contents.items():
                _write(Path(aside) / name, content)
            for name in contents:
                (directory / name).parent.mkdir(exist_ok=True)
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


def page_to_json(page: Page) -> dict[str, object]:
    """All that the page says, as plain data: everything but the pictures, which are named."""
    return {
        "format": FORMAT_VERSION,
        "title": page.title,
        "models": {subject.name: _subject_to_json(subject, page.folder(subject)) for subject in page.subjects},
        "comparisons": {report.name: report_to_json(report) for report in page.comparisons},
    }


def _subject_to_json(subject: Subject, folder: str) -> dict[str, object]:
    return {
        "folder": folder,
        "is": subject.lead,
        "facts": dict(subject.facts),
        "buckets": [
            {
                "number": card.number,
                "name": card.name,
                "layers": list(card.layers),
                "num_blocks": card.num_blocks,
                "parameters_per_block": card.num_parameters,
                "words": list(card.words),
            }
            for card in subject.cards
        ],
        "notes": list(subject.notes),
        "reports": {report.name: report_to_json(report) for report in subject.reports},
    }


def table_to_csv(table: Table) -> str:
    """The table as CSV: a line of headings with units, then the rows in full precision; None is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.heading for column in table.columns])
    writer.writerows(table.rows)
    return text.getvalue()


def _contents(page: Page) -> dict[str, bytes]:
    to_png = cache(figure_to_png)  # the page holds the pictures of the files, and drawing takes most of the time
    files: list[tuple[str, bytes]] = []
    for report in page.comparisons:
        files += _files_of(report, "", to_png)
    for subject in page.subjects:
        for report in subject.reports:
            files += _files_of(report, page.folder(subject), to_png)
    if not files:
        raise AnalysisError("There is no report to write. Name an analyzer; `rpganify plugins` lists them.")
    names = [name for name, _ in files]
    twice = sorted({name for name in (*names, PAGE, DATA) if (*names, PAGE, DATA).count(name) > 1})
    if twice:
        raise AnalysisError(f"Two parts of these reports would be written to {twice[0]!r}; give each its own name.")
    return {PAGE: render_page(page, to_png).encode(), DATA: _json(page_to_json(page)), **dict(files)}


def _files_of(report: Report, folder: str, to_png: ToPng) -> list[tuple[str, bytes]]:
    files = [(f"{report.name}.json", _json(report_to_json(report)))]
    files += [(report.file(table), table_to_csv(table).encode()) for table in report.tables]
    files += [(report.file(figure), to_png(figure)) for figure in report.figures]
    return [(folder + name, content) for name, content in files]


def _json(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False).encode() + b"\n"


def _table_to_json(table: Table) -> dict[str, object]:
    return {
        "title": table.title,
        "is_raw": table.is_raw,
        "columns": [{"name": c.name, "unit": c.unit, "is_error": c.is_error} for c in table.columns],
        "rows": [list(row) for row in table.rows],
    }


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
