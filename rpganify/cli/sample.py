"""`rpganify sample`: pictures, or sound, of random paths, or of what is made of one path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from rpganify.cli import sample_options as use
from rpganify.cli.controls import ControlOption, ControlsFileOption, check_controls, under_controls
from rpganify.cli.options import (
    ConditionOption,
    DeviceOption,
    JsonOption,
    ModelArgument,
    RawOption,
    SeedOption,
    TrustSourceOption,
)


def sample(
    model: ModelArgument,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FILE", help="What to write: a picture, .wav for sound, .npy for numbers."
        ),
    ] = Path("grid.png"),
    num_images: Annotated[
        int | None,
        typer.Option(
            "-n",
            min=1,
            metavar="NUMBER",
            help="How many random images; 64. Of --mix and --nearest, how many are shown.",
        ),
    ] = None,
    path: use.PathOption = None,
    vary: use.VaryOption = None,
    swap: use.SwapOption = None,
    walk: use.WalkOption = None,
    mix: use.MixOption = None,
    take: use.TakeOption = None,
    nearest: use.NearestOption = None,
    distance: use.DistanceOption = None,
    among: use.AmongOption = None,
    control: ControlOption = None,
    controls: ControlsFileOption = None,
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
    after the other, and -o FILE.npy writes the numbers of any output as they are. What is made of a path (--vary, --swap,
    --walk, --mix, --nearest) is made of a random one without --path. --json prints the path of every image.
    """
    from rpganify.cli.sample_files import check_sample_path, write_samples

    check_sample_path(output)
    if rate is not None and output.suffix.lower() != ".wav":
        raise typer.BadParameter(f"{output} is no sound; --rate goes with -o FILE.wav.", param_hint="--rate")
    wanted = use.PathOptions(num_images, path, vary, tuple(swap or ()), walk, mix, take, nearest, distance, among)
    wanted.check()
    raised = check_controls(control, controls, wanted.kinds)

    import torch

    from rpganify.analysis.analyzer import AnalysisContext, PathModel
    from rpganify.analysis.generation import ImageMaker, evaluating
    from rpganify.cli.choosing import choose_device
    from rpganify.cli.conditions import read_conditions
    from rpganify.cli.console import say, show, show_json
    from rpganify.cli.models import open_on_disk
    from rpganify.cli.sample_paths import DEFAULT_NUM_IMAGES, ChosenPaths, choose_paths
    from rpganify.data.display import is_picture
    from rpganify.errors import PathError
    from rpganify.memory import keep_freed_memory
    from rpganify.routing.generator import RandomPathGenerator

    place = choose_device(device)
    if place.type == "cpu":
        keep_freed_memory()
    found = open_on_disk(model, trusts_source=trust_source, is_raw=raw)
    for line in found.told:
        say(line)
    opened = found.model
    opened.to(place)
    context = AnalysisContext(seed=seed, conditions=read_conditions(condition, opened.conditions), device=place)
    chance = torch.Generator().manual_seed(seed)
    maker = ImageMaker(cast(PathModel, opened), context)
    with evaluating(opened, seed):
        if isinstance(opened, RandomPathGenerator):
            chosen = choose_paths(opened, wanted, maker, chance)
        elif wanted.is_given:
            raise PathError(
                f"{model} is a standard generator with a random latent, so it has no paths and buckets. "
                f"Leave out --path, {', '.join(wanted.kinds or ['--vary'])} and --among, or sample a converted model."
            )
        else:
            chosen = ChosenPaths(opened.draw(num_images or DEFAULT_NUM_IMAGES, chance))
        if raised:
            chosen = under_controls(chosen, raised, opened, model, controls)
        values = maker.values(chosen.paths)
    done = write_samples(
        values, output, chosen.labels, chosen.title, num_columns=chosen.num_columns, rate=rate, model=model
    )
    for note in (*(() if output.suffix.lower() == ".npy" else maker.notes()), *done):
        say(f"note: {note}")
    what = "image" if is_picture(tuple(values.shape[1:])) else "sample"
    title = f", {chosen.title}" if chosen.title else ""
    say(f"wrote {output}: {len(values)} {what}{'s' if len(values) > 1 else ''}{title}")
    if as_json:
        printed = [opened.paths.format(one) for one in chosen.paths] if isinstance(opened, RandomPathGenerator) else []
        show_json({"file": str(output), "num_images": len(values), "seed": seed, "paths": printed} | chosen.details)
    else:
        for line in chosen.told:
            show(line)
