"""Names for the shell to complete: the registry's, so no torch is imported; an error completes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rpganify.entries import Architecture, Entry

if TYPE_CHECKING:
    from rpganify.registry.finding import Selection

# As `routing.kernels.KERNEL_NAMES`, which would import torch.
KERNELS = ("auto", "by-block", "layer-by-layer", "matmul", "project", "grouped", "gather")

Completer = Callable[[typer.Context, str], list[tuple[str, str]]]


def names_of(entry: type[Entry]) -> Completer:
    """A completer that offers the names of a kind, each with its line of help: `names_of(LossEntry)`."""

    def complete(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        return _names(entry, context, incomplete)

    return complete


def complete_source(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Python files and folders that the text begins, and architectures."""
    folder = Path(incomplete).parent if not incomplete.endswith("/") else Path(incomplete)
    beside = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [(f"{path}/", "") for path in beside if path.is_dir() and path.name[0] != "."]
    files += [(str(path), "") for path in beside if path.suffix == ".py"]
    return [
        *_names(Architecture, context, incomplete),
        *((path, text) for path, text in files if _fits(path, incomplete)),
    ]


def complete_kind(incomplete: str) -> list[tuple[str, str]]:
    """The kinds of plugins that `rpganify plugins new` writes."""
    from rpganify.registry import KINDS

    return [(kind.word, kind.many) for kind in KINDS if _fits(kind.word, incomplete)]


def complete_kernel(incomplete: str) -> list[str]:
    """The kernels that `--kernel` pins."""
    return [name for name in KERNELS if _fits(name, incomplete)]


def complete_switch(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """What follows `-p`: `no:` and the name of a plugin that can be left out."""
    from rpganify.errors import RpganifyError
    from rpganify.registry.finding import find_plugins

    try:
        found, _ = find_plugins(_selection(context))
    except RpganifyError:
        return []
    offers = {f"no:{plugin.provider.name}": str(plugin.provider) for plugin in found}
    return [(name, text) for name, text in sorted(offers.items()) if _fits(name, incomplete)]


def _names(entry: type[Entry], context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    from rpganify.errors import RpganifyError
    from rpganify.registry import Registry

    # A plugin that cannot be loaded is told of when a command runs; a line in the middle of typing helps nobody.
    logging.getLogger("rpganify").addHandler(logging.NullHandler())
    try:
        known = Registry(_selection(context)).all(entry)
    except RpganifyError:
        return []
    return [(name, one.help) for name, one in known.items() if _fits(name, incomplete)]


def _selection(context: typer.Context) -> Selection:
    """The plugins that the options before the command ask for."""
    from rpganify.registry.finding import Selection

    given = context.find_root().params
    return Selection.from_options(given.get("plugins_dir"), given.get("switches"))


def _fits(name: str, incomplete: str) -> bool:
    return name.startswith(incomplete)
