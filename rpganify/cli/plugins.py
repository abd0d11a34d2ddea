"""`rpganify plugins`: every name that commands take, and who provides it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rpganify.cli.options import JsonOption

if TYPE_CHECKING:
    from rpganify.registry import Entry


def plugins(
    as_json: JsonOption = False,
) -> None:
    """List what can be named, and who provides it."""
    from rpganify.cli.console import show, show_json, show_table
    from rpganify.registry import default_registry

    registry = default_registry()
    kinds: dict[str, Mapping[str, Entry]] = {
        "architectures": registry.architectures(),
        "losses": registry.losses(),
        "discriminators": registry.discriminators(),
        "data sets": registry.datasets(),
        "analyzers": registry.analyzers(),
    }
    listed = {
        kind: [{"name": e.name, "help": e.help, "plugin": registry.provider(e)} for e in entries.values()]
        for kind, entries in kinds.items()
    }
    if as_json:
        show_json({**listed, "failures": registry.failures})
        return
    for index, (kind, entries) in enumerate(listed.items()):
        show(f"{chr(10) if index else ''}{kind}")
        rows = [[f"  {entry['name']}", entry["help"], entry["plugin"]] for entry in entries]
        show_table([("", "left"), ("", "left"), ("", "left")], rows)
