"""How a modulated convolution runs with a block axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rpganify_stylegan2.layers import ModulatedConv2d, modulated_conv2d


class RoutedModulatedConv2d:
    """What rpganify asks of the layer: what a file says of it, how it is built from that, and what a block does."""

    def config(self, module: ModulatedConv2d) -> dict[str, Any]:
        """The constructor's values, as JSON data."""
        return module.options()

    def build(self, config: Mapping[str, Any]) -> ModulatedConv2d:
        """A new layer with these."""
        return ModulatedConv2d(**config)

    def call(
        self, config: Mapping[str, Any], tensors: Mapping[str, Tensor], inputs: tuple[Any, ...], is_training: bool
    ) -> Tensor:
        """What the layer gives for one block's samples.

        Args:
            config: what `config` gave.
            tensors: the block's `weight`, and `kernel` of an upsampling layer.
            inputs: features and styles of these samples.
            is_training: makes no difference.
        """
        features, style = inputs
        return modulated_conv2d(features, style, tensors["weight"], tensors.get("kernel"), config["is_demodulated"])
