"""What responsibility consists of: each statistic with the shares of its variance that the buckets decide."""

from __future__ import annotations

from dataclasses import dataclass

from rpganify.analysis.responsibility.sobol import SobolIndices
from rpganify.analysis.responsibility.statistics import Statistic


@dataclass(frozen=True, slots=True)
class Share:
    """What the buckets decide of one statistic.

    Args:
        statistic: it, or the vector that it is a part of.
        part: which value of the vector, by its name; empty for the statistic itself.
        mean: over all paths; None for a vector, which has none in a number.
        indices: the shares of its variance.
    """

    statistic: Statistic
    part: str
    mean: float | None
    indices: SobolIndices

    @property
    def title(self) -> str:
        """What it is called in tables and sentences."""
        return self.part or self.statistic.title

    @property
    def is_constant(self) -> bool:
        """Whether it is the same on all images, so that there is no variance to share."""
        return self.indices.std == 0


@dataclass(frozen=True, slots=True)
class Responsibilities:
    """What was measured of a model.

    Args:
        shares: of every statistic, each vector followed by its named parts.
        num_rows: independent rows of Saltelli's scheme, or 0 if all paths were taken.
        num_images: that were made for it.
        repeat_difference: the largest difference, in grey levels, of images made twice of the same path.
    """

    shares: tuple[Share, ...]
    num_rows: int
    num_images: int
    repeat_difference: int

    @property
    def is_exact(self) -> bool:
        """Whether the images of all paths were taken, so that nothing is estimated."""
        return self.num_rows == 0

    @property
    def main(self) -> tuple[Share, ...]:
        """Of the statistics themselves, without parts."""
        return tuple(share for share in self.shares if not share.part)
