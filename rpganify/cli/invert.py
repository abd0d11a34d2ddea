"""`rpganify invert`: the paths whose images are nearest to given ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from rpganify.cli.completion import names_of
from rpganify.cli.options import (
    ConditionOption,
    DeviceOption,
    JsonOption,
    ModelArgument,
    RawOption,
    SeedOption,
    TrustSourceOption,
)
from rpganify.entries import DistanceEntry

DEFAULT_SAMPLES = 10_000


def invert(
    model: ModelArgument,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Picture files.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="A picture (.png): the images, and what their paths make."),
    ] = None,
    distance: Annotated[
        str,
        typer.Option(
            "--distance",
            metavar="NAME[:ARGUMENT]",
            help="What makes two images near: pixels, ssim, lpips:FILE, semantic:EXTRACTOR, …",
            autocompletion=names_of(DistanceEntry),
        ),
    ] = "pixels",
    num_samples: Annotated[
        int,
        typer.Option(
            "--samples",
            min=0,
            metavar="NUMBER",
            help="Of the model's own images, to train the block predictor on; 0 searches from random paths instead.",
        ),
    ] = DEFAULT_SAMPLES,
    predictor: Annotated[
        Path | None,
        typer.Option(
            "--predictor", metavar="FILE", help="Where the trained predictor is kept (.safetensors), for the next time."
        ),
    ] = None,
    num_starts: Annotated[
        int, typer.Option("--starts", min=1, metavar="NUMBER", help="Paths that the search of each image starts at.")
    ] = 4,
    beam: Annotated[
        int,
        typer.Option(
            "--beam", min=1, metavar="NUMBER", help="Paths that it keeps: more find better ones, and take longer."
        ),
    ] = 8,
    tuning_steps: Annotated[
        int,
        typer.Option(
            "--tune-z",
            min=0,
            metavar="STEPS",
            help="Also tune the fixed input to each image; the model stays as it is.",
        ),
    ] = 0,
    latents: Annotated[
        Path | None,
        typer.Option("--latents", metavar="FILE", help="Write the tuned inputs: 'z' in a .safetensors file."),
    ] = None,
    condition: ConditionOption = None,
    seed: SeedOption = 0,
    trust_source: TrustSourceOption = False,
    raw: RawOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Find the path that makes an image, or one most like it.

    A predictor, trained on the model's own images, names a block of each bucket; from there the blocks of one bucket
    after another are tried. Images of another size are cropped around the centre and resized. Each path is one that
    `rpganify sample --path` takes.
    """
    if output is not None and output.suffix.lower() != ".png":
        raise typer.BadParameter(f"{output} must end in .png.", param_hint="--output")
    if latents is not None and (not tuning_steps or latents.suffix != ".safetensors"):
        raise typer.BadParameter("It is a .safetensors file, and goes with --tune-z STEPS.", param_hint="--latents")
    if predictor is not None and not num_samples:
        raise typer.BadParameter("Without --samples there is no predictor to keep.", param_hint="--predictor")

    import torch

    from rpganify.analysis.analyzer import AnalysisContext, require_paths
    from rpganify.analysis.generation import ImageMaker, evaluating
    from rpganify.analysis.inversion.inverting import invert as find_paths
    from rpganify.analysis.inversion.latent_tuning import tune_latents
    from rpganify.analysis.opening import open_distance
    from rpganify.cli.choosing import choose_device
    from rpganify.cli.conditions import read_conditions
    from rpganify.cli.console import Side, say, show_json, show_table
    from rpganify.cli.inverting import (
        choose_predictor,
        describe_found,
        format_value,
        read_images,
        side_of,
        write_latents,
        write_picture,
    )
    from rpganify.cli.models import open_on_disk
    from rpganify.cli.progress import ProgressTalk
    from rpganify.memory import keep_freed_memory
    from rpganify.routing.generator import RandomPathGenerator

    place = choose_device(device)
    if place.type == "cpu":
        keep_freed_memory()
    named = open_on_disk(model, trusts_source=trust_source, is_raw=raw)
    for line in named.told:
        say(line)
    opened = named.model
    rp = require_paths(opened, "invert")
    wanted = read_images(images, rp.image_shape)
    opened.to(place)
    context = AnalysisContext(seed=seed, conditions=read_conditions(condition, opened.conditions), device=place)
    near = open_distance(distance, rp.image_shape[0], place)
    with evaluating(opened, seed), ProgressTalk() as talk:
        maker = ImageMaker(rp, context)
        chance = torch.Generator().manual_seed(seed)
        chosen = choose_predictor(maker, num_samples, predictor, chance, talk.update) if num_samples else None
        found = find_paths(
            *(maker, rp.paths, wanted, chosen, near, chance),
            num_starts=num_starts,
            beam=beam,
            progress=lambda done, total: talk.update("paths", done, total),
        )
        rows = [("Image", "as given", wanted)]
        rows += [("Prediction", "one look", maker(found.predicted))] if chosen is not None else []
        rows.append(("Search", "nearest path found", maker(found.found)))
        tuned = None
        if tuning_steps:
            given = (context.conditions, tuning_steps, lambda done: talk.update("tuning of Z", done, tuning_steps))
            tuned = tune_latents(cast(RandomPathGenerator, opened), found.found, wanted, *given)
            rows.append(("With its own Z", "no path of the model", tuned.images))
    paths = [rp.paths.format(path) for path in found.found]
    if output is not None:
        write_picture(output, rows, paths)
    if latents is not None and tuned is not None:
        write_latents(latents, tuned.latents)
    told = describe_found(images, found, tuned, rp.paths, is_predicted=chosen is not None)
    if as_json:
        show_json({"distance": near.title, "seed": seed, "images": told})
    else:
        sides: list[tuple[str, Side]] = [(name, side_of(value)) for name, value in told[0].items()]
        show_table(sides, [[format_value(value) for value in one.values()] for one in told])
    for file in (output, latents):
        if file is not None:
            say(f"wrote {file}")
    say(f"next: rpganify sample {model} --path {paths[0]}{' --raw' if raw else ''} -o image.png")
