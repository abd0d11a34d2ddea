"""What a plugin must be before anything of it is taken: hooks that exist, and entries that are what a hook promises."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
from collections.abc import Iterable
from typing import Any

from rpganify.entries import Architecture, Entry, LossEntry, RoutedLayerEntry
from rpganify.errors import RegistryError, closest
from rpganify.hookspecs import PROJECT
from rpganify.registry.finding import Provider
from rpganify.registry.kinds import HOOKS, Kind

# A name must not read as a file, as `module:Class`, or as a data set with labels.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]*")
NEEDS = ("spectral-norm", "no-batch-norm")


def this_version() -> str:
    """`rpganify 0.1.0`, for messages that compare it with a plugin."""
    return f"{PROJECT} {importlib.metadata.version(PROJECT)}"


def check_hook_names(plugin: object, provider: Provider) -> None:
    """Refuse functions that look like hooks and would be passed over without a word.

    Raises:
        RegistryError: a hook that does not exist, or one without its decorator.
    """
    for attribute in dir(plugin):
        function = inspect.getattr_static(plugin, attribute, None)
        function = getattr(function, "__func__", function)
        if not inspect.isfunction(function) or hasattr(function, f"{PROJECT}_spec"):
            continue
        options = getattr(function, f"{PROJECT}_impl", None)
        hook = (options or {}).get("specname") or attribute
        if hook not in HOOKS and (options is not None or hook.startswith(f"{PROJECT}_")):
            raise RegistryError(
                f"The plugin {provider} implements {hook!r}, and there is no such hook.{closest(hook, HOOKS)} "
                f"The hooks of {this_version()} are: {', '.join(HOOKS)}."
            )
        if hook in HOOKS and options is None:
            raise RegistryError(
                f"The plugin {provider} defines {hook!r} without `@rpganify.hookimpl`, so it would not be seen. "
                "Write the decorator above it."
            )


def checked_entries(listed: Any, kind: Kind, provider: Provider) -> list[Entry]:
    """The entries that a hook function returned, if they are what the hook promises.

    Raises:
        RegistryError: it returned no list, another kind of entry, or an entry with a field that cannot be.
    """
    if isinstance(listed, str) or not isinstance(listed, Iterable):
        raise RegistryError(
            f"{kind.hook} of the plugin {provider} returned {listed!r}; it returns a list of {kind.entry.__name__}."
        )
    entries = list(listed)
    for entry in entries:
        if type(entry) is not kind.entry:
            raise RegistryError(
                f"{kind.hook} of the plugin {provider} listed {entry!r}; each item is a "
                f"rpganify.hookspecs.{kind.entry.__name__}."
            )
        if not isinstance(entry.name, str) or not _NAME.fullmatch(entry.name):
            raise RegistryError(
                f"The plugin {provider} calls {kind.one} {entry.name!r}; a name is letters, digits, '-', '_' and '+', "
                "such as 'sngan32', because people type it."
            )
        complaint = _complaint(entry)
        if complaint:
            raise RegistryError(f"The {kind.one} {entry.name!r} of the plugin {provider} {complaint}")
    return entries


def _complaint(entry: Entry) -> str:
    """What is wrong with an entry beside its name, as the rest of a sentence; empty if nothing is."""
    if not isinstance(entry.help, str) or not entry.help.strip() or "\n" in entry.help:
        return f"has the help {entry.help!r}; it is one line of text, shown by `rpganify plugins`."
    if not callable(entry.factory) and not isinstance(entry.factory, str):
        return f"has the factory {entry.factory!r}; it is a callable, or 'package.module:attribute'."
    if isinstance(entry, LossEntry):
        unknown = [need for need in entry.needs if need not in NEEDS]
        if isinstance(entry.needs, str) or unknown:
            return f"needs {entry.needs!r}; what a loss can need is a tuple of: {', '.join(NEEDS)}."
    if isinstance(entry, RoutedLayerEntry) and not _is_reference(entry.module):
        return f"names the module {entry.module!r}; it is 'package.module:Class', the plain layer's class."
    if isinstance(entry, Architecture):
        for field in ("latent", "buckets", "leaves"):
            if isinstance(getattr(entry, field), str):
                return f"has {field} {getattr(entry, field)!r}; it is a tuple, such as ({getattr(entry, field)!r},)."
    return ""


def _is_reference(text: object) -> bool:
    return isinstance(text, str) and all(text.partition(":"))
