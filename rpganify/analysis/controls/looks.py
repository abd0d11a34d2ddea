"""Whether images under a control still look like images of the generator, and how much they differ from one another.

A classifier takes anything for some class, broken images too, so a set that breaks images may succeed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LEVEL = 0.9
# Of what is ordinary without any change. Of the blocks of a DCGAN on MNIST, sound ones leave 60 % of it and more, a broken
# one a third.
MIN_ORDINARY = 0.5
# Fewer images say little.
MIN_IMAGES = 10


@dataclass(frozen=True, slots=True)
class Ordinary:
    """What images are like that nothing was done to, as a classifier's features: real ones, or the generator's own.

    An image is held against those of the generator only that share no coordinate with it: images of one block are alike even
    where it is broken.

    Args:
        codes: of the generator's own images, `(N, num_coordinates)`; None of real ones.
        features: `(N, D)`.
        limit: 90 % of them have another one as near as this; None where there are too few to say.
        base: share of the generator's images that are as near, when nothing is done to them; None where that is not known.
    """

    codes: Tensor | None
    features: Tensor
    limit: float | None
    base: float | None = None

    @property
    def is_real(self) -> bool:
        """Whether it is real images that others are held against."""
        return self.codes is None

    def share(self, codes: Tensor, features: Tensor) -> float | None:
        """Of a generator's images, the share that has one of these as near.

        Args:
            codes, features: of those, `(n, ...)`.
        Returns:
            None where that cannot be said.
        """
        nearest = _nearest(codes, features, self.codes, self.features)
        known = nearest[nearest.isfinite()]
        return None if self.limit is None or not len(known) else float((known <= self.limit).double().mean())

    def is_broken(self, share: float | None) -> bool:
        """Whether so small a share of ordinary images means that images are broken: less than half of what there is."""
        return share is not None and self.base is not None and share < MIN_ORDINARY * self.base


def ordinary_among_own(codes: Tensor, features: Tensor) -> Ordinary:
    """What is ordinary among the images of random codes `(N, num_coordinates)`, with features `(N, D)`."""
    nearest = _nearest(codes, features, codes, features)
    known = nearest[nearest.isfinite()]
    return Ordinary(codes, features, float(known.quantile(LEVEL)) if len(known) >= MIN_IMAGES else None)


def ordinary_among_real(features: Tensor) -> Ordinary:
    """What is ordinary among real images with features `(N, D)`, all different ones."""
    distances = torch.cdist(features, features).fill_diagonal_(torch.inf)
    is_enough = len(features) >= MIN_IMAGES
    return Ordinary(None, features, float(distances.min(dim=1).values.quantile(LEVEL)) if is_enough else None)


def variety(looks: Tensor, own: Tensor) -> float | None:
    """The variance of images, summed over their values, against that of others; None where there are too few to say.

    Args:
        looks: of images under a control, `(n, num_values)`.
        own: of images that are of the class by themselves.
    """
    if len(looks) < MIN_IMAGES or len(own) < MIN_IMAGES:
        return None
    whole = float(own.double().var(dim=0).sum())
    return float(looks.double().var(dim=0).sum()) / whole if whole > 0 else None


def _nearest(codes: Tensor, features: Tensor, other_codes: Tensor | None, others: Tensor) -> Tensor:
    """Each one's distance to the nearest of those that share no coordinate with it, `(n,)`; infinite where none is."""
    distances = torch.cdist(features, others)
    if other_codes is not None:
        shared = torch.zeros_like(distances, dtype=torch.bool)
        for coordinate in range(codes.shape[1]):
            shared |= codes[:, coordinate, None] == other_codes[None, :, coordinate]
        distances = distances.masked_fill(shared, torch.inf)
    return distances.min(dim=1).values
