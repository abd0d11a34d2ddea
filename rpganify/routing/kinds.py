"""Layer types that plugins teach to run with a block axis, beside the built-in ones."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from rpganify.entries import RoutedLayerEntry
from rpganify.errors import ConversionError
from rpganify.registry import default_registry


class RoutedLayerKind(Protocol):
    """What a `RoutedLayerEntry`'s factory returns.

    Layers of the type are kept whole: the generator's graph calls them as one step, and a model on disk holds their name
    and config. All their tensors, those of modules within them too, become blocks.
    """

    def config(self, module: Any) -> dict[str, Any]:
        """The constructor's values of a plain layer, as JSON data."""

    def build(self, config: Mapping[str, Any]) -> nn.Module:
        """A new plain layer with these."""

    def call(
        self, config: Mapping[str, Any], tensors: Mapping[str, Tensor], inputs: tuple[Any, ...], is_training: bool
    ) -> Tensor:
        """The results of one block's samples, `(n, ...)`.

        Args:
            config: what `config` gave for the layer.
            tensors: the block's parameters and buffers, under the plain layer's names for them.
            inputs: what the plain layer's forward takes, of these samples.
            is_training: whether the model is in training mode.
        """


def kind_named(name: str) -> RoutedLayerKind:
    """What the plugin gives that registered this name.

    Raises:
        RegistryError: no plugin did.
    """
    registry = default_registry()
    kind: RoutedLayerKind = registry.make(registry.get(RoutedLayerEntry, name))
    return kind


def is_kind(name: str) -> bool:
    """Whether a plugin registered this name."""
    return name in default_registry().all(RoutedLayerEntry)


def find_kind(module: nn.Module) -> str | None:
    """The name under which a plugin registered this type of layer."""
    for name, entry in default_registry().all(RoutedLayerEntry).items():
        home, _, attributes = entry.module.partition(":")
        found: Any = sys.modules.get(home)  # a module that is not loaded holds no type of this layer
        for attribute in attributes.split("."):
            found = getattr(found, attribute, None)
        if found is type(module):
            return name
    return None


def described(name: str, module: nn.Module) -> dict[str, Any]:
    """A layer's config, checked.

    Raises:
        ConversionError: it is no dict with texts for keys.
    """
    config = kind_named(name).config(module)
    if not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
        raise ConversionError(
            f"The plugin's layer {name!r} describes a {type(module).__name__} as {config!r}; it has to be a dict of the "
            "constructor's values by name. Correct the plugin: rpganify.testing.check_routed_layer shows more."
        )
    return config
