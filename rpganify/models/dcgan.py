"""DCGAN's generator and discriminator: one (transposed) convolution after the other, no skips.

Source: Radford et al., "Unsupervised representation learning with DCGAN", 2016. RPGAN, appendix A.4, trains such
generators of four and five stages with WGAN-GP.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rpganify.models.initialization import dcgan_normal
from rpganify.models.label_heads import Conditioning, Judgement, judged, label_head
from rpganify.models.spectral import with_spectral_norm
from rpganify.models.widths import halving

_MIN_SIZE = 8


class DCGANGenerator(nn.Module):
    """Latents to images in [-1, 1].

    Children: `stage1`, `stage2`, …; each a 4x4 transposed convolution, batch norm and ReLU, the last the
    convolution alone. The first stage makes 4x4 of the latent, every other doubles the size.

    Args:
        widths: channels after every stage but the last.
        latent_dim: numbers in one latent.
        image_channels: 3 for RGB, 1 for grey.
    """

    def __init__(self, widths: tuple[int, ...], latent_dim: int, image_channels: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        in_channels = latent_dim
        self.stage_names = tuple(f"stage{i + 1}" for i in range(len(widths) + 1))
        for i, name in enumerate(self.stage_names):
            is_last = i == len(widths)
            out_channels = image_channels if is_last else widths[i]
            # A bias before a batch norm is subtracted again, so only the last convolution has one.
            stride, padding = (1, 0) if i == 0 else (2, 1)
            convolution = nn.ConvTranspose2d(in_channels, out_channels, 4, stride, padding, bias=is_last)
            rest = () if is_last else (nn.BatchNorm2d(out_channels), nn.ReLU())
            self.add_module(name, nn.Sequential(convolution, *rest))
            in_channels = out_channels
        self.apply(dcgan_normal)

    def forward(self, z: Tensor) -> Tensor:
        """Latents `(N, latent_dim)` -> images `(N, image_channels, H, W)`."""
        h = z.view(-1, self.latent_dim, 1, 1)
        for name in self.stage_names:
            h = self.get_submodule(name)(h)
        return torch.tanh(h)


class DCGANDiscriminator(nn.Module):
    """Images to scores: 4x4 convolutions of stride 2 with leaky ReLU, then one linear layer.

    No batch norm: it mixes the samples of a batch, and a gradient penalty is per sample.

    Args:
        image_shape: `(C, H, W)`.
        widths: channels after each convolution.
        num_classes, conditioning: of its `label_heads.label_head`.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], widths: tuple[int, ...], num_classes: int, conditioning: str
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        in_channels, height, width = image_shape
        layers: list[nn.Module] = []
        for out_channels in widths:
            layers += [nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
            in_channels, height, width = out_channels, height // 2, width // 2
        self.convolutions = nn.Sequential(*layers)
        self.linear = nn.Linear(in_channels * height * width, 1)
        self.label_head = label_head(in_channels * height * width, num_classes, conditioning)
        self.apply(dcgan_normal)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Judgement:
        """Images `(N, C, H, W)` in [-1, 1], int64 labels `(N,)` -> scores `(N,)`; see `label_heads.judged`."""
        h = self.convolutions(images).flatten(1)  # (N, widths[-1] * h * w)
        scores: Tensor = self.linear(h)
        return judged(self.label_head, scores.squeeze(1), h, labels)


def dcgan32(*, latent_dim: int = 128, channels: int = 256, image_channels: int = 3) -> DCGANGenerator:
    """32x32 in four stages; the width starts at `channels`, a multiple of 4, and halves."""
    return _generator(3, latent_dim, channels, image_channels)


def dcgan64(*, latent_dim: int = 128, channels: int = 512, image_channels: int = 3) -> DCGANGenerator:
    """64x64 in five stages; the width starts at `channels`, a multiple of 8, and halves."""
    return _generator(4, latent_dim, channels, image_channels)


def dcgan_discriminator(
    *,
    image_shape: tuple[int, int, int],
    spectral_norm: bool,
    channels: int | None = None,
    num_classes: int = 0,
    conditioning: Conditioning = "projection",
) -> nn.Module:
    """A DCGAN discriminator for images of that shape.

    Args:
        image_shape: `(C, H, W)`; height and width each at least 8, need not be equal.
        spectral_norm: on every convolution, linear layer and embedding.
        channels: width of the last convolution; 64 for 8 pixels, twice that for each doubling, at most 512.
        num_classes: judge images by labels in [0, num_classes) too; 0 for no labels.
        conditioning: how, "projection" or "auxiliary" (a classifier beside the scores).
    Raises:
        ValueError: the image is too small, `channels` cannot be halved as often as the layout needs, or there is no such
            number of classes or conditioning.
    """
    size = min(image_shape[1:])
    if size < _MIN_SIZE:
        raise ValueError(
            f"The dcgan discriminator halves its images; {image_shape[1]}x{image_shape[2]} is too small, "
            f"{_MIN_SIZE}x{_MIN_SIZE} is the least. Take the discriminator 'mlp'."
        )
    num_convolutions = size.bit_length() - 3  # down to a shorter side of 4 to 7 pixels
    num_doublings = min(num_convolutions - 1, 3)
    growing = halving(64 * 2**num_doublings if channels is None else channels, num_doublings)[::-1]
    widths = growing + growing[-1:] * (num_convolutions - len(growing))
    module = DCGANDiscriminator(image_shape, widths, num_classes, conditioning)
    return with_spectral_norm(module) if spectral_norm else module


def _generator(num_widths: int, latent_dim: int, channels: int, image_channels: int) -> DCGANGenerator:
    if latent_dim < 1 or image_channels < 1:
        raise ValueError(f"latent_dim and image_channels are at least 1, got {latent_dim} and {image_channels}.")
    return DCGANGenerator(halving(channels, num_widths - 1), latent_dim, image_channels)
