"""What the blocks of a bucket do to images: all of them under the same settings of the other buckets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.bootstrap import Estimate, interval, resample
from rpganify.analysis.generation import ImageMaker
from rpganify.analysis.responsibility.decomposition import measured
from rpganify.analysis.responsibility.statistics import Statistic


@dataclass(frozen=True, slots=True)
class Effects:
    """How one statistic moves with a bucket's blocks.

    Args:
        title: of the statistic, or of the part of a vector.
        unit: of it; empty for a pure number.
        std: of the statistic over all images that were made with this bucket's blocks.
        blocks: of each block, the mean over contexts of its value less the mean over all blocks in that context.
    """

    title: str
    unit: str
    std: float
    blocks: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class BucketEffects:
    """What was measured of one bucket's blocks.

    Args:
        bucket: its index.
        contexts: the paths in whose other buckets the blocks were put, int64 `(P, num_buckets)`.
        effects: of each statistic that is one number, and of each named part of a vector.
        distances: of each two blocks, the root of the mean squared difference of their images under the same context, in
            grey levels: float64 `(m, m)`.
        spreads: of each block, the same between two of its images under different contexts, `(m,)`.
        strip: its images under the first contexts, uint8 `(m, S, C, H, W)`.
    """

    bucket: int
    contexts: Tensor
    effects: tuple[Effects, ...]
    distances: Tensor
    spreads: Tensor
    strip: Tensor

    @property
    def num_blocks(self) -> int:
        """How many blocks the bucket has."""
        return len(self.distances)


def measure_blocks(
    rp: PathModel,
    maker: ImageMaker,
    context: AnalysisContext,
    statistics: tuple[Statistic, ...],
    bucket: int,
    contexts: Tensor,
    num_shown: int,
    progress: Callable[[int], None],
) -> BucketEffects:
    """Images of all blocks of a bucket under the same contexts, and what follows from them.

    Args:
        rp: the model, in eval mode.
        maker: makes its images.
        context: its seed is that of the resamples.
        statistics: what is measured of each image.
        bucket: of at least two blocks.
        contexts: `(P, num_buckets)`, P >= 2.
        num_shown: contexts of which the images are kept.
        progress: called with the number of images done so far.
    """
    m, count = rp.paths.num_blocks[bucket], len(contexts)
    num_values = int(torch.tensor(rp.image_shape).prod())
    values: dict[str, list[Tensor]] = {statistic.key: [] for statistic in statistics}
    squares = torch.zeros(m, m, dtype=torch.float64)
    total, total_square = torch.zeros(m, num_values, dtype=torch.float64), torch.zeros(m, dtype=torch.float64)
    kept = []
    step = max(1, maker.batch_size // m)  # contexts at once: a network measures batches that are worth its while
    for start in range(0, count, step):
        paths = contexts[start : start + step, None].repeat(1, m, 1)
        paths[:, :, bucket] = torch.arange(m)
        images = maker(paths.flatten(0, 1))
        for statistic in statistics:
            values[statistic.key].append(measured(statistic, images).reshape(len(paths), m, -1))
        for of_context in images.reshape(len(paths), m, num_values).double():
            squares += torch.cdist(of_context, of_context, compute_mode="donot_use_mm_for_euclid_dist").square()
            total += of_context
            total_square += of_context.square().sum(dim=1)
        kept.append(images.reshape(len(paths), m, *rp.image_shape)[: max(0, num_shown - start)])
        progress(min(start + step, count) * m)
    # Twice the variance over contexts, the mean over pixels: the mean squared difference of two different contexts.
    variance = (total_square - total.square().sum(dim=1) / count) / (count - 1) / num_values
    chance = torch.Generator().manual_seed(context.seed)
    return BucketEffects(
        bucket=bucket,
        contexts=contexts,
        effects=tuple(_effects(statistics, values, chance)),
        distances=(squares / count / num_values).sqrt(),
        spreads=(2 * variance.clamp_min(0)).sqrt(),
        strip=torch.cat(kept).transpose(0, 1),
    )


def _effects(
    statistics: tuple[Statistic, ...], values: dict[str, list[Tensor]], chance: torch.Generator
) -> list[Effects]:
    found = []
    for statistic in statistics:
        of_all = torch.cat(values[statistic.key])  # (P, m, d)
        if of_all.shape[-1] == 1:
            found.append(_effects_of(statistic.title, statistic.unit, of_all[..., 0], chance))
        for index, part in enumerate(statistic.parts):
            found.append(_effects_of(part, statistic.unit, of_all[..., index], chance))
    return found


def _effects_of(title: str, unit: str, values: Tensor, chance: torch.Generator) -> Effects:
    """Of one number, `(P, m)`."""
    rows = values - values.mean(dim=1, keepdim=True)  # what a context does to all blocks alike says nothing of a block
    estimates = interval(rows.mean(dim=0), resample(rows, chance))
    blocks = tuple(estimate for estimate in estimates if estimate is not None)
    assert len(blocks) == values.shape[1]
    return Effects(title, unit, float(values.std(correction=0)), blocks)
