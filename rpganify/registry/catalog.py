"""Everything that the built-ins and strangers' plugins offer, by kind and name."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pluggy

from rpganify import hookspecs
from rpganify.entries import Architecture, Entry, RoutedLayerEntry
from rpganify.errors import RegistryError, RpganifyError, closest
from rpganify.hookspecs import PROJECT
from rpganify.registry.checking import check_hook_names, checked_entries
from rpganify.registry.finding import FoundPlugin, Provider, Selection, find_plugins
from rpganify.registry.kinds import HOOKS, KINDS, kind_of
from rpganify.registry.resolving import one_line, reason, resolve

log = logging.getLogger(__name__)

E = TypeVar("E", bound=Entry)

BUILT_INS = (
    "rpganify.models.plugin",
    "rpganify.data.plugin",
    "rpganify.conversion.plugin",
    "rpganify.surgery.plugin",
    "rpganify.training.plugin",
    "rpganify.analysis.plugin",
)


class Registry:
    """What can be named.

    Args:
        selection: which plugins to load beside the built-ins; None loads built-ins only.
        is_lenient: a plugin that breaks its contract is left out as one that cannot be imported is, for
            `rpganify plugins doctor`, which lists them all.
    Attributes:
        failures: plugin -> why it was left out.
    Raises:
        RegistryError: a built-in cannot be loaded; a plugin misspells a hook or breaks its contract; two
            plugins give one name; the selection names what is not there.
    """

    def __init__(self, selection: Selection | None = None, *, is_lenient: bool = False) -> None:
        self.failures: dict[Provider, str] = {}
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._entries: dict[type[Entry], dict[str, Entry]] = {kind.entry: {} for kind in KINDS}
        self._providers: dict[tuple[type[Entry], str], Provider] = {}
        for module_name in BUILT_INS:
            self._register_built_in(module_name)
        if selection is None:
            return
        found, remarks = find_plugins(selection)
        for remark in remarks:
            log.warning("%s", remark)
        for plugin in found:
            self._register_stranger(plugin, is_lenient)

    def register(self, plugin: object, provider: Provider | str | None = None) -> None:
        """Add one plugin, a module or any object with `@hookimpl` functions; all of it or, on an error, nothing.

        Args:
            plugin: where the hook functions are.
            provider: how messages call it; its `__name__` if left out.
        Raises:
            RegistryError: a misspelt or undecorated hook, a wrong signature, an entry of the wrong type, or a
                name that is taken.
        """
        if provider is None or isinstance(provider, str):
            provider = Provider(provider or str(self._manager.get_canonical_name(plugin)))
        check_hook_names(plugin, provider)
        name = str(provider)
        try:
            self._manager.register(plugin, name)
        except ValueError as error:
            raise RegistryError(f"The plugin {name} is registered already; register each plugin once.") from error
        except pluggy.PluginValidationError as error:
            self._manager.unregister(name=name)  # pluggy 1.6 keeps what it has just refused
            raise RegistryError(f"{one_line(error)}. Hooks of rpganify take no arguments; remove them.") from error
        try:
            self._manager.check_pending()
            fresh = list(self._listed_by(plugin, provider))
        except pluggy.PluginValidationError as error:
            self._manager.unregister(plugin)
            raise RegistryError(f"{one_line(error)}. The hooks are: {', '.join(HOOKS)}.") from error
        except BaseException:
            self._manager.unregister(plugin)
            raise
        for entry in fresh:
            self._entries[type(entry)][entry.name] = entry
            self._providers[type(entry), entry.name] = provider

    def plugins(self) -> tuple[str, ...]:
        """Names of the registered plugins, in the order of registration."""
        return tuple(name for name, _ in self._manager.list_name_plugin())

    def provider(self, entry: Entry) -> Provider:
        """Who registered an entry."""
        return self._providers[type(entry), entry.name]

    def all(self, entry_type: type[E]) -> dict[str, E]:
        """Every entry of a kind, by name, sorted: `registry.all(LossEntry)`."""
        found = self._entries[entry_type]
        return {name: entry for name, entry in sorted(found.items()) if isinstance(entry, entry_type)}

    def get(self, entry_type: type[E], name: str) -> E:
        """The entry of that kind and name: `registry.get(LossEntry, "hinge")`.

        Raises:
            RegistryError: there is none; the message lists those there are, and plugins that could not be loaded.
        """
        known = self.all(entry_type)
        if name in known:
            return known[name]
        kind = kind_of(entry_type)
        message = f"There is no {kind.one} {name!r}.{closest(name, list(known))} "
        message += f"The {kind.many} are: {', '.join(known)}." if known else f"No plugin offers {kind.many}."
        raise RegistryError(message + self.hint_of_failures())

    def factory(self, entry: Entry) -> Callable[..., Any]:
        """The callable behind an entry, imported now.

        Raises:
            RegistryError: it cannot be; the message names the plugin and the cause.
        """
        try:
            for leaf in entry.leaves if isinstance(entry, Architecture) else ():
                self.get(RoutedLayerEntry, leaf)
            return resolve(entry.factory)
        except RegistryError as error:
            raise RegistryError(f"{self._called(entry)} cannot be loaded. {error}") from error

    def make(self, entry: Entry, **arguments: Any) -> Any:
        """What an entry's factory makes of these arguments.

        Raises:
            RegistryError: the factory cannot be imported or fails; the message names the plugin and the cause. What it
                refuses by an error of rpganify's own passes through.
        """
        factory = self.factory(entry)
        try:
            return factory(**arguments)
        except RpganifyError:
            raise
        except Exception as error:
            given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
            raise RegistryError(
                f"{self._called(entry)} failed when it was called as factory({given}): {reason(error)}. Correct the "
                "plugin, or name another."
            ) from error

    def _called(self, entry: Entry) -> str:
        return f"The {kind_of(type(entry)).one} {entry.name!r} of the plugin {self.provider(entry)}"

    def hint_of_failures(self) -> str:
        """For the end of a message about a name that is missing: which plugins may have offered it, and their causes."""
        return "".join(
            f" The plugin {provider} could not be loaded and may have offered it: {cause}."
            for provider, cause in self.failures.items()
        )

    def _register_built_in(self, module_name: str) -> None:
        try:
            module = importlib.import_module(module_name)
        except Exception as error:
            raise RegistryError(
                f"rpganify's own plugin {module_name} cannot be imported: {reason(error)}. "
                "The installation is damaged or mixed; install rpganify again."
            ) from error
        self.register(module, Provider(PROJECT, PROJECT, importlib.metadata.version(PROJECT), module_name))

    def _register_stranger(self, plugin: FoundPlugin, is_lenient: bool) -> None:
        provider = plugin.provider
        try:
            self.register(plugin.load(), provider)
        except RegistryError as error:
            if is_lenient:
                self.failures[provider] = one_line(error)
                return
            raise RegistryError(
                f"{error} Correct the plugin, uninstall {provider}, or leave it out with `-p no:{provider.name}`."
            ) from error
        except (Exception, SystemExit) as error:  # one broken package must not take all of rpganify with it
            self.failures[provider] = reason(error)
            if not is_lenient:
                log.warning("The plugin %s is left out, it cannot be loaded: %s", provider, reason(error))

    def _listed_by(self, plugin: object, provider: Provider) -> Iterator[Entry]:
        """What one registered plugin lists, checked against everything that is there already."""
        names: set[tuple[type[Entry], str]] = set()
        for kind in KINDS:
            for implementation in getattr(self._manager.hook, kind.hook).get_hookimpls():
                if implementation.plugin is not plugin:
                    continue
                listed: object = implementation.function()
                for entry in checked_entries(listed, kind, provider):
                    key = (kind.entry, entry.name)
                    owner = provider if key in names else self._providers.get(key)
                    if owner is not None:
                        raise RegistryError(
                            f"Two {kind.many} are called {entry.name!r}: one from the plugin {owner}, one from the "
                            f"plugin {provider}. A name belongs to one; rename it in the plugin that came later."
                        )
                    names.add(key)
                    yield entry
