"""The registry of this process, loaded when a name is first looked up."""

from __future__ import annotations

from typing import Any

from rpganify.entries import Architecture
from rpganify.registry.catalog import Registry
from rpganify.registry.finding import Selection

_chosen: Selection | None = None
_loaded: tuple[Selection, Registry] | None = None


def default_registry() -> Registry:
    """Built-ins and the plugins that the environment, or `choose_plugins`, asks for; loaded once."""
    global _loaded
    selection = chosen_plugins()
    if _loaded is None or _loaded[0] != selection:
        _loaded = (selection, Registry(selection))
    return _loaded[1]


def choose_plugins(selection: Selection | None) -> None:
    """Says which plugins `default_registry` loads from now on; None leaves it to the environment."""
    global _chosen
    _chosen = selection


def chosen_plugins() -> Selection:
    """Which plugins `default_registry` loads."""
    return Selection.from_environment() if _chosen is None else _chosen


def architecture(name: str, **options: Any) -> Any:
    """A registered generator, plain: `rpganify.architecture("sngan32", channels=64)`.

    Args:
        name: see `rpganify plugins`.
        options: keyword arguments of its factory.
    Returns:
        A new `nn.Module`.
    Raises:
        RegistryError: no plugin provides that name.
    """
    registry = default_registry()
    return registry.factory(registry.get(Architecture, name))(**options)
