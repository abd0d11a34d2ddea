"""What the README's written chapters share: their place between two marks, and how text and tables look there."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from tests.hooks import ROOT

README = ROOT / "README.md"


def with_chapter(readme: str, begin: str, end: str, chapter: Callable[[], str]) -> str:
    """The README with a chapter in the place of what stood between its marks.

    Args:
        readme: as it was.
        begin, end: the marks, whole lines.
        chapter: makes what belongs between them.
    Raises:
        ValueError: the marks are missing, or there is more than one pair.
    """
    before, begun, rest = readme.partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended or begin in after or end in after:
        raise ValueError(f"{README.name} holds {begin.strip()} and {end.strip()} once each, in this order.")
    return before + begin + chapter() + "\n" + end + after


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; a bar in a cell, which would end it, becomes a slash."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |" for cells in lines)


def folded(text: str) -> str:
    """A paragraph in lines of the README's width."""
    return "\n".join(textwrap.wrap(text, 116, break_long_words=False, break_on_hyphens=False))
