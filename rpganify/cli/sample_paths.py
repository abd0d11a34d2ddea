"""Which paths `rpganify sample` shows, and what is written at them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import typer
from torch import Tensor

from rpganify.analysis.generation import ImageMaker
from rpganify.analysis.nearest import nearest_paths
from rpganify.analysis.opening import open_distance
from rpganify.cli.parsing import find_bucket, parse_bucket_range
from rpganify.cli.progress import ProgressTalk
from rpganify.cli.sample_options import Age, PathOptions
from rpganify.errors import PathError
from rpganify.paths import PathSpace
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.new_paths import sample_new_paths, sample_old_paths

DEFAULT_NUM_IMAGES = 64
DEFAULT_NUM_NEAREST = 15
DEFAULT_DISTANCE = "pixels"
# More mixtures than these are too many to look at, so their number is asked for.
MAX_MIXTURES = 64


@dataclass(frozen=True, slots=True)
class ChosenPaths:
    """Paths to show.

    Args:
        paths: int64 `(N, num_buckets)`.
        labels: one for each, or none at all.
        title: of the picture, or "".
        num_columns: of the picture; None for about as many as rows.
        told: lines for stdout.
        details: what JSON says beside the paths.
    """

    paths: Tensor
    labels: list[str] = field(default_factory=list)
    title: str = ""
    num_columns: int | None = None
    told: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


def choose_paths(
    model: RandomPathGenerator, options: PathOptions, maker: ImageMaker, chance: torch.Generator
) -> ChosenPaths:
    """The paths that the user asks for; without any wish random ones.

    Args:
        model: in eval mode.
        options: checked.
        maker: of the model's images, for neighbours.
        chance: of everything random.
    Raises:
        PathError: there is no such path, bucket or block.
        AnalysisError, RegistryError: the distance cannot be opened.
        typer.BadParameter: an option's value cannot be read.
    """
    space = model.paths
    num_random = options.num_images or DEFAULT_NUM_IMAGES
    if options.among is not None:
        draw = sample_old_paths if options.among is Age.OLD else sample_new_paths
        return ChosenPaths(draw(model, num_random, chance))
    if options.path is None and not options.kinds:
        return ChosenPaths(space.sample(num_random, generator=chance))
    base = space.parse(options.path) if options.path is not None else space.sample(1, generator=chance)[0]
    if options.vary is not None:
        return _varied(space, base, find_bucket(space.bucket_names, options.vary))
    if options.swap:
        return _swapped(space, base, options.swap)
    if options.walk is not None:
        return _walked(space, base, space.parse(options.walk))
    if options.mix is not None:
        return _mixed(space, base, space.parse(options.mix), options, chance)
    if options.nearest is not None:
        return _nearest(base, options, maker, chance)
    return ChosenPaths(base[None], title=f"path {space.format(base)}")


def _varied(space: PathSpace, base: Tensor, bucket: int) -> ChosenPaths:
    blocks = [str(int(block)) if i != bucket else "*" for i, block in enumerate(base)]
    title = f"bucket {bucket + 1} ({space.bucket_names[bucket]}), path {'-'.join(blocks)}"
    return ChosenPaths(space.vary(base, bucket), [str(block) for block in range(space.num_blocks[bucket])], title)


def _swapped(space: PathSpace, base: Tensor, typed: tuple[str, ...]) -> ChosenPaths:
    blocks: dict[int, int] = {}
    for name, text in _parse_swaps(typed):
        bucket = find_bucket(space.bucket_names, name)
        if bucket in blocks:
            raise typer.BadParameter(f"Bucket {name} is given two blocks.", param_hint="--swap")
        blocks[bucket] = int(text)
    path = space.swap(base, blocks)
    changes = ", ".join(
        f"bucket {bucket + 1} ({space.bucket_names[bucket]}) {int(base[bucket])} → {blocks[bucket]}"
        for bucket in sorted(blocks)
    )
    labels = [space.format(base), space.format(path)]
    return ChosenPaths(torch.stack([base, path]), labels, changes, num_columns=2)


def _parse_swaps(values: tuple[str, ...]) -> list[tuple[str, str]]:
    """`4=12` as `("4", "12")`, for each value.

    Raises:
        typer.BadParameter: it is not written so.
    """
    pairs = [value.rpartition("=") for value in values]
    for value, (name, _, block) in zip(values, pairs, strict=True):
        if not name.strip() or not block.strip().isdecimal():
            raise typer.BadParameter(f"{value!r} is not BUCKET=BLOCK, such as 4=12 or l1=7.", param_hint="--swap")
    return [(name.strip(), block.strip()) for name, _, block in pairs]


def _walked(space: PathSpace, start: Tensor, end: Tensor) -> ChosenPaths:
    steps = space.walk(start, end)
    labels = ["start"] + [
        f"{_bucket(space, step.bucket)}\n{step.block} → {step.path[step.bucket]}"
        for step in steps
        if step.bucket is not None
    ]
    changes = [
        {
            "bucket": step.bucket + 1,
            "name": space.bucket_names[step.bucket],
            "from": step.block,
            "to": path[step.bucket],
        }
        for step in steps
        if step.bucket is not None and (path := step.path)
    ]
    title = f"from {space.format(start)} to {space.format(end)}, a bucket at a time"
    paths = torch.tensor([step.path for step in steps])
    return ChosenPaths(paths, labels, title, len(steps), details={"changes": changes})


def _mixed(
    space: PathSpace, first: Tensor, second: Tensor, options: PathOptions, chance: torch.Generator
) -> ChosenPaths:
    one, other = space.format(first), space.format(second)
    num_columns = None
    if options.take is not None:
        taken = parse_bucket_range(options.take, space.bucket_names)
        paths = torch.stack([first, space.mix(first, second, taken), second])
        num_columns = 3
    elif options.num_images is not None:
        paths = space.mixtures(first, second, options.num_images, generator=chance)
    else:
        num_differing = int((first != second).sum())
        if 2**num_differing > MAX_MIXTURES:
            raise PathError(
                f"{one} and {other} differ in {num_differing} buckets, so they have {2**num_differing:,} mixtures. -n "
                f"{MAX_MIXTURES} draws so many of them; --take 1,3-5 names the buckets whose blocks come from {other}."
            )
        # Earlier buckets change from row to row, later ones from column to column.
        paths, num_columns = space.mixtures(first, second), 2 ** ((num_differing + 1) // 2)
    labels = [_origin(path, first, second) for path in paths]
    is_equal = bool((first == second).any())
    title = f"A {one}, B {other}: whose blocks, bucket by bucket{' (= both)' if is_equal else ''}"
    return ChosenPaths(paths, labels, title, num_columns, details={"blocks_of": labels})


def _origin(path: Tensor, first: Tensor, second: Tensor) -> str:
    """A letter for each bucket: `A` or `B` for the path that its block is of, `=` where both have it."""
    letters = []
    for block, one, other in zip(path.tolist(), first.tolist(), second.tolist(), strict=True):
        letters.append("=" if one == other else "A" if block == one else "B")
    return "".join(letters)


def _nearest(base: Tensor, options: PathOptions, maker: ImageMaker, chance: torch.Generator) -> ChosenPaths:
    assert options.nearest is not None
    num_searched, space = options.nearest, maker.model.paths
    name = options.distance or DEFAULT_DISTANCE
    distance = open_distance(name, maker.model.image_shape[0], maker.device)
    with ProgressTalk() as talk:
        found = nearest_paths(
            maker,
            base,
            distance,
            num_searched,
            options.num_images or DEFAULT_NUM_NEAREST,
            chance,
            lambda done, total: talk.update("images compared", done, total),
        )
    values = [f"{value:#.3g}" for value in found.distances.tolist()]
    how_many = f"{found.num_searched:,} {'random' if found.num_searched == num_searched else 'other'} paths"
    title = f"nearest to {space.format(base)} among {how_many}; {distance.title}"
    return ChosenPaths(
        torch.cat([base[None], found.paths]),
        [space.format(base), *values],
        title,
        told=tuple(f"{value}  {space.format(path)}" for value, path in zip(values, found.paths, strict=True)),
        details={
            "distance": name,
            "num_searched": found.num_searched,
            "distances": [0.0, *found.distances.tolist()],
        },
    )


def _bucket(space: PathSpace, bucket: int) -> str:
    """A bucket as a label names it: its number, and its name where that says more."""
    name = space.bucket_names[bucket]
    return f"bucket {bucket + 1}" if name == f"B{bucket + 1}" else f"{bucket + 1} {name}"
