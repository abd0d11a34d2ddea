"""What a request asks for, read from its query; whatever does not fit is refused with a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from rpganify.errors import ExplorerError

# A path of 100 buckets and 64 numbers typed fit; what is longer was not written by our page.
MAX_QUERY = 8192


@dataclass(frozen=True, slots=True)
class Query:
    """The part of an address behind "?", as texts by name.

    Args:
        text: as it came, percent-encoded.
    Raises:
        ExplorerError: it is too long.
    """

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > MAX_QUERY:
            raise ExplorerError(f"The query has {len(self.text)} characters, more than the {MAX_QUERY} that are read.")

    def many(self, name: str) -> list[str]:
        """All texts of that name; there may be none."""
        return parse_qs(self.text, keep_blank_values=True).get(name, [])

    def one(self, name: str) -> str:
        """The text of that name.

        Raises:
            ExplorerError: there is none, or more than one.
        """
        found = self.many(name)
        if len(found) != 1:
            raise ExplorerError(f"The query has {len(found)} values for {name!r}; give one: ?{name}=…")
        return found[0]

    def integer(self, name: str) -> int:
        """The whole number of that name, 0 or larger.

        Raises:
            ExplorerError: there is none, more than one, or something else.
        """
        text = self.one(name)
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise ExplorerError(f"{name}={text!r} is no whole number, 0 or larger.")
        return int(text)
