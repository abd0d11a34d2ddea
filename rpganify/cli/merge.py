"""`rpganify merge`: consecutive linear buckets multiplied into one, verified, and timed before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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


def merge(
    model: ModelArgument,
    buckets: Annotated[
        str, typer.Option("--buckets", metavar="BUCKETS", help="Which ones, following each other: 3-5, or names.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The new model to write.")],
    blocks: Annotated[
        int | None,
        typer.Option(
            "--blocks", metavar="NUMBER", help="Products to make, of different random blocks, or with --most-used."
        ),
    ] = None,
    product: Annotated[
        list[str] | None,
        typer.Option("--product", metavar="BLOCKS", help="Multiply these blocks, one of each bucket: 3-17-0; repeat."),
    ] = None,
    most_used: Annotated[
        Path | None,
        typer.Option(
            "--most-used",
            metavar="FILE",
            help="Paths in use: what sample --json or invert --json printed, a .npy, or one per line. Multiplies the blocks "
            "that most of them go through.",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE", help="Also draw images of the same paths before and after (.png)."),
    ] = None,
    batches: Annotated[
        str, typer.Option("--batch", metavar="NUMBERS", help="Batch sizes at which speed is measured.")
    ] = "1,64,1024",
    rounds: Annotated[
        int, typer.Option("--rounds", min=0, metavar="NUMBER", help="Measurements of speed; 0 leaves them out.")
    ] = 20,
    condition: ConditionOption = None,
    seed: SeedOption = 0,
    raw: RawOption = False,
    trust_source: TrustSourceOption = False,
    device: DeviceOption = "auto",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Multiply linear buckets into one.

    Each block of the new bucket is the product, in float64, of one block of each old one, biases and batch norms included.
    Convolutions are multiplied where that is exact at the border too; a dense layer and convolutions behind it become one
    matrix. Prints how images differ from those of the same blocks before, and the time that an image takes before and
    after. Refuses what is not linear or not exact, and says what that is.
    """
    if picture is not None and picture.suffix.lower() != ".png":
        raise typer.BadParameter(f"{picture} must end in .png.", param_hint="--picture")

    from rpganify.cli.choosing import choose_device
    from rpganify.cli.conditions import read_conditions
    from rpganify.cli.console import say, show, show_json, show_table
    from rpganify.cli.files import check_is_free
    from rpganify.cli.merging import Merged
    from rpganify.cli.operations import open_converted, write_model
    from rpganify.cli.parsing import parse_bucket_range, parse_sizes
    from rpganify.cli.path_files import read_paths
    from rpganify.cli.plan_table import plan_to_json, show_plan
    from rpganify.paths import PathSpace
    from rpganify.surgery.merge import merge as merge_model

    sizes = parse_sizes(batches, "--batch") or []
    check_is_free(output, is_forced=force)
    place = choose_device(device)
    opened = open_converted(model, trusts_source=trust_source, is_raw=raw).to(place)
    conditions = read_conditions(condition, opened.conditions)
    chosen = parse_bucket_range(buckets, opened.paths.bucket_names)
    products = None
    if product:
        space = PathSpace(tuple(opened.plan.num_blocks[index] for index in chosen))
        products = [space.parse(text).tolist() for text in product]
    used = None if most_used is None else read_paths(most_used, opened.paths)
    made = merge_model(opened, chosen, blocks, products=products, most_used=used, seed=seed)
    merged = Merged(opened, made, conditions, seed)
    largest, scale = merged.difference()
    write_model(made, output, is_forced=force)
    if picture is not None:
        merged.draw(picture, used)
        say(f"wrote {picture}")
    speeds = [merged.speed(size, rounds) for size in sizes] if rounds else []
    num_after, num_before = merged.sizes()
    share = None if used is None else merged.covered_share(used)
    if as_json:
        show_json(
            {
                "plan": plan_to_json(made.plan, made.blueprint.layers),
                "layer": merged.kind(),
                "num_values": {"before": num_before, "after": num_after},
                "largest_difference": largest,
                "largest_value": scale,
                "covered_share": share,
                "speed": [dict(zip(("batch", "before_s", "after_s", "ratio"), row, strict=True)) for row in speeds],
                "written": str(output),
            }
        )
        return
    show_plan(made.plan, made.blueprint.layers)
    show(f"a product: {merged.kind()} of {num_after:,} values, for blocks of {num_before:,} together")
    if share is not None:
        show(f"paths in use: {share:.1%} of them go through the blocks that were multiplied, and are there still")
    show(
        f"verified: images differ from those of the same blocks before by at most {largest:.1e}, in values up to {scale:.1f}; "
        f"all products are computed in float64"
    )
    if speeds:
        show_table(
            [("batch", "right"), ("before, ms", "right"), ("after, ms", "right"), ("times as fast", "right")],
            [[str(size), f"{1e3 * a:.3f}", f"{1e3 * b:.3f}", f"{ratio:.2f}"] for size, a, b, ratio in speeds],
        )
        show(f"medians of {rounds} rounds on {place}, in turn, eval mode, random paths")
