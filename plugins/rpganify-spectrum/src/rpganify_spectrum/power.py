"""Radially averaged power spectra of samples with any number of spatial axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

MAX_BINS = 64
MAX_BANDS = 7


@dataclass(frozen=True, slots=True, eq=False)
class Frequencies:
    """The rings of frequencies that power is averaged over, and the bands that they are gathered in.

    Frequencies are in cycles per pixel (or per sample); along an axis they end at 1/2, in two dimensions at √2/2, where the
    corners are: the frequency of a checkerboard.

    Args:
        shape: spatial shape of the samples, `(H, W)` or `(L,)`, each at least 4.
        centres: mean frequency of each ring, float64 `(num_rings,)`, rising.
        rings: which ring each frequency of the transform belongs to, int64, flat; -1 for frequency 0.
        bands: lower and upper end of each band, rising: octaves down from the highest.
        band_of_ring: int64 `(num_rings,)`.
    """

    shape: tuple[int, ...]
    centres: Tensor
    rings: Tensor
    bands: tuple[tuple[float, float], ...]
    band_of_ring: Tensor

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Frequencies:
        """The rings for samples of a spatial shape: as wide as the coarsest axis resolves, at most 64."""
        axes = [torch.fft.fftfreq(extent, dtype=torch.float64) for extent in shape]
        radius = torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(0).sqrt().flatten()
        highest = math.sqrt(len(shape)) / 2
        width = max(1 / min(shape), highest / MAX_BINS)
        # Half a width off, so that rings are centred on the frequencies that the transform has.
        wide = ((radius / width + 0.5).floor()).long()
        found, rings = wide.unique(return_inverse=True)
        counts = torch.zeros(len(found), dtype=torch.float64).index_add_(0, rings, (radius > 0).double())
        sums = torch.zeros(len(found), dtype=torch.float64).index_add_(0, rings, radius)
        kept = counts > 0
        place = torch.where(kept, kept.cumsum(0) - 1, torch.tensor(-1))
        rings = torch.where(radius > 0, place[rings], torch.tensor(-1))
        centres = (sums / counts.clamp_min(1))[kept]
        bands = _octaves(highest, len(shape), float(centres[0]))
        lower = torch.tensor([band[0] for band in bands], dtype=torch.float64)
        # A ring belongs to the band that its centre is in; rounding must not push it over an end.
        band_of_ring = torch.searchsorted(lower, centres + 1e-9, right=True).sub(1).clamp_min(0)
        return cls(shape, centres, rings, bands, band_of_ring)

    @property
    def sizes(self) -> Tensor:
        """How many frequencies each ring holds, float64 `(num_rings,)`."""
        return torch.bincount(self.rings[self.rings >= 0], minlength=len(self.centres)).double()

    def power(self, samples: Tensor) -> Tensor:
        """Power in each ring, averaged over channels: float64 `(N, num_rings)`.

        A Hann window keeps the jump between opposite edges out of it. White noise of variance v has v in every ring but the
        lowest, which loses what the mean takes.

        Args:
            samples: float `(N, C, *shape)`.
        """
        window = torch.ones((), dtype=torch.float64)
        for extent in self.shape:
            window = window[..., None] * torch.hann_window(extent + 2, periodic=False, dtype=torch.float64)[1:-1]
        values = samples.double()
        axes = tuple(range(2, samples.dim()))
        mean = (values * window).sum(dim=axes, keepdim=True) / window.sum()
        spectra = torch.fft.fftn((values - mean) * window, dim=axes).abs().square() / window.square().sum()
        flat = spectra.mean(dim=1).flatten(1)  # (N, all frequencies)
        inside = self.rings >= 0
        sums = torch.zeros(len(samples), len(self.centres), dtype=torch.float64)
        sums.index_add_(1, self.rings[inside], flat[:, inside])
        return sums / self.sizes

    def in_bands(self, power: Tensor) -> Tensor:
        """All power of each band, `(N, num_bands)`, of power per ring `(N, num_rings)`."""
        sums = torch.zeros(len(power), len(self.bands), dtype=torch.float64)
        return sums.index_add_(1, self.band_of_ring, power * self.sizes)


def _octaves(highest: float, num_axes: int, lowest: float) -> tuple[tuple[float, float], ...]:
    """Bands that halve down from the highest frequency along an axis, the corners beyond it as one more; rising."""
    bands = [(0.5, highest)] if num_axes > 1 else []
    upper = 0.5
    while len(bands) < MAX_BANDS - 1 and upper / 2 > lowest:
        bands.append((upper / 2, upper))
        upper /= 2
    return tuple(reversed([*bands, (0.0, upper)]))
