"""Image distances: how different two pictures are, in colour or in features, for all pairs of a group at once."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from rpganify.analysis.features import FeatureExtractor
from rpganify.data.images import to_float
from rpganify.errors import AnalysisError

NUM_BINS = 25
SEMANTIC = "semantic"
CHANNEL_NAMES = {1: ("grey",), 3: ("red", "green", "blue")}


class PairDistance(Protocol):
    """Distances of all pairs of images of a group; one or several, which are named."""

    @property
    def key(self) -> str:
        """A word for columns: `colour`."""
        ...

    @property
    def title(self) -> str:
        """A phrase for figures: `Colour (Hellinger)`."""
        ...

    @property
    def parts(self) -> tuple[str, ...]:
        """What its last axis holds: the distance itself first, then those it is made of, if any."""
        ...

    def describe(self, images: Tensor) -> Tensor:
        """What of each image enters its distances, `(N, …)`, of images uint8 `(N, C, H, W)`.

        It is called for many groups at once: a network runs on batches that are worth its while.
        """
        ...

    def pairs(self, described: Tensor) -> Tensor:
        """Distances float64 `(G, k, k, len(parts))`, of the descriptions of G groups of k images, `(G, k, …)`."""
        ...


class ColourDistance:
    """Hellinger distance of colour histograms, in [0, 1]: the mean over channels, and each channel by itself.

    Args:
        num_channels: 1 or 3.
    Raises:
        AnalysisError: another number of channels.
    Source:
        RPGAN, section 4.1, takes each channel independently. That the mean of the channels is the one
        number is ours.
    """

    key = "colour"
    title = "Colour (Hellinger)"

    def __init__(self, num_channels: int) -> None:
        if num_channels not in CHANNEL_NAMES:
            raise AnalysisError(
                f"Colours are compared in images of 1 (grey) or 3 channels, these have {num_channels}. "
                "`rpganify plugins` lists the other image distances; --distance names one."
            )
        channels = CHANNEL_NAMES[num_channels]
        self.parts = ("colour", *(channels if num_channels > 1 else ()))

    def describe(self, images: Tensor) -> Tensor:
        """Histograms `(N, C, 25)`."""
        return channel_histograms(images)

    def pairs(self, described: Tensor) -> Tensor:
        """`(G, k, k, 1)` for grey, `(G, k, k, 4)` for colour images."""
        channels = hellinger(described[:, :, None], described[:, None, :])  # (G, k, k, C)
        if channels.shape[-1] == 1:
            return channels
        return torch.cat([channels.mean(dim=-1, keepdim=True), channels], dim=-1)


class FeatureDistance:
    """Euclidean distance of features, which the paper calls semantic where they are InceptionV3's.

    Args:
        extractor: gives the features.
        key: the word for columns.
        word: how its title begins.
    Source:
        RPGAN, section 4.1.
    """

    def __init__(self, extractor: FeatureExtractor, key: str = SEMANTIC, word: str = "Semantics") -> None:
        self.extractor = extractor
        self.key = key
        self.title = f"{word} ({extractor.name})"
        self.parts = (key,)

    def describe(self, images: Tensor) -> Tensor:
        """Features `(N, D)`."""
        return self.extractor(to_float(images)).double()

    def pairs(self, described: Tensor) -> Tensor:
        """`(G, k, k, 1)`."""
        # cdist's quick form subtracts large squares and would give equal images a distance.
        return torch.cdist(described, described, compute_mode="donot_use_mm_for_euclid_dist")[..., None]


def channel_histograms(images: Tensor) -> Tensor:
    """The share of each channel's pixels in 25 equal bins of 0…255: float64 `(N, C, 25)`, each row sums to 1.

    Args:
        images: uint8 `(N, C, H, W)`. As in `numpy.histogram`, a bin holds its lower edge, the last one both.
    """
    num_images, channels = images.shape[:2]
    values = images.flatten(2).long()  # (N, C, H·W)
    bins = (values * NUM_BINS // 255).clamp_max(NUM_BINS - 1)  # integers, so that edges such as 51 are exact
    rows = torch.arange(num_images * channels).view(num_images, channels, 1) * NUM_BINS
    counts = torch.bincount((rows + bins).flatten(), minlength=num_images * channels * NUM_BINS)
    return counts.view(num_images, channels, NUM_BINS).double() / values.shape[-1]


def hellinger(p: Tensor, q: Tensor) -> Tensor:
    """Hellinger distance `√(Σ(√p − √q)²) / √2` over the last axis, in [0, 1]; the other axes broadcast."""
    return (p.sqrt() - q.sqrt()).square().sum(dim=-1).div(2).sqrt()
