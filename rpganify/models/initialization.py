"""How the built-in models' weights start."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


def xavier(layer: Layer, before_relu: bool = False) -> Layer:
    """The layer with Xavier-uniform weights and zero bias, as in Miyato's SN-ResNet.

    Args:
        layer: changed in place and returned.
        before_relu: a layer of a residual branch; its gain is √2, that of all others 1.
    """
    nn.init.xavier_uniform_(layer.weight, gain=2**0.5 if before_relu else 1.0)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def dcgan_normal(module: nn.Module) -> None:
    """N(0, 0.02) for convolutions, linear layers and embeddings, N(1, 0.02) for norm scales, zero for biases.

    For `Module.apply`.

    Source: Radford et al., "Unsupervised representation learning with DCGAN", 2016, section 4.
    """
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, 0.0, 0.02)
        return
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
