"""`rpganify convert`: a generator becomes a random path generator on disk."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli.completion import names_of
from rpganify.cli.options import (
    ArgOption,
    ArgvOption,
    AuthorInitOption,
    BlocksOption,
    BucketsOption,
    ConstOption,
    ForceOption,
    FreezeNoiseOption,
    ImageOption,
    ImageShapeOption,
    InputOption,
    JsonOption,
    LatentOption,
    SeedOption,
    SourceArgument,
    WeightsOption,
)
from rpganify.entries import ReplicationEntry


class Norm(StrEnum):
    """Whether norm layers are shared by all paths."""

    SHARED = "shared"
    PER_BLOCK = "per-block"


def convert(
    source: SourceArgument,
    buckets: BucketsOption = None,
    blocks: BlocksOption = None,
    arg: ArgOption = None,
    argv: ArgvOption = None,
    author_init: AuthorInitOption = True,
    latent: LatentOption = None,
    inputs: InputOption = None,
    const: ConstOption = None,
    image: ImageOption = None,
    image_shape: ImageShapeOption = None,
    freeze_noise: FreezeNoiseOption = False,
    norm: Annotated[
        Norm, typer.Option("--norm", help="Norm layers: shared by all paths, or each block its own.")
    ] = Norm.SHARED,
    init: Annotated[
        str,
        typer.Option(
            "--init",
            metavar="NAME",
            help="How blocks are born: fresh (the author's initialisation), copy, jitter (noisy copies), …",
            autocompletion=names_of(ReplicationEntry),
        ),
    ] = "fresh",
    num_Z: Annotated[
        int,
        typer.Option(
            "--num-Z", metavar="NUMBER", help="Fixed inputs Z; several are the first bucket, and a path chooses one."
        ),
    ] = 1,
    weights: WeightsOption = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Take buckets and blocks from this plan.")
    ] = None,
    write_plan: Annotated[
        Path | None, typer.Option("--write-plan", metavar="FILE", help="Also write the plan as JSON.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="What to write; NAME.rpgan if left out.")
    ] = None,
    seed: SeedOption = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Convert and verify, but write nothing.")] = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Convert a generator, and verify the result.

    Prints the plan, how the result compares with the original, where it was written, and the next command.
    """
    from rpganify.cli.parsing import parse_blocks, parse_buckets

    if plan is not None and (buckets or blocks or num_Z != 1):
        raise typer.BadParameter(
            "It holds buckets and blocks; leave out --buckets, --blocks and --num-Z.", param_hint="--plan"
        )
    wanted_buckets, wanted_blocks = parse_buckets(buckets), parse_blocks(blocks)

    from rpganify.cli.console import say, show, show_json
    from rpganify.cli.files import check_is_free, read_plan, source_name, write_json
    from rpganify.cli.plan_table import plan_to_json, show_plan
    from rpganify.cli.sources import SourceOptions, choose_plan, describe_source, provenance_of
    from rpganify.cli.verification_text import verification_lines
    from rpganify.conversion.converting import convert_inspected
    from rpganify.conversion.graph_data import foreign_functions
    from rpganify.conversion.replication import find_replication
    from rpganify.data.display import is_picture
    from rpganify.modelfile import save_model

    options = SourceOptions(
        source,
        arguments=arg,
        argv=argv,
        is_initialised=author_init,
        latent=latent,
        inputs=inputs,
        constants=const,
        image=image,
        image_shape=image_shape,
        freezes_noise=freeze_noise,
        weights=weights,
        seed=seed,
    )
    find_replication(init)  # a wrong name is told before anything is built
    loaded = options.load()
    target = output or Path(f"{source_name(loaded.origin)}.rpgan")
    if not dry_run:
        for place in (target, write_plan):
            if place is not None:
                check_is_free(place, is_forced=force)
    given = read_plan(plan) if plan else None
    generator = options.build(loaded)
    inspection = options.inspect(generator)
    done = convert_inspected(
        generator,
        inspection,
        given
        or choose_plan(
            inspection,
            loaded,
            buckets=wanted_buckets,
            blocks=wanted_blocks,
            norm=norm.value,
            init=init,
            num_Z=num_Z,
        ),
        factory=loaded.build,
        seed=seed,
        provenance=provenance_of(loaded, weights),
    )
    made, layers = done.model.plan, done.model.blueprint.layers
    foreign = foreign_functions(done.model.blueprint)
    if foreign and loaded.kind == "file":
        told = {**done.model.blueprint.provenance, "source_path": loaded.origin}
        done.model.blueprint = dataclasses.replace(done.model.blueprint, provenance=told)
    if not dry_run:
        save_model(done.model, target, overwrite=force)
        if write_plan is not None:
            write_json(write_plan, made.to_json())
    if as_json:
        written = None if dry_run else str(target)
        proof = dataclasses.asdict(done.verification)
        show_json({"plan": plan_to_json(made, layers), "verification": proof, "written": written})
    else:
        show_plan(made, layers)
        for line in verification_lines(done.verification):
            show(line)
    for line in describe_source(loaded):
        say(line)
    for note in done.notes:
        say(f"note: {note}")
    if foreign:
        say(f"note: it calls {', '.join(foreign)}, code of its own source; opening the model needs --trust-source")
    if dry_run:
        say("dry run: nothing was written")
        return
    say(f"wrote {target}")
    data = "digits" if is_picture(done.model.image_shape) else "NAME"
    say(f"next: rpganify train {target} --data {data} --loss hinge --steps 500 -o runs/{target.stem}")
