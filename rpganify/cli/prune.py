"""`rpganify prune`: a smaller model, without blocks that are dead, duplicates, or missed least."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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

if TYPE_CHECKING:
    from typing import Any

    from rpganify.analysis.pruning import Pruning
    from rpganify.routing.generator import RandomPathGenerator


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
    as_json: JsonOption = False,
) -> None:
    """Drop blocks from a model.

    Without --drop, --keep or --target-coverage: blocks that are dead, and duplicates by their effect on images. Tells what
    images of random paths lose, and what is won in size. Blocks that stay are numbered anew, in their order; the model
    keeps the old numbers (--mapping writes them).
    """
    from rpganify.analysis.analyzer import AnalysisContext
    from rpganify.analysis.pruning import choose_blocks, keep_of_each, min_paths_of
    from rpganify.cli.choosing import choose_device
    from rpganify.cli.conditions import read_conditions
    from rpganify.cli.console import say, show, show_json
    from rpganify.cli.files import check_is_free, write_json
    from rpganify.cli.operations import open_converted, write_model
    from rpganify.cli.parsing import parse_blocks, parse_drops
    from rpganify.errors import AnalysisError
    from rpganify.surgery.drop import drop_blocks, kept_blocks

    for place in (output, mapping):
        if place is not None:
            check_is_free(place, is_forced=force)
    if sum(wish is not None for wish in (drop or None, keep, target_coverage)) > 1:
        raise AnalysisError(
            "--drop, --keep and --target-coverage each say by themselves which blocks go. Give one of them."
        )
    place_of_model = choose_device(device)
    opened = open_converted(model, trusts_source=trust_source, is_raw=raw).to(place_of_model)
    named = parse_drops(drop, opened.paths.bucket_names)
    found = None
    if not named:
        found = choose_blocks(
            opened,
            keep=keep_of_each(opened, parse_blocks([keep] if keep else None)),
            min_paths=min_paths_of(target_coverage, data_size or _data_size(model)),
            context=AnalysisContext(
                seed=seed, device=place_of_model, conditions=read_conditions(condition, opened.conditions)
            ),
        )
    made = drop_blocks(opened, found.by_bucket if found is not None else named or {})
    write_model(made, output, is_forced=force)
    numbers = {bucket.name: kept for bucket, kept in zip(made.plan.buckets, kept_blocks(made), strict=True)}
    if mapping is not None:
        write_json(mapping, {"block of the model before, by new number": numbers})
        say(f"wrote {mapping}")
    if as_json:
        show_json(_as_json(opened, made, found, numbers))
        return
    if found is not None:
        _show_drops(found, opened)
    for line in _size_lines(opened, made):
        show(line)


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


def _show_drops(found: Pruning, opened: RandomPathGenerator) -> None:
    from rpganify.cli.console import show, show_table

    show_table(
        [
            ("bucket", "left"),
            ("block", "right"),
            ("dropped as", "left"),
            ("closest that stays", "right"),
            ("grey levels", "right"),
        ],
        [
            [opened.plan.buckets[d.bucket].name, str(d.block), d.reason, str(d.nearest), f"{d.distance:.2f}"]
            for d in found.drops
        ],
    )
    show(
        f"images: {found.changed_share:.0%} of random paths go through a dropped block; through the closest one instead, "
        f"images of random paths differ by {found.image_distance:.2f} grey levels (root mean square), independent paths by "
        f"{found.random_distance:.2f}"
    )


def _size_lines(before: RandomPathGenerator, after: RandomPathGenerator) -> list[str]:
    one, two = _num_values(before), _num_values(after)
    counts = (", ".join(str(m) for m in model.plan.num_blocks) for model in (before, after))
    return [
        "blocks: {} -> {}".format(*counts),
        f"paths: {before.paths.cardinality:,} -> {after.paths.cardinality:,}",
        f"size: {one:,} -> {two:,} values, {1 - two / one:.0%} less",
    ]


def _num_values(model: RandomPathGenerator) -> int:
    return sum(tensor.numel() for tensor in (*model.parameters(), *model.buffers()))


def _as_json(
    before: RandomPathGenerator, after: RandomPathGenerator, found: Pruning | None, numbers: dict[str, list[int]]
) -> dict[str, Any]:
    import dataclasses

    return {
        "num_blocks": {"before": list(before.plan.num_blocks), "after": list(after.plan.num_blocks)},
        "num_values": {"before": _num_values(before), "after": _num_values(after)},
        "kept": numbers,
        "cost": None if found is None else dataclasses.asdict(found),
    }
