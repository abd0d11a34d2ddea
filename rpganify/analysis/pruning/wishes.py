"""How many blocks are to be left: what users ask for, and what cannot be done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rpganify.errors import AnalysisError, PlanError
from rpganify.routing.generator import RandomPathGenerator


def keep_of_each(model: RandomPathGenerator, keep: int | Sequence[int] | None) -> list[int] | None:
    """How many blocks each bucket keeps; one number for all is at most what a bucket has."""
    if isinstance(keep, int):
        return [min(keep, m) for m in model.plan.num_blocks]
    return None if keep is None else list(keep)


def min_paths_of(target_coverage: float | None, num_images: int | None) -> int | None:
    """The number of paths that a coverage of a data set asks for.

    Raises:
        AnalysisError: there is no telling the size of the data set, or the coverage is not above 0.
    """
    if target_coverage is None:
        return None
    if num_images is None or num_images < 1 or not target_coverage > 0:
        raise AnalysisError(
            f"A coverage of {target_coverage:g} is paths per training image, of {num_images} images. Give a number above 0, "
            "and how many images the data set has (--data-size 60000)."
        )
    return max(1, round(target_coverage * num_images))


def check_one_wish(keep: Sequence[int] | None = None, min_paths: int | None = None, worst: int | None = None) -> None:
    """Refuses more than one way to say how many blocks go.

    Raises:
        AnalysisError: there are several.
    """
    if sum(wish is not None for wish in (keep, min_paths, worst)) > 1:
        raise AnalysisError(
            "Blocks are dropped down to a number for each bucket, to a coverage, or a number of the worst; not more than one "
            "of these. Leave the others out."
        )


def check_keep(model: RandomPathGenerator, keep: Sequence[int]) -> None:
    """Refuses numbers of blocks that buckets cannot keep.

    Raises:
        PlanError: not one for each bucket, more than it has, or none.
    """
    names = ", ".join(f"{bucket.name} × {bucket.num_blocks}" for bucket in model.plan.buckets)
    if len(keep) != model.plan.num_buckets:
        raise PlanError(
            f"{len(keep)} numbers of blocks to keep for {model.plan.num_buckets} buckets ({names}). Give one for all, or one "
            "each."
        )
    for index, (bucket, number) in enumerate(zip(model.plan.buckets, keep, strict=True), 1):
        if not 1 <= number <= bucket.num_blocks:
            raise PlanError(
                f"Bucket {index} ({bucket.name}) has {bucket.num_blocks} blocks and cannot keep {number}: every path goes "
                f"through one block of each bucket. Give a number from 1 to {bucket.num_blocks}."
            )


def no_drop_error(keep: Sequence[int] | None, min_paths: int | None, otherwise: str) -> AnalysisError:
    """What to say where nothing is to be dropped.

    Args:
        keep, min_paths: what was asked for.
        otherwise: why nothing is to go where nothing was asked for.
    """
    if keep is not None:
        why = "every bucket has no more blocks than it is to keep."
    elif min_paths is not None:
        why = f"one block less in any bucket would leave fewer than {min_paths:,} paths."
    else:
        why = otherwise
    return AnalysisError(
        f"There is nothing to drop: {why} `--keep NUMBERS` or `--drop BUCKET=BLOCKS` says what is to go all the same."
    )


def by_bucket(drops: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """Buckets and blocks as bucket -> its blocks, in rising order."""
    found: dict[int, list[int]] = {}
    for bucket, block in drops:
        found.setdefault(bucket, []).append(block)
    return {bucket: sorted(blocks) for bucket, blocks in sorted(found.items())}
