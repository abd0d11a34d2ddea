"""What this package offers to rpganify; imports no torch."""

from __future__ import annotations

from rpganify import hookimpl
from rpganify.hookspecs import Architecture, DiscriminatorEntry, RoutedLayerEntry

_LATENT = (128,)
_MODULATED = "stylegan2-modulated-conv"


@hookimpl
def rpganify_architectures() -> list[Architecture]:
    """StyleGAN2's generator for two sizes: a bucket for the mapping network, one for each resolution."""
    generator = "rpganify_stylegan2.generator"
    return [
        Architecture(
            "stylegan2-32",
            "StyleGAN2, 32x32: mapping network, modulated convolutions with noise at 4 resolutions",
            f"{generator}:stylegan2_32",
            _LATENT,
            ("mapping", "b4", "b8", "b16", "b32"),
            "stylegan2",
            (_MODULATED,),
        ),
        Architecture(
            "stylegan2-64",
            "StyleGAN2, 64x64: mapping network, modulated convolutions with noise at 5 resolutions",
            f"{generator}:stylegan2_64",
            _LATENT,
            ("mapping", "b4", "b8", "b16", "b32", "b64"),
            "stylegan2",
            (_MODULATED,),
        ),
    ]


@hookimpl
def rpganify_routed_layers() -> list[RoutedLayerEntry]:
    """The modulated convolution is one step of a converted generator, not the dozen that it is made of."""
    return [
        RoutedLayerEntry(
            _MODULATED,
            "StyleGAN2's modulated convolution, plain and upsampling",
            "rpganify_stylegan2.layers:ModulatedConv2d",
            "rpganify_stylegan2.routed:RoutedModulatedConv2d",
        )
    ]


@hookimpl
def rpganify_discriminators() -> list[DiscriminatorEntry]:
    """Its discriminator, for images from 8x8 on."""
    return [
        DiscriminatorEntry(
            "stylegan2",
            "StyleGAN2's: residual blocks, minibatch standard deviation",
            "rpganify_stylegan2.discriminator:stylegan2_discriminator",
        )
    ]
