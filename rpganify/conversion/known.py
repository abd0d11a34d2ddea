"""The layers that have a routed twin, built in or a plugin's, and the constructor values that rebuild them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from rpganify.routing.blueprint import LayerConfig
from rpganify.routing.kinds import described, find_kind, is_kind, kind_named

# kind -> constructor values that are read back from attributes of the same name.
_CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
_CONV_TRANSPOSE = (*_CONV[:5], "output_padding", "groups", "dilation", "padding_mode")
_BATCH_NORM = ("num_features", "eps", "momentum", "affine", "track_running_stats")

NORMS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "BatchNorm1d": (nn.BatchNorm1d, _BATCH_NORM),
    "BatchNorm2d": (nn.BatchNorm2d, _BATCH_NORM),
    "BatchNorm3d": (nn.BatchNorm3d, _BATCH_NORM),
    "InstanceNorm1d": (nn.InstanceNorm1d, _BATCH_NORM),
    "InstanceNorm2d": (nn.InstanceNorm2d, _BATCH_NORM),
    "InstanceNorm3d": (nn.InstanceNorm3d, _BATCH_NORM),
    "LayerNorm": (nn.LayerNorm, ("normalized_shape", "eps", "elementwise_affine")),
    "GroupNorm": (nn.GroupNorm, ("num_groups", "num_channels", "eps", "affine")),
}

LAYERS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "Linear": (nn.Linear, ("in_features", "out_features")),
    "Conv1d": (nn.Conv1d, _CONV),
    "Conv2d": (nn.Conv2d, _CONV),
    "Conv3d": (nn.Conv3d, _CONV),
    "ConvTranspose1d": (nn.ConvTranspose1d, _CONV_TRANSPOSE),
    "ConvTranspose2d": (nn.ConvTranspose2d, _CONV_TRANSPOSE),
    "ConvTranspose3d": (nn.ConvTranspose3d, _CONV_TRANSPOSE),
    "Embedding": (nn.Embedding, ("num_embeddings", "embedding_dim", "padding_idx", "max_norm", "norm_type")),
    "PReLU": (nn.PReLU, ("num_parameters",)),
}

KNOWN = LAYERS | NORMS

_HAS_BIAS = {"Linear", "LayerNorm", *(name for name in LAYERS if name.startswith("Conv"))}


def known_kind(module: nn.Module) -> str | None:
    """The kind of a plain layer; None for subclasses and for layers that hooks or parametrizations change.

    Those are recorded function by function instead, so that what the hook computes is part of the graph.
    """
    kind = type(module).__name__
    if kind not in KNOWN or type(module) is not KNOWN[kind][0]:
        return None if module._forward_pre_hooks or module._forward_hooks else find_kind(module)
    if module._forward_pre_hooks or module._forward_hooks or "forward" in vars(module):
        return None
    if kind == "Embedding" and (module.max_norm is not None or module.sparse or module.scale_grad_by_freq):
        return None
    # Weight norm and the old spectral norm replace the parameter by a computed attribute.
    computed = [name for name in ("weight", "bias") if isinstance(vars(module).get(name), torch.Tensor)]
    return None if computed else kind


def is_layer(kind: str) -> bool:
    """Whether there are layers of that kind, built in or a plugin's."""
    return kind in KNOWN or is_kind(kind)


def is_norm(kind: str) -> bool:
    """Whether a layer kind is a normalisation layer."""
    return kind in NORMS


def is_whole(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a call of a module is one step of the graph: a layer with its samples, and nothing else.

    A second operand of a built-in layer (a transposed convolution's output_size) is left to the functions that it
    becomes; a plugin's layer may take several tensors.
    """
    kind = known_kind(module)
    if kind is None or kwargs or not args or not all(isinstance(value, torch.Tensor) for value in args):
        return False
    return kind not in KNOWN or len(args) == 1


def layer_config(module: nn.Module) -> LayerConfig:
    """Kind and constructor values that rebuild a known layer, as plain JSON data."""
    kind = type(module).__name__
    if kind not in KNOWN or type(module) is not KNOWN[kind][0]:
        name = find_kind(module)
        assert name is not None, kind
        return LayerConfig(name, described(name, module))
    config = {name: _plain(getattr(module, name)) for name in KNOWN[kind][1]}
    if kind in _HAS_BIAS:
        config["bias"] = getattr(module, "bias", None) is not None
    return LayerConfig(kind, config)


def build_layer(layer: LayerConfig) -> nn.Module:
    """The layer that `layer_config` described, without memory for its tensors (on the meta device).

    Raises:
        TypeError, ValueError, KeyError: the values do not describe such a layer.
        RegistryError: no plugin offers this kind.
    """
    if layer.kind not in KNOWN:
        with torch.device("meta"):
            return kind_named(layer.kind).build(layer.config)
    layer_type, _ = KNOWN[layer.kind]
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in layer.config.items()}
    return layer_type(**values, device="meta")


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, (bool, str)) or value is None:
        return value
    return float(value) if isinstance(value, float) else int(value)
