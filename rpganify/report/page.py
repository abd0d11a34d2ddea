"""The page: reports as one self-contained HTML file, with nothing to fetch and no script."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from rpganify.report.report import Cell, JsonValue, Report, Table

# Figures are drawn at 200 dpi; two of their pixels to one of the page's is their natural size, crisp on fine screens.
PIXELS_PER_PX = 2


@dataclass(frozen=True, slots=True)
class _Picture:
    base64: str
    width_px: int

    @classmethod
    def of(cls, png: bytes) -> _Picture:
        (width,) = struct.unpack(">I", png[16:20])  # of the IHDR chunk, which comes first
        return cls(base64.b64encode(png).decode(), max(1, width // PIXELS_PER_PX))


def render_page(reports: Sequence[Report], title: str, pictures: Mapping[str, bytes]) -> str:
    """The reports as one HTML page; every text in it is escaped.

    Args:
        reports: in the order of the page's sections.
        title: the page's heading.
        pictures: PNG bytes by file name, `Report.file(figure)` for each figure.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        cell=format_cell, json=format_value, rows=merged_rows, paragraphs=_paragraphs, code=_code
    )
    here = files("rpganify.report")
    template = environment.from_string(here.joinpath("page.html.jinja").read_text(encoding="utf-8"))
    return template.render(
        title=title,
        reports=reports,
        style=here.joinpath("page.css").read_text(encoding="utf-8"),
        pictures={name: _Picture.of(content) for name, content in pictures.items()},
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
