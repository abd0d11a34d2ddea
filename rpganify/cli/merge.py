"""`rpganify merge`: consecutive linear buckets multiplied into one, verified, and timed before and after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rpganify.cli.options import (
    DeviceOption,
    ForceOption,
    JsonOption,
    ModelArgument,
    RawOption,
    SeedOption,
    TrustSourceOption,
)

if TYPE_CHECKING:
    import torch

    from rpganify.routing.generator import RandomPathGenerator


def merge(
    model: ModelArgument,
    buckets: Annotated[
        str, typer.Option("--buckets", metavar="BUCKETS", help="Which ones, following each other: 3-5, or names.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The new model to write.")],
    blocks: Annotated[
        int | None, typer.Option("--blocks", metavar="NUMBER", help="Products of different random blocks to make.")
    ] = None,
    product: Annotated[
        list[str] | None,
        typer.Option("--product", metavar="BLOCKS", help="Multiply these blocks, one of each bucket: 3-17-0; repeat."),
    ] = None,
    batches: Annotated[
        str, typer.Option("--batch", metavar="NUMBERS", help="Batch sizes at which speed is measured.")
    ] = "1,64,1024",
    rounds: Annotated[
        int, typer.Option("--rounds", min=0, metavar="NUMBER", help="Measurements of speed; 0 leaves them out.")
    ] = 20,
    seed: SeedOption = 0,
    raw: RawOption = False,
    trust_source: TrustSourceOption = False,
    device: DeviceOption = "auto",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Multiply linear buckets into one.

    Each block of the new bucket is the product, in float64, of one block of each old one, biases and batch norms included.
    Prints how images differ from those of the same blocks before, and the time that an image takes before and after.
    Refuses what is not linear, and says what that is.
    """
    from rpganify.cli.choosing import choose_device
    from rpganify.cli.console import show, show_json, show_table
    from rpganify.cli.files import check_is_free
    from rpganify.cli.operations import open_converted, write_model
    from rpganify.cli.parsing import parse_bucket_range, parse_sizes
    from rpganify.cli.plan_table import plan_to_json, show_plan
    from rpganify.paths import PathSpace
    from rpganify.surgery.merge import merge as merge_model

    sizes = parse_sizes(batches, "--batch") or []
    check_is_free(output, is_forced=force)
    place = choose_device(device)
    opened = open_converted(model, trusts_source=trust_source, is_raw=raw).to(place)
    chosen = parse_bucket_range(buckets, opened.paths.bucket_names)
    products = None
    if product:
        space = PathSpace(tuple(opened.plan.num_blocks[index] for index in chosen))
        products = [space.parse(text).tolist() for text in product]
    made = merge_model(opened, chosen, blocks, products=products, seed=seed)
    largest, scale = _difference(opened, made, seed)
    write_model(made, output, is_forced=force)
    speeds = [_speed(opened, made, size, rounds, place, seed) for size in sizes] if rounds else []
    if as_json:
        show_json(
            {
                "plan": plan_to_json(made.plan, made.blueprint.layers),
                "largest_difference": largest,
                "largest_value": scale,
                "speed": [dict(zip(("batch", "before_s", "after_s", "ratio"), row, strict=True)) for row in speeds],
                "written": str(output),
            }
        )
        return
    show_plan(made.plan, made.blueprint.layers)
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


def _difference(before: RandomPathGenerator, after: RandomPathGenerator, seed: int) -> tuple[float, float]:
    """The largest difference of images on every product at least once, and the largest value in them."""
    import torch

    from rpganify.cli.operations import NUM_COMPARED
    from rpganify.surgery.merge import original_paths
    from rpganify.surgery.restack import history

    column = int(history(after)[-1]["first"])
    num_products = after.plan.num_blocks[column]
    paths = after.paths.sample(max(NUM_COMPARED, num_products), generator=torch.Generator().manual_seed(seed))
    paths[:num_products, column] = torch.arange(num_products)
    largest = scale = 0.0
    with torch.no_grad():
        for part in paths.split(NUM_COMPARED):
            theirs, ours = before.images(original_paths(after, part)), after.images(part)
            largest = max(largest, float((theirs.double() - ours.double()).abs().max()))
            scale = max(scale, float(theirs.abs().max()))
    return largest, scale


def _speed(
    before: RandomPathGenerator, after: RandomPathGenerator, size: int, rounds: int, device: torch.device, seed: int
) -> tuple[int, float, float, float]:
    """Batch size, seconds for a batch before and after, and how many times as fast it became."""
    import torch

    from rpganify.bench.timing import run_in_turn

    draws = torch.Generator().manual_seed(seed)
    one, two = before.draw(size, draws), after.draw(size, draws)
    with torch.no_grad():
        found = run_in_turn(
            {"before": lambda: before(one), "after": lambda: after(two)}, num_rounds=rounds, device=device
        )
    return size, found["before"].median_s, found["after"].median_s, found["before"].ratio(found["after"])
