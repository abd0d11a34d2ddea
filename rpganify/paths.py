"""The path space: all ways of choosing one block per bucket."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.errors import PathError

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


@dataclass(frozen=True, slots=True)
class PathStep:
    """One path on the way from one to another.

    Args:
        path: the path that the step arrives at.
        bucket: the bucket that changed, from 0; None for the first path, where nothing has.
        block: the block that it left; None for the first path.
    """

    path: tuple[int, ...]
    bucket: int | None = None
    block: int | None = None


@dataclass(frozen=True, slots=True)
class PathSpace:
    """All paths of a converted generator; the product of its buckets' blocks.

    Buckets count from 0 here; messages and printed tables count them from 1, as the paper does.

    Args:
        num_blocks: blocks of each bucket, in the order of the path's columns; all >= 1.
        bucket_names: one name per bucket, for messages; `B1`, `B2`, … if left out.
    Raises:
        PathError: no bucket, a bucket without blocks, or names that do not match in number.
    """

    num_blocks: tuple[int, ...]
    bucket_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.num_blocks or min(self.num_blocks) < 1:
            raise PathError(f"A path space needs at least one bucket and one block in each, got {self.num_blocks}.")
        if not self.bucket_names:
            object.__setattr__(self, "bucket_names", tuple(f"B{i + 1}" for i in range(len(self.num_blocks))))
        if len(self.bucket_names) != len(self.num_blocks):
            raise PathError(f"{len(self.bucket_names)} names for {len(self.num_blocks)} buckets.")

    @property
    def num_buckets(self) -> int:
        """Columns of a path."""
        return len(self.num_blocks)

    @property
    def cardinality(self) -> int:
        """Number of different paths, ∏ m_i; exact for any size."""
        return math.prod(self.num_blocks)

    def coverage(self, num_images: int) -> float:
        """Paths per training image, `cardinality / num_images`.

        Source: RPGAN, table 1 (40⁵ / 50 000 = 2048); its text swaps base and exponent.
        """
        if num_images < 1:
            raise PathError(f"Coverage is paths per image of a data set; {num_images} images make none.")
        return self.cardinality / num_images

    def sample(
        self,
        num_paths: int,
        *,
        generator: torch.Generator | None = None,
        freeze: Mapping[int, int] | None = None,
    ) -> Tensor:
        """Independent uniform paths, int64 `(num_paths, num_buckets)`, on the CPU.

        Args:
            num_paths: how many, >= 0.
            generator: a CPU generator; the same seed gives the same paths on every device.
            freeze: bucket index -> block that all drawn paths take there. The other columns are the
                same as they would be without it.
        """
        columns = [torch.randint(m, (num_paths,), generator=generator) for m in self.num_blocks]
        return self._frozen(torch.stack(columns, dim=1), freeze)

    def sample_equally(
        self,
        num_paths: int,
        *,
        generator: torch.Generator | None = None,
        freeze: Mapping[int, int] | None = None,
    ) -> Tensor:
        """Uniform paths in which every block of a bucket occurs equally often, int64 `(num_paths, num_buckets)`.

        Of m blocks each occurs `num_paths // m` or one more times; which ones do is random, and so is their order, in
        each bucket independently of the others. Each single path is a uniform one, as of `sample`; the paths of one
        call depend on one another.

        Args:
            num_paths, generator, freeze: as of `sample`.
        """
        columns = [_equal_column(m, num_paths, generator) for m in self.num_blocks]
        return self._frozen(torch.stack(columns, dim=1), freeze)

    def sample_distinct(self, num_paths: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Uniform paths of which no two are equal, in random order: int64 `(num_paths, num_buckets)`, on the CPU.

        Args:
            num_paths: how many, from 0 to all there are, which then are all of them.
            generator: as of `sample`.
        Raises:
            PathError: there are not as many.
        """
        if not 0 <= num_paths <= self.cardinality:
            raise PathError(
                f"There are {self.cardinality:,} different paths, and {num_paths:,} cannot be drawn of them."
            )
        chance = random.Random(int(torch.randint(2**62, (), generator=generator)))
        if self.cardinality < 2**62:
            return self._numbered(chance.sample(range(self.cardinality), num_paths))
        numbers: dict[int, None] = {}
        while len(numbers) < num_paths:  # in so large a space two are hardly ever equal
            numbers[chance.randrange(self.cardinality)] = None
        return self._numbered(list(numbers))

    def vary(self, path: Tensor | Sequence[int], bucket: int) -> Tensor:
        """Every block of one bucket, all others frozen at `path`: int64 `(num_blocks[bucket], num_buckets)`."""
        self._check_bucket(bucket)
        base = self._one(path)
        paths = base.repeat(self.num_blocks[bucket], 1)
        paths[:, bucket] = torch.arange(self.num_blocks[bucket])
        return paths

    def swap(self, path: Tensor | Sequence[int], blocks: Mapping[int, int]) -> Tensor:
        """The path with other blocks in some buckets, int64 `(num_buckets,)`.

        Args:
            path: `(num_buckets,)`.
            blocks: bucket index -> its new block.
        Raises:
            PathError: there is no such bucket, or no such block in it.
        """
        return self._frozen(self._one(path)[None].clone(), blocks)[0]

    def mix(self, first: Tensor | Sequence[int], second: Tensor | Sequence[int], buckets: Sequence[int]) -> Tensor:
        """The path with the blocks of `second` in some buckets and those of `first` in all others: `(num_buckets,)`.

        Raises:
            PathError: a path is not of this space, or there is no such bucket.
        """
        other = self._one(second)
        for bucket in buckets:
            self._check_bucket(bucket)
        return self.swap(first, {bucket: int(other[bucket]) for bucket in buckets})

    def mixtures(
        self,
        first: Tensor | Sequence[int],
        second: Tensor | Sequence[int],
        num_paths: int | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Different paths that take each bucket's block from one of two paths, int64 `(num_paths, num_buckets)`.

        Args:
            first, second: `(num_buckets,)`.
            num_paths: how many, at random; None gives all `2**d` where the two differ in d buckets, `first` first, those
                that take the last bucket from `second` behind those that do not, and so on up to the first bucket.
            generator: of the choice.
        Raises:
            PathError: a path is not of this space, or there are fewer mixtures than that.
        """
        one, other = self._one(first), self._one(second)
        differing = (one != other).nonzero()[:, 0]  # (d,)
        if not len(differing):
            raise PathError(f"Both paths are {self.format(one)}, so there is nothing to mix.")
        masks = PathSpace((2,) * len(differing))
        if num_paths is None:
            chosen = masks._numbered(range(masks.cardinality))
        elif num_paths > masks.cardinality:
            raise PathError(
                f"{self.format(one)} and {self.format(other)} differ in {len(differing)} buckets, so they have "
                f"{masks.cardinality:,} mixtures, themselves among them; {num_paths:,} cannot be drawn."
            )
        else:
            chosen = masks.sample_distinct(num_paths, generator=generator)
        paths = one.repeat(len(chosen), 1)
        paths[:, differing] = torch.where(chosen.bool(), other[differing], one[differing])
        return paths

    def walk(
        self, start: Tensor | Sequence[int], end: Tensor | Sequence[int], *, is_backward: bool = False
    ) -> list[PathStep]:
        """The paths from `start` to `end`, each with one more bucket taken from `end`; buckets that agree are passed over.

        Args:
            start: the first path, `(num_buckets,)`.
            end: the last one.
            is_backward: change the last bucket first.
        Returns:
            `start`, and a step for each bucket in which the two differ; the last one's path is `end`.
        Raises:
            PathError: a path that is not of this space.
        """
        first, last = (tuple(self._one(path).tolist()) for path in (start, end))
        steps, path = [PathStep(first)], list(first)
        for bucket in sorted(range(self.num_buckets), reverse=is_backward):
            if path[bucket] != last[bucket]:
                left, path[bucket] = path[bucket], last[bucket]
                steps.append(PathStep(tuple(path), bucket, left))
        return steps

    def check(self, paths: Tensor) -> Tensor:
        """`paths` as int64 `(N, num_buckets)` if every block exists.

        Raises:
            PathError: wrong shape or type, or a block outside its bucket.
        """
        if paths.dim() != 2 or paths.shape[1] != self.num_buckets or paths.dtype not in _INTEGERS:
            raise PathError(
                f"Paths are integers of shape (N, {self.num_buckets}), one block per bucket; "
                f"got {paths.dtype} {tuple(paths.shape)}. `rp.paths.sample(64)` draws some."
            )
        paths = paths.long()
        limits = torch.tensor(self.num_blocks, device=paths.device)
        outside = (paths < 0) | (paths >= limits)
        if outside.any():
            row, bucket = (int(i) for i in outside.nonzero()[0])
            self._check_block(bucket, int(paths[row, bucket]))
        return paths

    def parse(self, text: str) -> Tensor:
        """The path printed as `text`, e.g. `3-17-0-22-5`: int64 `(num_buckets,)`."""
        parts = text.strip().split("-")
        if not all(part.isascii() and part.isdigit() for part in parts) or len(parts) != self.num_buckets:
            example = self.format(torch.tensor([m - 1 for m in self.num_blocks]))
            raise PathError(
                f"{text!r} is no path of this model: it has {self.num_buckets} buckets, so a path is "
                f"{self.num_buckets} block numbers joined by '-', up to {example}."
            )
        return self.check(torch.tensor([[int(part) for part in parts]]))[0]

    def format(self, path: Tensor | Sequence[int]) -> str:
        """A path as people write it: block numbers from 0, joined by '-'."""
        return "-".join(str(int(block)) for block in path)

    def _one(self, path: Tensor | Sequence[int]) -> Tensor:
        """A single path, checked: int64 `(num_buckets,)`."""
        return self.check(torch.as_tensor(path)[None])[0]

    def _numbered(self, numbers: Sequence[int]) -> Tensor:
        """The paths of these numbers, counted from 0 as the digits of a number are, the last bucket the fastest."""
        columns = []
        for num_blocks in reversed(self.num_blocks):
            columns.append(torch.tensor([number % num_blocks for number in numbers], dtype=torch.int64))
            numbers = [number // num_blocks for number in numbers]
        return torch.stack(columns[::-1], dim=1)

    def _frozen(self, paths: Tensor, freeze: Mapping[int, int] | None) -> Tensor:
        """The paths, some buckets' columns overwritten by one block each."""
        for bucket, block in (freeze or {}).items():
            self._check_bucket(bucket)
            self._check_block(bucket, block)
            paths[:, bucket] = block
        return paths

    def _check_bucket(self, bucket: int) -> None:
        if not 0 <= bucket < self.num_buckets:
            raise PathError(f"There is no bucket {bucket + 1}: this model has buckets 1 to {self.num_buckets}.")

    def _check_block(self, bucket: int, block: int) -> None:
        if not 0 <= block < self.num_blocks[bucket]:
            raise PathError(
                f"Bucket {bucket + 1} ({self.bucket_names[bucket]}) has blocks 0 to "
                f"{self.num_blocks[bucket] - 1}; there is no block {block}."
            )


def _equal_column(num_blocks: int, num_paths: int, generator: torch.Generator | None) -> Tensor:
    """Every block `num_paths // num_blocks` times and some once more, in random order: int64 `(num_paths,)`."""
    whole = torch.arange(num_blocks).repeat(num_paths // num_blocks)
    rest = torch.randperm(num_blocks, generator=generator)[: num_paths % num_blocks]
    return torch.cat([whole, rest])[torch.randperm(num_paths, generator=generator)]
