"""`rpganify prune`: a smaller model, without blocks that are dead, duplicates, missed least, or of low quality."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli.analysis_options import DataOption, DataRootOption
from rpganify.cli.completion import names_of
from rpganify.cli.options import (
    ConditionOption,
    DeviceOption,
    ForceOption,
    JsonOption,
    ModelArgument,
    RawOption,
    SeedOption,
    TrustSourceOption,
)
from rpganify.entries import ExtractorEntry


def prune(
    model: ModelArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The new model to write.")],
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="BUCKET=BLOCKS", help="Drop these blocks: 2=0,3-5, or l1=7; repeat for more."),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option("--keep", metavar="NUMBERS", help="Keep so many blocks: one number for all buckets, or one each."),
    ] = None,
    target_coverage: Annotated[
        float | None,
        typer.Option(
            "--target-coverage",
            metavar="NUMBER",
            help="Drop blocks as long as there are so many paths for each training image.",
        ),
    ] = None,
    data_size: Annotated[
        int | None,
        typer.Option(
            "--data-size", metavar="NUMBER", help="Training images, for --target-coverage; a run knows its own."
        ),
    ] = None,
    low_quality: Annotated[
        bool,
        typer.Option(
            "--low-quality",
            help="Drop blocks without which images are nearer to real ones: beyond chance, or, with --keep, --target-coverage "
            "or --worst, always the worst. Needs --data and --extractor.",
        ),
    ] = False,
    worst: Annotated[
        int | None,
        typer.Option("--worst", metavar="NUMBER", help="With --low-quality: drop so many blocks, chance or not."),
    ] = None,
    keep_buckets: Annotated[
        bool,
        typer.Option(
            "--keep-buckets",
            help="A bucket that is left with one block stays one, and paths keep their length; else it becomes an ordinary "
            "layer.",
        ),
    ] = False,
    data: DataOption = None,
    data_root: DataRootOption = None,
    extractor: Annotated[
        str | None,
        typer.Option(
            "--extractor",
            metavar="NAME",
            help="With --data: what tells images apart, for --low-quality and for the quality before and after.",
            autocompletion=names_of(ExtractorEntry),
        ),
    ] = None,
    num_images: Annotated[
        int | None,
        typer.Option(
            "--num-images",
            min=1,
            metavar="NUMBER",
            help="Images that blocks are scored by, and in each set that quality is measured of; 1000.",
            show_default=False,
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", metavar="FILE", help="Also write which old block is which new one, as JSON."),
    ] = None,
    condition: ConditionOption = None,
    seed: SeedOption = 0,
    raw: RawOption = False,
    trust_source: TrustSourceOption = False,
    device: DeviceOption = "auto",
    force: ForceOption = False,
    is_json: JsonOption = False,
) -> None:
    """Drop blocks from a model.

    Without a wish: blocks that are dead, and duplicates by their effect on images. Tells what images of random paths lose,
    with --data and --extractor the quality before and after, and what is won in size. Blocks that stay are numbered anew,
    in their order; the model keeps the old numbers (--mapping writes them).
    """
    from rpganify.analysis.pruning.cost import measure_cost
    from rpganify.analysis.pruning.low_quality import QualityPruning, choose_low_quality
    from rpganify.analysis.pruning.redundancy import Pruning, choose_blocks
    from rpganify.analysis.pruning.wishes import keep_of_each, min_paths_of
    from rpganify.cli.choosing import choose_device
    from rpganify.cli.console import say, show_json
    from rpganify.cli.files import check_is_free, write_json
    from rpganify.cli.operations import open_converted, write_model
    from rpganify.cli.parsing import parse_blocks, parse_drops
    from rpganify.cli.progress import ProgressTalk
    from rpganify.cli.pruning import Measures, Sizes, as_json, show_cost, show_redundant, show_scores, show_sizes
    from rpganify.errors import AnalysisError
    from rpganify.modelfinding import find_model
    from rpganify.surgery.drop import drop_blocks, kept_blocks, ordinary_buckets

    for place in (output, mapping):
        if place is not None:
            check_is_free(place, is_forced=force)
    if sum(wish is not None for wish in (drop or None, keep, target_coverage, worst)) > 1:
        raise AnalysisError(
            "--drop, --keep, --target-coverage and --worst each say by themselves which blocks go, or how many. Give one of "
            "them."
        )
    if drop and low_quality:
        raise AnalysisError("--drop says which blocks go, and --low-quality asks for a choice. Give one of them.")
    if worst is not None and not low_quality:
        raise AnalysisError("The worst blocks are those of the lowest quality: --worst goes with --low-quality.")
    measures = Measures(data, data_root, extractor, num_images)
    measures.check(is_needed=low_quality)
    place_of_model = choose_device(device)
    opened = open_converted(model, trusts_source=trust_source, is_raw=raw).to(place_of_model)
    names = opened.paths.bucket_names
    named = parse_drops(drop, names)
    found: Pruning | QualityPruning | None = None
    with ProgressTalk() as talk:
        is_alone = low_quality or bool(named)
        context = measures.context(opened, condition, seed, place_of_model, talk, draws_labels=is_alone)
        if not named:
            kept = keep_of_each(opened, parse_blocks([keep] if keep else None))
            min_paths = min_paths_of(target_coverage, data_size or _data_size(model))
            if low_quality:
                found = choose_low_quality(opened, context, keep=kept, min_paths=min_paths, worst=worst)
            else:
                found = choose_blocks(opened, keep=kept, min_paths=min_paths, context=context)
        gone = found.by_bucket if found is not None else named or {}
        made = drop_blocks(opened, gone, keeps_buckets=keep_buckets)
        cost = measure_cost(opened, made, context) if data is not None else None
    write_model(made, output, is_forced=force)
    numbers = dict(zip(names, kept_blocks(made), strict=True))
    ordinary = [names[bucket] for bucket in ordinary_buckets(made)]
    if mapping is not None:
        told = {"block of the model before, by new number": numbers}
        write_json(mapping, {**told, "buckets that are ordinary layers now": ordinary} if ordinary else told)
        say(f"wrote {mapping}")
    sizes = (Sizes.of(opened, find_model(model, is_raw=raw).directory), Sizes.of(made, output))
    if is_json:
        show_json(as_json(*sizes, found, cost, numbers, ordinary))
        return
    if isinstance(found, Pruning):
        show_redundant(found, names)
    elif found is not None:
        show_scores(found, names, opened.plan.num_blocks)
    if cost is not None:
        show_cost(cost)
    show_sizes(*sizes, ordinary)


def _data_size(model: Path) -> int | None:
    """How many images a run was trained on, as its record says; None where it does not."""
    import re

    from rpganify.errors import RpganifyError
    from rpganify.training.run import RunDirectory, read_record

    try:
        told = read_record(RunDirectory(model)).facts.get("data", "")
    except RpganifyError:
        return None
    match = re.search(r", (\d+) images$", told)
    return int(match[1]) if match else None
