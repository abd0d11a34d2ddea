"""Finds plugins, and answers a name with what a plugin registered under it. Imports no torch.

Built-ins are plugins too: modules named in `catalog.BUILT_INS`, registered through the same hooks as a stranger's, which
come from installed packages by the entry point group `rpganify` and from folders of one-file plugins.
"""

from rpganify.registry.catalog import Registry
from rpganify.registry.default import architecture, choose_plugins, chosen_plugins, default_registry
from rpganify.registry.finding import Provider, Selection
from rpganify.registry.kinds import KINDS, Kind, kind_of
from rpganify.registry.resolving import resolve

__all__ = [
    "KINDS",
    "Kind",
    "Provider",
    "Registry",
    "Selection",
    "architecture",
    "choose_plugins",
    "chosen_plugins",
    "default_registry",
    "kind_of",
    "resolve",
]
