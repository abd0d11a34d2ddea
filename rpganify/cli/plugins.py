"""`rpganify plugins`: every name that commands take, and who provides it."""

from __future__ import annotations

from rpganify.cli.options import JsonOption


def plugins(
    as_json: JsonOption = False,
) -> None:
    """List what can be named, and who provides it."""
    from rpganify.cli.console import show, show_json, show_table
    from rpganify.registry import KINDS, default_registry

    registry = default_registry()
    listed = {
        kind.many: [
            {"name": entry.name, "help": entry.help, "plugin": str(registry.provider(entry))}
            for entry in registry.all(kind.entry).values()
        ]
        for kind in KINDS
    }
    if as_json:
        show_json({**listed, "failures": {str(plugin): cause for plugin, cause in registry.failures.items()}})
        return
    for index, (kind, entries) in enumerate(listed.items()):
        show(f"{chr(10) if index else ''}{kind}")
        rows = [[f"  {entry['name']}", entry["help"], entry["plugin"]] for entry in entries]
        show_table([("", "left"), ("", "left"), ("", "left")], rows)
