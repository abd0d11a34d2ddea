"""Fully connected generator and discriminator.

Source: RPGAN, section 4.4 and table 3: 128 -> 128 -> 256 -> 512 -> 1024 -> 784 on MNIST.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rpganify.models.label_heads import Conditioning, Judgement, judged, label_head
from rpganify.models.spectral import with_spectral_norm
from rpganify.models.widths import halving

_SIZE = 28
_NUM_LAYERS = 5


class MLPGenerator(nn.Module):
    """Latents to images in [-1, 1], five dense layers `l1` … `l5`.

    Args:
        widths: outputs of the first four layers.
        latent_dim: numbers in one latent.
        image_shape: `(C, H, W)`.
        linear: no activation between the layers, so that neighbours can be multiplied into one; the tanh
            at the end stays.
    """

    def __init__(
        self, widths: tuple[int, int, int, int], latent_dim: int, image_shape: tuple[int, int, int], linear: bool
    ) -> None:
        super().__init__()
        self.latent_dim, self.image_shape = latent_dim, image_shape
        _add_layers(self, (latent_dim, *widths), image_shape, linear)

    def forward(self, z: Tensor) -> Tensor:
        """Latents `(N, latent_dim)` -> images `(N, C, H, W)`."""
        return _images(self, z, self.image_shape)


class ClassConditionalMLP(nn.Module):
    """Latents and labels to images in [-1, 1]: as `MLPGenerator`, with the label's embedding joined to the latent.

    Args:
        widths, latent_dim, image_shape, linear: as there.
        num_classes: labels are in [0, num_classes).
        embedding_dim: numbers in a label's embedding.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int],
        latent_dim: int,
        image_shape: tuple[int, int, int],
        linear: bool,
        num_classes: int,
        embedding_dim: int,
    ) -> None:
        super().__init__()
        self.latent_dim, self.image_shape, self.num_classes = latent_dim, image_shape, num_classes
        self.embedding = nn.Embedding(num_classes, embedding_dim)
        _add_layers(self, (latent_dim + embedding_dim, *widths), image_shape, linear)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Latents `(N, latent_dim)` and int64 labels `(N,)` -> images `(N, C, H, W)`."""
        return _images(self, torch.cat([z, self.embedding(labels)], dim=1), self.image_shape)


def _add_layers(module: nn.Module, widths: Sequence[int], image_shape: tuple[int, int, int], linear: bool) -> None:
    """Give a generator the layers that both kinds have; widths of the inputs of `l1` … `l5`."""
    outputs = (*widths[1:], math.prod(image_shape))
    for index, (in_features, out_features) in enumerate(zip(widths, outputs, strict=True), 1):
        module.add_module(f"l{index}", nn.Linear(in_features, out_features))
    module.activation = nn.Identity() if linear else nn.ReLU()


def _images(module: nn.Module, h: Tensor, image_shape: tuple[int, int, int]) -> Tensor:
    """The images `(N, *image_shape)` of what enters the first layer, `(N, inputs of l1)`."""
    for index in range(1, _NUM_LAYERS):
        h = module.get_submodule("activation")(module.get_submodule(f"l{index}")(h))
    return torch.tanh(module.get_submodule(f"l{_NUM_LAYERS}")(h)).view(-1, *image_shape)


class MLPDiscriminator(nn.Module):
    """Images to scores: three hidden layers with leaky ReLU, each half as wide as the one before.

    Args:
        image_shape: `(C, H, W)`.
        channels: units of the first hidden layer, a multiple of 4.
        num_classes, conditioning: of its `label_heads.label_head`.
    """

    def __init__(self, image_shape: tuple[int, int, int], channels: int, num_classes: int, conditioning: str) -> None:
        super().__init__()
        self.num_classes = num_classes
        widths = (math.prod(image_shape), *halving(channels, 2))
        layers: list[nn.Module] = []
        for in_features, out_features in itertools.pairwise(widths):
            layers += [nn.Linear(in_features, out_features), nn.LeakyReLU(0.2)]
        self.hidden = nn.Sequential(*layers)
        self.linear = nn.Linear(widths[-1], 1)
        self.label_head = label_head(widths[-1], num_classes, conditioning)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Judgement:
        """Images `(N, C, H, W)` in [-1, 1], int64 labels `(N,)` -> scores `(N,)`; see `label_heads.judged`."""
        h = self.hidden(images.flatten(1))  # (N, channels / 4)
        scores: Tensor = self.linear(h)
        return judged(self.label_head, scores.squeeze(1), h, labels)


def mlp28(
    *,
    latent_dim: int = 128,
    channels: int = 128,
    image_channels: int = 1,
    linear: bool = False,
    num_classes: int = 0,
    embedding_dim: int = 32,
) -> MLPGenerator | ClassConditionalMLP:
    """28x28 through layers of `channels`, twice, four and eight times that many units.

    Args:
        latent_dim: numbers in one latent.
        channels: units of the first layer.
        image_channels: 1 for grey, 3 for RGB.
        linear: no activations, RPGAN's linear generator.
        num_classes: 0 for no labels; else the generator takes `labels` in [0, num_classes).
        embedding_dim: numbers in a label's embedding.
    Raises:
        ValueError: a number that makes no generator.
    """
    if min(latent_dim, channels, image_channels, embedding_dim) < 1 or num_classes < 0:
        raise ValueError(
            f"latent_dim, channels, image_channels and embedding_dim are at least 1 and num_classes at least 0, got "
            f"{latent_dim}, {channels}, {image_channels}, {embedding_dim} and {num_classes}."
        )
    widths = (channels, 2 * channels, 4 * channels, 8 * channels)
    image_shape = (image_channels, _SIZE, _SIZE)
    if num_classes:
        return ClassConditionalMLP(widths, latent_dim, image_shape, linear, num_classes, embedding_dim)
    return MLPGenerator(widths, latent_dim, image_shape, linear)


def mlp_discriminator(
    *,
    image_shape: tuple[int, int, int],
    spectral_norm: bool,
    channels: int | None = None,
    num_classes: int = 0,
    conditioning: Conditioning = "projection",
) -> nn.Module:
    """A fully connected discriminator for images of that shape.

    Args:
        image_shape: `(C, H, W)`, of any size.
        spectral_norm: on every layer.
        channels: units of the first hidden layer, a multiple of 4; 1024 if left out.
        num_classes: judge images by labels in [0, num_classes) too; 0 for no labels.
        conditioning: how, "projection" or "auxiliary" (a classifier beside the scores).
    Raises:
        ValueError: `channels` is no positive multiple of 4, or there is no such number of classes or conditioning.
    """
    module = MLPDiscriminator(image_shape, 1024 if channels is None else channels, num_classes, conditioning)
    return with_spectral_norm(module) if spectral_norm else module
