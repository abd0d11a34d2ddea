"""The built-in generators and discriminators, registered through the hooks that strangers use."""

from __future__ import annotations

from rpganify.hookspecs import Architecture, DiscriminatorEntry, hookimpl

_LATENT = (128,)


@hookimpl
def rpganify_architectures() -> list[Architecture]:
    """SN-ResNet for four sizes, DCGAN for two, and the fully connected generator of RPGAN's section 4.4."""
    sngan = "rpganify.models.sngan_generator"
    return [
        Architecture(
            "sngan32",
            "Miyato's SN-ResNet, 32x32: dense, 3 residual blocks, convolution",
            f"{sngan}:sngan32",
            _LATENT,
            ("l1", "block2", "block3", "block4", "c5"),
            "sngan",
        ),
        Architecture(
            "sngan48",
            "Miyato's SN-ResNet, 48x48: dense, 3 residual blocks, convolution",
            f"{sngan}:sngan48",
            _LATENT,
            ("l1", "block2", "block3", "block4", "c5"),
            "sngan",
        ),
        Architecture(
            "sngan64",
            "Miyato's SN-ResNet, 64x64: dense, 4 residual blocks, convolution",
            f"{sngan}:sngan64",
            _LATENT,
            ("l1", "block2", "block3", "block4", "block5", "c6"),
            "sngan",
        ),
        Architecture(
            "sngan128",
            "Miyato's SN-ResNet, 128x128: dense, 5 residual blocks, convolution",
            f"{sngan}:sngan128",
            _LATENT,
            ("l1", "block2", "block3", "block4", "block5", "block6", "c7"),
            "sngan",
        ),
        Architecture(
            "dcgan32",
            "DCGAN, 32x32: 4 transposed convolutions, no skips",
            "rpganify.models.dcgan:dcgan32",
            _LATENT,
            ("stage1", "stage2", "stage3", "stage4"),
            "dcgan",
        ),
        Architecture(
            "dcgan64",
            "DCGAN, 64x64: 5 transposed convolutions, no skips",
            "rpganify.models.dcgan:dcgan64",
            _LATENT,
            ("stage1", "stage2", "stage3", "stage4", "stage5"),
            "dcgan",
        ),
        Architecture(
            "mlp28",
            "fully connected, 28x28: 128-128-256-512-1024-784, linear if asked",
            "rpganify.models.mlp:mlp28",
            _LATENT,
            ("l1", "l2", "l3", "l4", "l5"),
            "mlp",
        ),
    ]


@hookimpl
def rpganify_discriminators() -> list[DiscriminatorEntry]:
    """One discriminator per family; each fits its depth to the image, from 8x8."""
    return [
        DiscriminatorEntry(
            "sngan",
            "Miyato's SN-ResNet: residual blocks, sum over the image, linear",
            "rpganify.models.sngan_discriminator:sngan_discriminator",
        ),
        DiscriminatorEntry(
            "dcgan",
            "strided convolutions, linear",
            "rpganify.models.dcgan:dcgan_discriminator",
        ),
        DiscriminatorEntry(
            "mlp",
            "three fully connected layers",
            "rpganify.models.mlp:mlp_discriminator",
        ),
    ]
