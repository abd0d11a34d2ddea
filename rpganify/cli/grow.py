"""`rpganify grow`: more blocks for a trained model, whose old paths keep their images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli.completion import names_of
from rpganify.cli.options import (
    ArgOption,
    ForceOption,
    JsonOption,
    ModelArgument,
    RawOption,
    SeedOption,
    TrustSourceOption,
)
from rpganify.entries import ReplicationEntry


def grow(
    model: ModelArgument,
    add: Annotated[
        str, typer.Option("--add", metavar="NUMBERS", help="New blocks of each bucket, parted by commas: 5,5,0,0.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The new model to write.")],
    init: Annotated[
        str,
        typer.Option(
            "--init",
            metavar="NAME",
            help="How new blocks are born: fresh (the author's initialisation), copy, jitter (noisy copies), …",
            autocompletion=names_of(ReplicationEntry),
        ),
    ] = "fresh",
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="SOURCE",
            help="What builds the generator anew for fresh blocks; a registered architecture is known already.",
        ),
    ] = None,
    arg: ArgOption = None,
    seed: SeedOption = 0,
    raw: RawOption = False,
    trust_source: TrustSourceOption = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add blocks to a model.

    The old blocks come first, so old paths keep their numbers and, verified here, their images. `rpganify train DIR
    --only-new` then trains the new ones alone; `rpganify prune --drop` takes blocks away again.
    """
    from rpganify.cli.parsing import parse_counts

    added = parse_counts(add, "--add", "5,5,0,0")

    import torch

    from rpganify.cli.console import say, show, show_json
    from rpganify.cli.files import check_is_free
    from rpganify.cli.operations import NUM_COMPARED, find_factory, largest_difference, open_converted, write_model
    from rpganify.cli.plan_table import plan_to_json, show_plan
    from rpganify.conversion.replication import find_replication
    from rpganify.surgery.grow import check_growth
    from rpganify.surgery.grow import grow as grow_model

    check_is_free(output, is_forced=force)
    builds_anew = find_replication(init).entry.builds_anew  # a wrong name is told before anything is opened
    opened = open_converted(model, trusts_source=trust_source, is_raw=raw)
    check_growth(opened, added)
    factory = find_factory(opened, source, arg) if builds_anew else None
    if builds_anew and factory is None:
        say(
            "note: nothing tells how this generator is built, so fresh blocks hold an old block's values in a random order; "
            "--source my_gan.py:Generator builds it anew"
        )
    made = grow_model(opened, added, init=init, factory=factory, seed=seed, data=_trained_on(model))
    paths = opened.paths.sample(NUM_COMPARED, generator=torch.Generator().manual_seed(seed))
    difference = None if opened.conditions else largest_difference(opened.images, made.images, paths)
    write_model(made, output, is_forced=force)
    if as_json:
        plan = plan_to_json(made.plan, made.blueprint.layers)
        show_json({"plan": plan, "added": added, "old_paths_difference": difference, "written": str(output)})
    else:
        show_plan(made.plan, made.blueprint.layers)
        show(
            f"new paths: {made.paths.cardinality - opened.paths.cardinality:,}, old ones: {opened.paths.cardinality:,}"
        )
        if difference is not None:
            how = "are bit for bit as they were" if difference == 0 else f"differ by up to {difference:.1e}"
            show(f"verified: in eval mode the images of {len(paths)} old paths {how}")
    rival = f" --discriminator-from {model}" if (model / "checkpoints").is_dir() else ""
    say(f"next: rpganify train {output} --data NAME --only-new{rival} -o runs/{output.stem}")


def _trained_on(model: Path) -> str:
    """Name of the data set of the run that a folder is, or is a checkpoint of; empty if it is none."""
    from rpganify.errors import TrainingError
    from rpganify.training.run import RunDirectory, read_record

    for folder in (model, model.resolve().parent.parent, model.resolve().parent.parent.parent):
        run = RunDirectory(folder)
        if run.config.is_file() and run.checkpoints.is_dir():
            try:
                return read_record(run).provenance.get("data", "")
            except TrainingError:  # of another version; the model is what it is
                return ""
    return ""
