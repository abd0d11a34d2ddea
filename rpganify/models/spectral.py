"""Spectral norm over a whole discriminator."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def with_spectral_norm(module: nn.Module) -> nn.Module:
    """The module, each of its convolutions, linear layers and embeddings divided by its largest singular value.

    Call it after the initialisation: its estimate starts with fifteen power iterations on the weights as
    they are then, and goes on with one per forward pass in training mode.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, (nn.Conv2d, nn.Linear, nn.Embedding))]
    for layer in layers:
        spectral_norm(layer)
    return module
