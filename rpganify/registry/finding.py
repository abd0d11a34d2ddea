"""Where strangers' plugins are: installed distributions, and folders of one-file plugins. Finding one imports nothing of it.

`Selection` says which of them are wanted; the command line and the environment make one.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rpganify.errors import RegistryError, closest
from rpganify.hookspecs import PROJECT

ENTRY_POINT_GROUP = PROJECT
DIRECTORY_VARIABLE = "RPGANIFY_PLUGINS_DIR"
LOAD_VARIABLE = "RPGANIFY_LOAD_PLUGINS"


@dataclass(frozen=True, slots=True)
class Provider:
    """Who offers something.

    Args:
        name: what `-p no:NAME` and RPGANIFY_LOAD_PLUGINS take: the distribution's name, or the stem of a plugin's file.
        distribution: the package's name, or the folder of a one-file plugin.
        version: the distribution's; empty for a file.
        entry_point: its name in the group `rpganify`, the module of a built-in; empty for a file.
    """

    name: str
    distribution: str = ""
    version: str = ""
    entry_point: str = ""

    @property
    def place(self) -> str:
        """Distribution and version, or the plugin's file and folder."""
        return f"{self.distribution} {self.version}" if self.version else str(self)

    def __str__(self) -> str:
        if not self.distribution or self.distribution == PROJECT:
            return self.entry_point or self.name
        if not self.version:
            return f"{self.name} ({self.distribution})"
        return f"{self.distribution} {self.version} ({self.entry_point})"


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """A plugin that can be loaded.

    Args:
        provider: who it is.
        load: imports it and returns it.
    """

    provider: Provider
    load: Callable[[], object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the plugins that there are get loaded; built-ins always are.

    Args:
        directories: folders of one-file plugins.
        blocked: names to leave out.
        only: names to load and no others; None loads all.
    """

    directories: tuple[Path, ...] = ()
    blocked: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None

    @classmethod
    def from_environment(cls) -> Selection:
        """What RPGANIFY_PLUGINS_DIR and RPGANIFY_LOAD_PLUGINS say; an empty RPGANIFY_LOAD_PLUGINS loads none."""
        folders = os.environ.get(DIRECTORY_VARIABLE, "")
        names = os.environ.get(LOAD_VARIABLE)
        return cls(
            directories=tuple(Path(folder) for folder in folders.split(os.pathsep) if folder),
            only=None if names is None else tuple(name for name in re.split(r"[,\s]+", names) if name),
        )

    @classmethod
    def from_options(cls, directories: Sequence[Path] | None, switches: Sequence[str] | None) -> Selection:
        """What `--plugins-dir DIR` and `-p no:NAME` say, and the environment where they are silent."""
        chosen = cls.from_environment()
        blocked = tuple(switch.removeprefix("no:") for switch in switches or ())
        return replace(chosen, directories=tuple(directories or chosen.directories), blocked=blocked)


def find_plugins(selection: Selection) -> tuple[list[FoundPlugin], list[str]]:
    """The strangers' plugins that are wanted, none of them imported yet, and remarks for the user.

    Raises:
        RegistryError: a folder that is none, or `only` names a plugin that is not there.
    """
    found = list(_installed())
    for directory in selection.directories:
        found += _in_directory(directory)
    names = [plugin.provider.name for plugin in found]
    have = f"The plugins are: {', '.join(sorted(set(names))) or 'none but the built-in ones'}."
    for name in selection.only or ():
        if not any(_is_called(plugin, name) for plugin in found):
            raise RegistryError(f"{LOAD_VARIABLE} asks for the plugin {name!r}, which is not there. {have}")
    remarks = [
        f"-p no:{name} leaves nothing out, no plugin has that name.{closest(name, names)} {have}"
        for name in selection.blocked
        if not any(_is_called(plugin, name) for plugin in found)
    ]
    wanted = [
        plugin
        for plugin in found
        if (selection.only is None or any(_is_called(plugin, name) for name in selection.only))
        and not any(_is_called(plugin, name) for name in selection.blocked)
    ]
    return wanted, remarks


def _is_called(plugin: FoundPlugin, name: str) -> bool:
    """Whether a user who writes this name means that plugin; distributions compare as pip compares them."""
    provider = plugin.provider
    return _normal(name) == _normal(provider.name) or (bool(provider.entry_point) and name == provider.entry_point)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed() -> Iterator[FoundPlugin]:
    """The entry points of the group, each once."""
    seen: set[tuple[str, str]] = set()
    for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        distribution, version = (point.dist.name, point.dist.version) if point.dist else (point.value, "")
        if (_normal(distribution), point.name) in seen:  # one distribution found twice on sys.path
            continue
        seen.add((_normal(distribution), point.name))
        yield FoundPlugin(Provider(distribution, distribution, version, point.name), point.load)


def _in_directory(directory: Path) -> list[FoundPlugin]:
    """Every module and package in a folder; names that begin with `_` or `.` are helpers and left alone.

    Raises:
        RegistryError: there is no such folder.
    """
    if not directory.is_dir():
        raise RegistryError(
            f"There is no folder of plugins {str(directory)!r}. --plugins-dir and {DIRECTORY_VARIABLE} take a folder "
            "that holds one-file plugins, such as mine.py."
        )
    files = [file for file in directory.glob("*.py") if file.name[0] not in "_."]
    packages = [file.parent for file in directory.glob("*/__init__.py") if file.parent.name[0] not in "_."]
    return [
        FoundPlugin(Provider(place.stem, str(directory)), _loader(place, directory))
        for place in sorted(files + packages)
    ]


def _loader(place: Path, directory: Path) -> Callable[[], object]:
    """Imports a module of the folder under its own name, so that `"mine:Loss"` and helpers beside it are found."""

    def load() -> object:
        folder = str(directory.resolve())
        if folder not in sys.path:
            sys.path.append(folder)  # behind everything installed: a plugin's file replaces no package
        importlib.invalidate_caches()
        spec = importlib.util.find_spec(place.stem)
        expected = place / "__init__.py" if place.is_dir() else place
        if spec is None or spec.origin is None or Path(spec.origin).resolve() != expected.resolve():
            other = "nothing" if spec is None else spec.origin or "a package without a file"
            raise ImportError(f"`import {place.stem}` finds {other} instead; rename {place}")
        return importlib.import_module(place.stem)

    return load
