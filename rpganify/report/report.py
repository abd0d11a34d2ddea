"""The report: what an analyzer hands back. Numbers, pictures, what they mean, and where they come from."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure as Drawing

from rpganify.errors import AnalysisError

Cell = str | int | float | bool | None
JsonValue = Cell | Sequence["JsonValue"] | Mapping[str, "JsonValue"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,119}")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Args:
        name: its heading; unique in the table.
        unit: printed after the heading, e.g. `"%"`; empty for a pure number or text.
        is_error: it holds the ± of the column before it; the page prints the two as one, `1.83 ± 0.41`.
    """

    name: str
    unit: str = ""
    is_error: bool = False

    @property
    def heading(self) -> str:
        """Name and unit, as a file or page shows them."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of numbers and words; each becomes a CSV file of its own.

    Args:
        name: part of the file's name; letters, digits, `_`, `.`, `-`.
        title: one line above the table.
        columns: at least one.
        rows: one cell per column. What has no value is None, never NaN.
        is_raw: too long to read: in the files only, and the page says where.
    Raises:
        AnalysisError: a row of another width, a cell that is NaN or infinite, or a heading used twice.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    is_raw: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name, "table")
        headings = [column.heading for column in self.columns]
        if not headings or len(set(headings)) < len(headings) or self.columns[0].is_error:
            raise AnalysisError(
                f"Table {self.name!r} has columns {headings}: it needs at least one, each under its own heading, "
                "and the first cannot be the ± of another."
            )
        for index, row in enumerate(self.rows):
            if len(row) != len(headings):
                raise AnalysisError(
                    f"Row {index} of table {self.name!r} has {len(row)} cells for {len(headings)} columns."
                )
            for column, cell in zip(self.columns, row, strict=True):
                if isinstance(cell, float) and not math.isfinite(cell):
                    raise AnalysisError(
                        f"Table {self.name!r}, row {index}, column {column.name!r} is {cell}. "
                        "Give None where there is no value, and say in the report's notes why."
                    )


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture, as a Matplotlib figure or as the bytes of a PNG file.

    Args:
        name: part of the file's name; letters, digits, `_`, `.`, `-`.
        caption: what it shows and how to read it, so that it stands without the text around it.
        picture: drawn at the figure's own dpi; an analyzer makes it without pyplot, which keeps global state.
        dark: the same for a dark page, a PNG file. Of a Matplotlib figure it is made where it is needed; a PNG without
            one stands on light ground everywhere.
    Raises:
        AnalysisError: bytes that are no PNG file.
    """

    name: str
    caption: str
    picture: Drawing | bytes
    dark: bytes | None = None

    def __post_init__(self) -> None:
        _check_name(self.name, "figure")
        for picture in (self.picture, self.dark):
            if isinstance(picture, bytes) and not picture.startswith(PNG_SIGNATURE):
                raise AnalysisError(
                    f"Figure {self.name!r} is no PNG file: it begins with {picture[:8]!r}. Save it as PNG, or hand "
                    "over the Matplotlib figure."
                )


@dataclass(frozen=True, slots=True)
class Report:
    """What an analyzer found out about a model.

    Args:
        name: the analyzer's, and the beginning of every file's name.
        title: the heading.
        definition: what the numbers mean, how they were measured, and the source (or that it is our
            own); blank lines part paragraphs.
        tables: may be empty.
        figures: may be empty.
        provenance: model hash, seed, extractor, settings, versions: what it takes to get the numbers again.
        notes: what a reader must know before believing the numbers; one sentence or two each.
        summary: the finding in a sentence or two that follow from the numbers.
        per_bucket: what was found of each bucket, a sentence each, in the buckets' order; empty if there is nothing to
            say of them one by one.
    Raises:
        AnalysisError: a name that makes no file name, or one that two tables or two figures share.
    """

    name: str
    title: str
    definition: str
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    provenance: Mapping[str, JsonValue] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    summary: str = ""
    per_bucket: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_name(self.name, "report")
        for what, names in (("tables", [t.name for t in self.tables]), ("figures", [f.name for f in self.figures])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise AnalysisError(f"Report {self.name!r} has two {what} called {twice[0]!r}; give each its own name.")

    def file(self, part: Table | Figure) -> str:
        """The name of the file that holds one of the report's tables (CSV) or figures (PNG)."""
        return f"{self.name}-{part.name}.{'csv' if isinstance(part, Table) else 'png'}"

    def table(self, name: str) -> Table:
        """The table of that name.

        Raises:
            AnalysisError: there is none; the message lists those there are.
        """
        for table in self.tables:
            if table.name == name:
                return table
        raise AnalysisError(f"Report {self.name!r} has no table {name!r}, only {[t.name for t in self.tables]}.")


def _check_name(name: str, what: str) -> None:
    if not _NAME.fullmatch(name):
        raise AnalysisError(
            f"{name!r} cannot name a {what}: it becomes part of a file's name, so it is made of letters, digits, "
            "'_', '.' and '-', starts with a letter or digit, and has at most 120 characters."
        )
