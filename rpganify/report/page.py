"""The page: everything in one self-contained HTML file, which fetches nothing."""

from __future__ import annotations

import json
import math
from functools import partial
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined

from rpganify.report.contents import WORDS, Page, contents_of, findings_of, sections_of
from rpganify.report.pictures import ToPng, data_uri, figure_to_png, picture_of, png_size
from rpganify.report.report import Cell, JsonValue, Table

_TEMPLATES = ("page.html.jinja", "parts.html.jinja")


def render_page(page: Page, to_png: ToPng = figure_to_png) -> str:
    """The page as HTML; every text in it is escaped. Its only script is its own, for colours, contents and figures.

    Args:
        page: what it says.
        to_png: draws its figures; who writes them to files as well gives one that draws each once.
    """
    texts = {name: _text_of(name) for name in (*_TEMPLATES, "page.css", "page.js")}
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=DictLoader(texts)
    )
    environment.filters.update(
        cell=format_cell, json=format_value, rows=merged_rows, paragraphs=_paragraphs, code=_code,
        picture=partial(picture_of, to_png=to_png), embedded=data_uri, size=png_size,
        findings=findings_of,
    )  # fmt: skip
    sections = sections_of(page)
    notes = [
        f"{subject.name}: {note}" if len(page.subjects) > 1 else note
        for subject in page.subjects
        for note in subject.notes
    ]
    return environment.get_template("page.html.jinja").render(
        page=page,
        sections=sections,
        contents=contents_of(page, sections),
        words=WORDS,
        notes=notes,
        style=texts["page.css"],
        script=texts["page.js"],
    )


def format_cell(cell: Cell) -> str:
    """A cell for reading: `–` for no value, three significant digits for a fraction, `1 234` for a large number."""
    match cell:
        case None:
            return "–"
        case bool():
            return "yes" if cell else "no"
        case int():
            return f"{cell:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
        case float():
            return _minus(f"{cell:.2e}" if _is_extreme(cell) else f"{cell:.{_decimals(cell)}f}")
        case str():
            return cell


def format_error(error: Cell, value: Cell) -> str:
    """A ± for reading, with as many decimals as the value before it has."""
    if not isinstance(error, float) or not isinstance(value, float) or _is_extreme(value) or _is_extreme(error):
        return format_cell(error)
    return f"{error:.{_decimals(value)}f}"


def merged_rows(table: Table) -> list[list[tuple[str, bool]]]:
    """The rows as a page shows them, each cell with whether it is a number; a ± joins the column before it."""
    result = []
    for row in table.rows:
        shown: list[tuple[str, bool]] = []
        for index, (column, cell) in enumerate(zip(table.columns, row, strict=True)):
            if not column.is_error:
                shown.append((format_cell(cell), not isinstance(cell, str)))
            elif cell is not None:
                shown[-1] = (f"{shown[-1][0]} ± {format_error(cell, row[index - 1])}", True)
        result.append(shown)
    return result


def format_value(value: JsonValue) -> str:
    """A value of the provenance on a line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def _code(text: str) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it stood between backticks."""
    return [(piece, index % 2 == 1) for index, piece in enumerate(text.split("`"))]


def _is_extreme(value: float) -> bool:
    return value != 0 and not 1e-3 <= abs(value) < 1e6


def _decimals(value: float) -> int:
    return 2 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")


def _text_of(name: str) -> str:
    return files("rpganify.report").joinpath("template", name).read_text(encoding="utf-8")
