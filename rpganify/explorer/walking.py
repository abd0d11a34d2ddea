"""From one path to another, one bucket at a time."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from rpganify.paths import PathSpace


@dataclass(frozen=True, slots=True)
class Step:
    """One path on the way.

    Args:
        path: the path that the step arrives at.
        bucket: the bucket that changed, from 0; None for the first path, where nothing has.
        block: the block that it left; None for the first path.
    """

    path: tuple[int, ...]
    bucket: int | None = None
    block: int | None = None


def walk(space: PathSpace, start: Tensor, end: Tensor, *, is_backward: bool = False) -> list[Step]:
    """The paths from `start` to `end`, each with one more bucket taken from `end`; buckets that agree are passed over.

    Args:
        space: of the model.
        start: the first path, `(num_buckets,)`.
        end: the last one.
        is_backward: change the last bucket first.
    Returns:
        `start`, and a step for each bucket in which the two differ; the last one's path is `end`.
    Raises:
        PathError: a path that is not of this space.
    """
    first, last = (tuple(space.check(path[None])[0].tolist()) for path in (start, end))
    steps = [Step(first)]
    path = list(first)
    for bucket in sorted(range(space.num_buckets), reverse=is_backward):
        if path[bucket] != last[bucket]:
            left, path[bucket] = path[bucket], last[bucket]
            steps.append(Step(tuple(path), bucket, left))
    return steps
