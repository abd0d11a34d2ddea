"""Where commands print: data on stdout, talk on stderr. Text from elsewhere is printed as it is, without markup."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

# A pipe has no width; a table that is folded at 80 columns is hard to read in a log.
_PIPE_WIDTH = 120

Side = Literal["left", "right"]
Write = Callable[[str], None]

# Writes a line above what stands on the terminal and is drawn anew, such as a progress bar.
_write_above: Write | None = None


def is_speaking() -> bool:
    """Whether this process prints: of several that train together only the first does."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """One line of talk, on stderr; above a progress bar, if there is one."""
    if not is_speaking():
        return
    if _write_above is not None:
        _write_above(text)
    else:
        typer.echo(text, err=True)


def speak_above(write: Write | None) -> Write | None:
    """Sets what writes talk from now on, None for nothing special; returns what did so before."""
    global _write_above
    before, _write_above = _write_above, write
    return before


def show(text: str) -> None:
    """One line of data, on stdout."""
    if is_speaking():
        typer.echo(text)


def show_json(data: Any) -> None:
    """Data for a script, on stdout."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


def show_table(
    headings: Sequence[tuple[str, Side]], rows: Sequence[Sequence[str] | str], footer: Sequence[str] = ()
) -> None:
    """A table on stdout.

    Args:
        headings: name and alignment per column.
        rows: one text per column, or a single text that stands across all of them; foreign text such as `conv[0]` stays
            as it is.
        footer: one text per column under the rule, or nothing.
    """
    is_headed = any(name for name, _ in headings)
    table = Table(box=None, pad_edge=False, show_header=is_headed, show_footer=bool(footer))
    for index, (name, side) in enumerate(headings):
        table.add_column(name, Text(footer[index]) if footer else "", justify=side, overflow="fold")
    across = iter([row for row in rows if isinstance(row, str)])
    for row in rows:
        table.add_row(*(Text(cell) for cell in ((" ",) if isinstance(row, str) else row)))
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(highlight=False, width=_PIPE_WIDTH)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        typer.echo(line.rstrip() or next(across, ""))  # rich pads every line to the width of the table


def talk_console() -> Console:
    """A rich console on stderr, for progress bars."""
    return Console(stderr=True, highlight=False)
