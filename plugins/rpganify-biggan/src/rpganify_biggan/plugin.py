"""What this package offers to rpganify; imports no torch."""

from __future__ import annotations

from rpganify import hookimpl
from rpganify.hookspecs import Architecture, DiscriminatorEntry


@hookimpl
def rpganify_architectures() -> list[Architecture]:
    """BigGAN's generator for two sizes; the class embedding, if there is one, is shared by all paths."""
    generator = "rpganify_biggan.generator"
    return [
        Architecture(
            "biggan-32",
            "BigGAN, 32x32: split latent, conditional batch norm, self-attention (num_classes=10 for labels)",
            f"{generator}:biggan_32",
            (128,),
            ("linear", "block1", "block2", "block3", "output"),
            "biggan",
        ),
        Architecture(
            "biggan-64",
            "BigGAN, 64x64: split latent, conditional batch norm, self-attention (num_classes=10 for labels)",
            f"{generator}:biggan_64",
            (120,),
            ("linear", "block1", "block2", "block3", "block4", "output"),
            "biggan",
        ),
    ]


@hookimpl
def rpganify_discriminators() -> list[DiscriminatorEntry]:
    """Its discriminator, for images from 8x8 on."""
    return [
        DiscriminatorEntry(
            "biggan",
            "BigGAN's: residual blocks, self-attention, projection of the label (num_classes=10)",
            "rpganify_biggan.discriminator:biggan_discriminator",
        )
    ]
