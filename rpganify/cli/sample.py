"""`rpganify sample`: pictures, or sound, of random paths, of one path, or of one bucket's blocks."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from rpganify.cli.options import (
    ConditionOption,
    DeviceOption,
    JsonOption,
    ModelArgument,
    RawOption,
    SeedOption,
    TrustSourceOption,
)
from rpganify.cli.parsing import find_bucket

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from rpganify.paths import PathSpace

DEFAULT_NUM_IMAGES = 64


class Age(StrEnum):
    """Of a model that has grown, through which blocks random paths go."""

    OLD = "old"
    NEW = "new"


def sample(
    model: ModelArgument,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FILE", help="What to write: a picture, .wav for sound, .npy for numbers."
        ),
    ] = Path("grid.png"),
    num_images: Annotated[
        int | None, typer.Option("-n", min=1, metavar="NUMBER", help="How many images; 64 without --path and --vary.")
    ] = None,
    path: Annotated[
        str | None, typer.Option("--path", metavar="PATH", help="The image of this path, such as 3-17-0-22-5.")
    ] = None,
    vary: Annotated[
        str | None,
        typer.Option(
            "--vary", metavar="BUCKET", help="Every block of this bucket (number from 1, or name), all others frozen."
        ),
    ] = None,
    among: Annotated[
        Age | None,
        typer.Option(
            "--among", help="Of a model that has grown: random paths through old blocks only, or with a new one."
        ),
    ] = None,
    rate: Annotated[
        int | None,
        typer.Option(
            "--rate", min=1, metavar="HZ", help="Samples per second of a .wav; the training data's, or 16000."
        ),
    ] = None,
    condition: ConditionOption = None,
    seed: SeedOption = 0,
    raw: RawOption = False,
    trust_source: TrustSourceOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Draw images as one picture.

    Small images are enlarged by a whole number. Signals are drawn as curves; -o FILE.wav writes them as sound, one
    after the other, and -o FILE.npy writes the numbers of any output as they are. With --vary and no --path, the frozen
    buckets' blocks are random. --json prints the path of every image.
    """
    from rpganify.cli.sample_files import check_sample_path, write_samples

    check_sample_path(output)
    if rate is not None and output.suffix.lower() != ".wav":
        raise typer.BadParameter(f"{output} is no sound; --rate goes with -o FILE.wav.", param_hint="--rate")
    if num_images is not None and (path or vary):
        raise typer.BadParameter("-n counts random paths; leave it out with --path or --vary.", param_hint="-n")

    if among is not None and (path or vary):
        raise typer.BadParameter("It chooses random paths; leave it out with --path or --vary.", param_hint="--among")

    import torch

    from rpganify.analysis.analyzer import AnalysisContext, PathModel
    from rpganify.analysis.generation import ImageMaker, evaluating
    from rpganify.cli.choosing import choose_device
    from rpganify.cli.conditions import read_conditions
    from rpganify.cli.console import say, show_json
    from rpganify.cli.models import open_on_disk
    from rpganify.data.display import is_picture
    from rpganify.errors import PathError
    from rpganify.memory import keep_freed_memory
    from rpganify.routing.generator import RandomPathGenerator
    from rpganify.surgery.new_paths import sample_new_paths, sample_old_paths

    place = choose_device(device)
    if place.type == "cpu":
        keep_freed_memory()
    found = open_on_disk(model, trusts_source=trust_source, is_raw=raw)
    for line in found.told:
        say(line)
    opened = found.model
    opened.to(place)
    conditions = read_conditions(condition, opened.conditions)
    chance = torch.Generator().manual_seed(seed)
    labels: list[str] = []
    title = ""
    if isinstance(opened, RandomPathGenerator):
        if among is not None:
            draw = sample_old_paths if among is Age.OLD else sample_new_paths
            codes = draw(opened, num_images or DEFAULT_NUM_IMAGES, chance)
        else:
            codes, labels, title = _choose_paths(opened.paths, num_images, path, vary, chance)
        printed = [opened.paths.format(one) for one in codes]
    elif path or vary or among:
        raise PathError(
            f"{model} is a standard generator with a random latent, so it has no paths and buckets. "
            "Leave out --path, --vary and --among, or sample a converted model."
        )
    else:
        codes, printed = opened.draw(num_images or DEFAULT_NUM_IMAGES, chance), []
    context = AnalysisContext(seed=seed, conditions=conditions, device=place)
    with evaluating(opened, seed):
        maker = ImageMaker(cast(PathModel, opened), context)
        values = maker.values(codes)
    done = write_samples(values, output, labels, title, rate=rate, model=model)
    for note in (*(() if output.suffix.lower() == ".npy" else maker.notes()), *done):
        say(f"note: {note}")
    what = "image" if is_picture(tuple(values.shape[1:])) else "sample"
    say(f"wrote {output}: {len(values)} {what}{'s' if len(values) > 1 else ''}{f', {title}' if title else ''}")
    if as_json:
        show_json({"file": str(output), "num_images": len(values), "seed": seed, "paths": printed})


def _choose_paths(
    space: PathSpace, num_images: int | None, path: str | None, vary: str | None, chance: torch.Generator
) -> tuple[Tensor, list[str], str]:
    """The paths to show, a label for each, and the picture's title."""
    if path is None and vary is None:
        return space.sample(num_images or DEFAULT_NUM_IMAGES, generator=chance), [], ""
    base = space.parse(path) if path is not None else space.sample(1, generator=chance)[0]
    if vary is not None:
        bucket = find_bucket(space.bucket_names, vary)
        blocks = [str(int(block)) if i != bucket else "*" for i, block in enumerate(base)]
        title = f"bucket {bucket + 1} ({space.bucket_names[bucket]}), path {'-'.join(blocks)}"
        return space.vary(base, bucket), [str(block) for block in range(space.num_blocks[bucket])], title
    return base[None], [], f"path {space.format(base)}"
