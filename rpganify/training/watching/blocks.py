"""Blocks that add nothing to their bucket: duplicates of others, and dead ones."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn

from rpganify.plan import BucketSpec
from rpganify.training.callbacks import Alarm
from rpganify.training.watching.block_samples import BlockSample, block_distances, gradient_by_block, sample_bucket
from rpganify.training.watching.latch import AlarmLatch

# Independent blocks are at a distance of 2 (`block_distances`): at a hundredth of that two are a tenth as far apart.
_ALIKE, _APART = 0.02, 0.08
# A block whose weights span so little of what the bucket's others do is as good as constant.
_FLAT = 1e-3
# A block counts as silent if chance would leave it undrawn for as long once in a million.
_UNDRAWN = 1e-6
_SILENT = 0.01
_SHOWN = 6


class DuplicateWatch:
    """Blocks that have become alike: closer than independent ones by far, and closer than they were at first.

    Blocks that were born alike, as copies, grow apart by training and are not told of.

    Args:
        latch: what has been said.
    """

    def __init__(self, latch: AlarmLatch) -> None:
        self._latch = latch
        self._first: dict[int, Tensor] = {}

    def forget(self) -> None:
        """Begin anew, with the distances of the next check as the first."""
        self._first.clear()

    def inspect(self, step: int, bucket_index: int, bucket: BucketSpec, samples: Sequence[BlockSample]) -> list[Alarm]:
        """The alarm, if blocks of this bucket have become alike since the last check.

        Args:
            step: that was done.
            bucket_index: from 0.
            bucket: the plan's.
            samples: of the bucket, at least one.
        """
        distances = block_distances(samples).cpu()
        distances.fill_diagonal_(math.inf)
        first = self._first.setdefault(bucket_index, distances)
        alike = (distances < _ALIKE) & (distances < first / 2)
        nearest = distances.amin(dim=1).tolist()
        partners = alike.any(dim=1).tolist()
        new = [
            block
            for block, is_alike in enumerate(partners)
            if self._latch.rises(("alike", bucket.name, block), is_bad=is_alike, is_clear=nearest[block] > _APART)
        ]
        if not new:
            return []
        groups = _groups(alike, new)
        share = math.sqrt(float(distances[alike].max()) / 2)
        message = (
            f"{title(bucket_index, bucket)}: blocks {'; '.join(groups)} have become alike: they differ by at most "
            f"{share:.1%} of what independent blocks do. Having all of them adds nothing. A larger --diversity-weight keeps "
            "blocks apart, and `rpganify prune` drops some."
        )
        return [Alarm(step, "duplicates", message)]


class DeadWatch:
    """Blocks that cannot do anything any more: weights that hold NaN or infinity, or are all but constant.

    Args:
        latch: what has been said.
    """

    def __init__(self, latch: AlarmLatch) -> None:
        self._latch = latch

    def inspect(self, step: int, bucket_index: int, bucket: BucketSpec, samples: Sequence[BlockSample]) -> list[Alarm]:
        """The alarms for blocks of this bucket that have died since the last check; arguments as of `DuplicateWatch`."""
        broken, flat = _broken_and_flat(samples)
        causes = ((broken, "hold NaN or infinity"), (flat, "are all but constant, while the other blocks' are not"))
        alarms = []
        for found, what in causes:
            new = [
                block
                for block, is_bad in enumerate(found.tolist())
                if self._latch.rises((what, bucket.name, block), is_bad=is_bad, is_clear=not is_bad)
            ]
            if new:
                message = (
                    f"{title(bucket_index, bucket)}: the weights of {_blocks(new)} {what}. Lower --generator-lr; "
                    "`rpganify prune` drops such blocks."
                )
                alarms.append(Alarm(step, "dead block", message))
        return alarms


class SilentWatch:
    """Blocks that the discriminator tells nothing, though they were drawn: no gradient but the diversity loss's.

    Args:
        latch: what has been said.
        batch_size: codes per step, in all processes together.
        diversity_weight: factor of the paper's diversity loss; 0 where there is none or another.
    """

    def __init__(self, latch: AlarmLatch, batch_size: int, diversity_weight: float) -> None:
        self._latch = latch
        self._batch_size = batch_size
        self._diversity_weight = diversity_weight
        self._loudest: dict[int, Tensor] = {}
        self._num_checks: dict[int, int] = {}

    def forget(self) -> None:
        """Begin anew."""
        self._loudest.clear()
        self._num_checks.clear()

    def inspect(
        self,
        step: int,
        bucket_index: int,
        bucket: BucketSpec,
        samples: Sequence[BlockSample],
        parameters: Sequence[nn.Parameter],
    ) -> list[Alarm]:
        """The alarm, if blocks of this bucket have been silent for long enough.

        Args:
            step: that was done.
            bucket_index: from 0.
            bucket: the plan's.
            samples: of the bucket, at least one.
            parameters: of the bucket, which are read as a whole before anything is said.
        """
        norms = gradient_by_block(samples, self._diversity_weight)
        if norms is None:
            return []
        before = self._loudest.pop(bucket_index, None)
        loudest = norms if before is None else torch.maximum(before, norms)
        num_checks = self._num_checks.pop(bucket_index, 0) + 1
        if num_checks < self.checks_needed(bucket.num_blocks):
            self._loudest[bucket_index], self._num_checks[bucket_index] = loudest, num_checks
            return []
        is_silent = _is_silent(loudest)
        if is_silent.any():
            whole = gradient_by_block(sample_bucket(parameters, None), self._diversity_weight)
            is_silent = is_silent if whole is None else is_silent & _is_silent(whole)
        new = [
            block
            for block, is_bad in enumerate(is_silent.tolist())
            if self._latch.rises(("silent", bucket.name, block), is_bad=is_bad, is_clear=not is_bad)
        ]
        if not new:
            return []
        num_draws = num_checks * self._batch_size / bucket.num_blocks
        message = (
            f"{title(bucket_index, bucket)}: {_blocks(new)} got no gradient in {num_checks} checks, in which a block is "
            f"drawn {num_draws:.0f} times on average: nothing that it does reaches the images. `rpganify prune` drops it."
        )
        return [Alarm(step, "dead block", message)]

    def checks_needed(self, num_blocks: int) -> int:
        """Checks after which a block that was never drawn would be one chance in a million, all blocks together."""
        if num_blocks == 1:
            return 1
        undrawn = self._batch_size * math.log1p(-1 / num_blocks)
        return math.ceil(math.log(_UNDRAWN / num_blocks) / undrawn)


def title(bucket_index: int, bucket: BucketSpec) -> str:
    """A bucket as people know it: `Bucket 2 (fc2)`."""
    return f"Bucket {bucket_index + 1} ({bucket.name})"


def _is_silent(norms: Tensor) -> Tensor:
    """Blocks with next to no gradient among others that have one."""
    return norms < _SILENT * norms.mean()


def _broken_and_flat(samples: Sequence[BlockSample]) -> tuple[Tensor, Tensor]:
    """Which blocks hold values that are not finite, and which have a matrix that is all but constant: bool, on the CPU.

    Vectors, such as biases that are born 0, and matrices that are constant in most blocks, do not count as flat.
    """
    num_blocks, device = len(samples[0].weights), samples[0].weights.device
    broken = torch.zeros(num_blocks, dtype=torch.bool, device=device)
    flat = torch.zeros(num_blocks, dtype=torch.bool, device=device)
    for sample in samples:
        low, high = torch.aminmax(sample.weights, dim=1)  # NaN is passed on
        span = high - low
        is_broken = ~torch.isfinite(span)
        broken |= is_broken
        if sample.is_matrix and num_blocks > 1:
            flat |= ~is_broken & (span < _FLAT * torch.where(is_broken, 0.0, span).median())
    return broken.cpu(), flat.cpu()


def _groups(alike: Tensor, blocks: Collection[int]) -> list[str]:
    """The blocks that are alike, in groups, as text: `3 = 7 = 11`; only groups in which a block is among `blocks`."""
    left, found = set(range(len(alike))), []
    for start in range(len(alike)):
        if start not in left:
            continue
        group, fresh = {start}, {start}
        while fresh:
            reached = {int(j) for i in fresh for j in alike[i].nonzero().flatten()}
            fresh = reached - group
            group |= fresh
        left -= group
        if len(group) > 1 and group & set(blocks):
            found.append(" = ".join(str(block) for block in sorted(group)))
    return found


def _blocks(blocks: Sequence[int]) -> str:
    """`block 3`, `blocks 3, 7 and 11`, or the first of many."""
    if len(blocks) == 1:
        return f"block {blocks[0]}"
    shown = [str(block) for block in blocks[:_SHOWN]]
    if len(blocks) > _SHOWN:
        return f"blocks {', '.join(shown)} and {len(blocks) - _SHOWN} more"
    return f"blocks {', '.join(shown[:-1])} and {shown[-1]}"
