"""Finds plugins, and answers a name with what a plugin registered under it. Imports no torch.

Built-ins are plugins too: modules named in `BUILT_INS`, registered through the same hooks as a stranger's,
which come from installed packages by the entry point group `rpganify`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import pluggy

from rpganify import hookspecs
from rpganify.errors import RegistryError, closest
from rpganify.hookspecs import (
    PROJECT,
    AnalyzerEntry,
    Architecture,
    DataSetEntry,
    DiscriminatorEntry,
    Factory,
    LossEntry,
)

log = logging.getLogger(__name__)

Entry = Architecture | LossEntry | DiscriminatorEntry | DataSetEntry | AnalyzerEntry
E = TypeVar("E", Architecture, LossEntry, DiscriminatorEntry, DataSetEntry, AnalyzerEntry)

BUILT_INS = (
    "rpganify.models.plugin",
    "rpganify.data.plugin",
    "rpganify.training.plugin",
    "rpganify.analysis.plugin",
)
ENTRY_POINT_GROUP = PROJECT

# A name must not read as a file, as `module:Class`, or as a data set with labels.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]*")


@dataclass(frozen=True, slots=True)
class _Kind:
    """One extension point: its hook, the entries it lists, and how messages call one and many."""

    hook: str
    entry: type[Entry]
    one: str
    many: str


_KINDS = (
    _Kind("rpganify_architectures", Architecture, "architecture", "architectures"),
    _Kind("rpganify_losses", LossEntry, "loss", "losses"),
    _Kind("rpganify_discriminators", DiscriminatorEntry, "discriminator", "discriminators"),
    _Kind("rpganify_datasets", DataSetEntry, "data set", "data sets"),
    _Kind("rpganify_analyzers", AnalyzerEntry, "analyzer", "analyzers"),
)
_HOOKS = tuple(kind.hook for kind in _KINDS)


class Registry:
    """Everything that the built-ins and the installed plugins offer, by kind and name.

    Args:
        load_entry_points: also look for plugins among the installed packages.
    Attributes:
        failures: plugin -> why it was left out, for strangers' plugins that raised when they were loaded.
    Raises:
        RegistryError: a built-in cannot be loaded; a plugin misspells a hook or breaks its contract; two
            plugins give one name.
    """

    def __init__(self, load_entry_points: bool = True) -> None:
        self.failures: dict[str, str] = {}
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._entries: dict[type[Entry], dict[str, Entry]] = {kind.entry: {} for kind in _KINDS}
        self._providers: dict[tuple[type[Entry], str], str] = {}
        for module_name in BUILT_INS:
            self._register_built_in(module_name)
        if load_entry_points:
            for point, provider in _entry_points():
                self._register_stranger(point, provider)

    def register(self, plugin: object, name: str | None = None) -> None:
        """Add one plugin, a module or any object with `@hookimpl` functions; all of it or, on an error, nothing.

        Args:
            plugin: where the hook functions are.
            name: how messages call it; its `__name__` if left out.
        Raises:
            RegistryError: a misspelt or undecorated hook, a wrong signature, an entry of the wrong type, or a
                name that is taken.
        """
        provider = name or self._manager.get_canonical_name(plugin)
        _check_hook_names(plugin, provider)
        try:
            self._manager.register(plugin, provider)
        except ValueError as error:
            raise RegistryError(f"The plugin {provider} is registered already; register each plugin once.") from error
        except pluggy.PluginValidationError as error:
            self._manager.unregister(name=provider)  # pluggy 1.6 keeps what it has just refused
            raise RegistryError(f"{_one_line(error)}. Hooks of rpganify take no arguments; remove them.") from error
        try:
            self._manager.check_pending()
            fresh = self._listed_by(plugin, provider)
        except pluggy.PluginValidationError as error:
            self._manager.unregister(plugin)
            raise RegistryError(f"{_one_line(error)}. The hooks are: {', '.join(_HOOKS)}.") from error
        except BaseException:
            self._manager.unregister(plugin)
            raise
        for entry in fresh:
            self._entries[type(entry)][entry.name] = entry
            self._providers[type(entry), entry.name] = provider

    def plugins(self) -> tuple[str, ...]:
        """Names of the registered plugins, in the order of registration."""
        return tuple(name for name, _ in self._manager.list_name_plugin())

    def provider(self, entry: Entry) -> str:
        """Name of the plugin that registered an entry."""
        return self._providers[type(entry), entry.name]

    def architectures(self) -> dict[str, Architecture]:
        """Generators, sorted by name."""
        return self._all(Architecture)

    def losses(self) -> dict[str, LossEntry]:
        """Adversarial losses, sorted by name."""
        return self._all(LossEntry)

    def discriminators(self) -> dict[str, DiscriminatorEntry]:
        """Discriminators, sorted by name."""
        return self._all(DiscriminatorEntry)

    def datasets(self) -> dict[str, DataSetEntry]:
        """Data sets, sorted by name."""
        return self._all(DataSetEntry)

    def analyzers(self) -> dict[str, AnalyzerEntry]:
        """Analyzers, sorted by name."""
        return self._all(AnalyzerEntry)

    def get_architecture(self, name: str) -> Architecture:
        """The generator of that name, or RegistryError."""
        return self._get(Architecture, name)

    def get_loss(self, name: str) -> LossEntry:
        """The loss of that name, or RegistryError."""
        return self._get(LossEntry, name)

    def get_discriminator(self, name: str) -> DiscriminatorEntry:
        """The discriminator of that name, or RegistryError."""
        return self._get(DiscriminatorEntry, name)

    def get_dataset(self, name: str) -> DataSetEntry:
        """The data set of that name, or RegistryError."""
        return self._get(DataSetEntry, name)

    def get_analyzer(self, name: str) -> AnalyzerEntry:
        """The analyzer of that name, or RegistryError."""
        return self._get(AnalyzerEntry, name)

    def _all(self, entry_type: type[E]) -> dict[str, E]:
        found = self._entries[entry_type]
        return {name: entry for name, entry in sorted(found.items()) if isinstance(entry, entry_type)}

    def _get(self, entry_type: type[E], name: str) -> E:
        known = self._all(entry_type)
        if name in known:
            return known[name]
        kind = next(kind for kind in _KINDS if kind.entry is entry_type)
        message = f"There is no {kind.one} {name!r}.{closest(name, list(known))} "
        message += f"The {kind.many} are: {', '.join(known)}." if known else f"No plugin offers {kind.many}."
        for provider, reason in self.failures.items():
            message += f" The plugin {provider} could not be loaded and may have offered it: {reason}."
        raise RegistryError(message)

    def _register_built_in(self, module_name: str) -> None:
        try:
            module = importlib.import_module(module_name)
        except Exception as error:
            raise RegistryError(
                f"rpganify's own plugin {module_name} cannot be imported: {_reason(error)}. "
                "The installation is damaged or mixed; install rpganify again."
            ) from error
        self.register(module, module_name)

    def _register_stranger(self, point: importlib.metadata.EntryPoint, provider: str) -> None:
        try:
            self.register(point.load(), provider)
        except RegistryError as error:
            raise RegistryError(f"{error} Correct the plugin, or uninstall {provider}.") from error
        except Exception as error:  # one broken package must not take all of rpganify with it
            self.failures[provider] = _reason(error)
            log.warning("The plugin %s is left out, it cannot be loaded: %s", provider, _reason(error))

    def _listed_by(self, plugin: object, provider: str) -> list[Entry]:
        """What one registered plugin lists, checked against everything that is there already."""
        fresh: list[Entry] = []
        names: set[tuple[type[Entry], str]] = set()
        for kind in _KINDS:
            for implementation in getattr(self._manager.hook, kind.hook).get_hookimpls():
                if implementation.plugin is not plugin:
                    continue
                listed: Any = implementation.function()
                for entry in _checked(listed, kind, provider):
                    key = (kind.entry, entry.name)
                    owner = provider if key in names else self._providers.get(key)
                    if owner is not None:
                        raise RegistryError(
                            f"Two {kind.many} are called {entry.name!r}: one from the plugin {owner}, one from the "
                            f"plugin {provider}. A name belongs to one; rename it in the plugin that came later."
                        )
                    names.add(key)
                    fresh.append(entry)
        return fresh


@functools.cache
def default_registry() -> Registry:
    """The registry of this process: built-ins and installed plugins, loaded once."""
    return Registry()


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
    return resolve(default_registry().get_architecture(name).factory)(**options)


def resolve(factory: Factory) -> Callable[..., Any]:
    """The callable behind a factory; `"package.module:attribute"` is imported now.

    Raises:
        RegistryError: the text has no such form, the import fails, or what it names is missing or not callable.
    """
    if not isinstance(factory, str):
        return factory
    module_name, colon, attributes = factory.partition(":")
    if not (module_name and colon and attributes):
        raise RegistryError(f"The factory {factory!r} is not of the form 'package.module:attribute'.")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise RegistryError(
            f"The factory {factory!r} cannot be imported: {_reason(error)}. "
            "Install what is missing, or correct the plugin that names it."
        ) from error
    found: Any = module
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            near = closest(attribute, [name for name in dir(found) if not name.startswith("_")])
            raise RegistryError(f"The factory {factory!r} does not exist: no {attribute!r} in {module_name}.{near}")
        found = getattr(found, attribute)
    if not callable(found):
        raise RegistryError(f"The factory {factory!r} is a {type(found).__name__}, not something to call.")
    return found  # type: ignore[no-any-return]


def _entry_points() -> Iterable[tuple[importlib.metadata.EntryPoint, str]]:
    """Entry points of the group with the name of their plugin, `distribution version (entry point)`, each once."""
    seen: set[tuple[str, str]] = set()
    for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        if (point.name, point.value) in seen:  # one distribution found twice on sys.path
            continue
        seen.add((point.name, point.value))
        distribution = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        yield point, f"{distribution} ({point.name})"


def _check_hook_names(plugin: object, provider: str) -> None:
    """Refuse functions that look like hooks and would be passed over without a word."""
    for attribute in dir(plugin):
        function = inspect.getattr_static(plugin, attribute, None)
        function = getattr(function, "__func__", function)
        if not inspect.isfunction(function) or hasattr(function, f"{PROJECT}_spec"):
            continue
        options = getattr(function, f"{PROJECT}_impl", None)
        hook = (options or {}).get("specname") or attribute
        if hook not in _HOOKS and (options is not None or hook.startswith(f"{PROJECT}_")):
            raise RegistryError(
                f"The plugin {provider} implements {hook!r}, and there is no such hook.{closest(hook, _HOOKS)} "
                f"The hooks are: {', '.join(_HOOKS)}."
            )
        if hook in _HOOKS and options is None:
            raise RegistryError(
                f"The plugin {provider} defines {hook!r} without `@rpganify.hookimpl`, so it would not be seen. "
                "Write the decorator above it."
            )


def _checked(listed: Any, kind: _Kind, provider: str) -> list[Any]:
    """The entries that a hook function returned, if they are what the hook promises."""
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
    return entries


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {_one_line(error)}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
