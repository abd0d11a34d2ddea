"""`rpganify plugins`: every name that commands take, who provides it, whether it keeps the laws, and how to begin one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from rpganify.cli.boundary import bounded
from rpganify.cli.options import JsonOption
from rpganify.cli.plugins_doctor import doctor
from rpganify.cli.plugins_new import new

if TYPE_CHECKING:
    from rpganify.entries import Entry
    from rpganify.registry import Registry

group = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


@group.callback()
def plugins(context: typer.Context, as_json: JsonOption = False) -> None:
    """List, check and begin plugins.

    Alone, it lists what can be named.
    """
    if context.invoked_subcommand is None:
        bounded(list_plugins)(as_json=as_json)


def list_plugins(as_json: JsonOption = False) -> None:
    """List what can be named, and who provides it."""
    from rpganify.cli.console import show, show_json, show_table
    from rpganify.registry import KINDS, default_registry

    registry = default_registry()
    listed = {kind.many: [_facts(entry, registry) for entry in registry.all(kind.entry).values()] for kind in KINDS}
    if as_json:
        failures = {str(provider): cause for provider, cause in registry.failures.items()}
        show_json({**listed, "failures": failures})
        return
    kinds = [(kind, entries) for kind, entries in listed.items() if entries]
    for index, (kind, entries) in enumerate(kinds):
        show(f"{chr(10) if index else ''}{kind}")
        rows = [[f"  {e['name']}", e["help"], e["place"]] for e in entries]
        show_table([("", "left"), ("", "left"), ("", "left")], rows)


def _facts(entry: Entry, registry: Registry) -> dict[str, Any]:
    provider = registry.provider(entry)
    return {
        "name": entry.name,
        "help": entry.help,
        "plugin": str(provider),
        "distribution": provider.distribution,
        "version": provider.version,
        "place": provider.place,
    }


group.command("list")(bounded(list_plugins))
group.command("doctor")(bounded(doctor))
group.command("new")(bounded(new))
