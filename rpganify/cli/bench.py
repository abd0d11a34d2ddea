"""`rpganify bench`: what routing costs on this machine, against the plain generator and against what it must cost."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli.completion import complete_source, names_of
from rpganify.cli.convert import Norm
from rpganify.cli.options import (
    ArgOption,
    ArgvOption,
    BucketsOption,
    ConstOption,
    DeviceOption,
    FreezeNoiseOption,
    ImageOption,
    ImageShapeOption,
    InputOption,
    JsonOption,
    KernelOption,
    LatentOption,
    SeedOption,
    TrustSourceOption,
)
from rpganify.entries import DiscriminatorEntry


class Allocator(StrEnum):
    """What becomes of memory that tensors on the CPU give back."""

    KEEP = "keep"
    SYSTEM = "system"


def bench(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SOURCE|MODEL]",
            help="A generator's source, or a converted model; sngan32 (channels=64), dcgan32 and mlp28 if left out.",
            autocompletion=complete_source,
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option("--batch", metavar="NUMBERS", help="Samples per pass, a case each: 16,64,256; 64 if left out."),
    ] = None,
    blocks: Annotated[
        str | None,
        typer.Option(
            "--blocks",
            metavar="NUMBERS",
            help="Blocks per bucket, a case each: 1,10,40; parted by spaces one for each bucket: '20 20 8,40'.",
        ),
    ] = None,
    buckets: BucketsOption = None,
    norm: Annotated[
        Norm | None, typer.Option("--norm", help="Norm layers: shared by all paths, or each block its own.")
    ] = None,
    arg: ArgOption = None,
    argv: ArgvOption = None,
    latent: LatentOption = None,
    inputs: InputOption = None,
    const: ConstOption = None,
    image: ImageOption = None,
    image_shape: ImageShapeOption = None,
    freeze_noise: FreezeNoiseOption = False,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, metavar="NUMBER", help="How often each pass is timed, all in turn.")
    ] = 7,
    kernel: KernelOption = "auto",
    allocator: Annotated[
        Allocator,
        typer.Option(
            "--allocator", help="Keep memory that tensors give back, as train does, or leave it to the system."
        ),
    ] = Allocator.KEEP,
    loop: Annotated[bool, typer.Option(" /--no-loop", help="Leave out the loop over samples.")] = True,
    step: Annotated[
        bool, typer.Option("--step", help="Also time whole training steps, of the random path and the standard GAN.")
    ] = False,
    d_steps: Annotated[
        int, typer.Option("--d-steps", min=1, metavar="NUMBER", help="Discriminator steps in a training step.")
    ] = 5,
    discriminator: Annotated[
        str | None,
        typer.Option(
            "--discriminator",
            metavar="NAME|FILE:CLASS",
            help="Of --step; the architecture's own or dcgan if left out.",
            autocompletion=names_of(DiscriminatorEntry),
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also show kernel, cost and bound of every layer, and the fastest kernel.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Draw the cost against the blocks: FILE.png.")
    ] = None,
    seed: SeedOption = 0,
    trust_source: TrustSourceOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure what routing costs, against the plain generator.

    All passes are timed in turn, in training mode. The bound is the larger, layer by layer, of the plain generator's
    time and that of reading the weights of every block in the batch, and of writing their gradients. The loop is the
    same generator in the form of the paper's public code: in every bucket one sample after the other, each block's
    parameters by themselves. `rpganify bench train` measures what a training spends outside its networks.
    """
    from rpganify.cli.parsing import parse_block_cases, parse_buckets, parse_sizes

    sizes, counts, wanted_buckets = parse_sizes(batch, "--batch"), parse_block_cases(blocks), parse_buckets(buckets)
    if output is not None and output.suffix.lower() != ".png":
        raise typer.BadParameter(f"{output} must end in .png.", param_hint="-o")
    if output is not None and (counts is None or len(counts) < 2):
        raise typer.BadParameter(
            "The chart shows the cost against the blocks; give several numbers of them: --blocks 1,10,40.",
            param_hint="-o",
        )
    if discriminator is not None and not step:
        raise typer.BadParameter("Only --step takes a discriminator; add it.", param_hint="--discriminator")

    from rpganify.bench.environment import Environment
    from rpganify.cli.bench_cases import Wishes, find_candidates
    from rpganify.cli.bench_running import choose_judges, run_bench
    from rpganify.cli.bench_tables import bench_to_json, show_cases, show_footer, show_layers, show_steps
    from rpganify.cli.choosing import choose_device
    from rpganify.cli.console import say, show_json
    from rpganify.cli.progress import ProgressTalk
    from rpganify.cli.sources import SourceOptions
    from rpganify.memory import keep_freed_memory
    from rpganify.routing.kernels import pinned_kernel

    place = choose_device(device)
    keeps_memory = allocator is Allocator.KEEP and place.type == "cpu" and keep_freed_memory()
    options = SourceOptions(
        source or "",
        arguments=arg,
        argv=argv,
        latent=latent,
        inputs=inputs,
        constants=const,
        image=image,
        image_shape=image_shape,
        freezes_noise=freeze_noise,
        seed=seed,
    )
    wishes = Wishes(sizes, counts, wanted_buckets, norm.value if norm else None)
    with pinned_kernel(kernel), ProgressTalk() as talk:
        candidates = find_candidates(options, wishes, trusts_source=trust_source)
        judges = [choose_judges(one, discriminator, seed) for one in candidates] if step else []
        results = run_bench(
            candidates,
            judges,
            num_rounds=rounds,
            has_loop=loop,
            compares_kernels=explain,
            d_steps=d_steps,
            seed=seed,
            device=place,
            progress=talk.update,
        )
    for note in dict.fromkeys(note for result in results for note in result.case.notes):
        say(f"note: {note}")
    environment = Environment.here(place, keeps_memory=keeps_memory, kernel=kernel)
    if as_json:
        show_json(bench_to_json(environment, results))
    else:
        show_cases(results)
        if step:
            show_steps(results)
        if explain:
            show_layers(results)
        show_footer(environment, results)
    if output is not None:
        from rpganify.bench.figure import draw_blocks
        from rpganify.cli.files import write_bytes
        from rpganify.report.report import Figure
        from rpganify.report.writing import figure_to_png

        figure = Figure("blocks", "Cost against the number of blocks.", draw_blocks([one.case for one in results]))
        write_bytes(output, figure_to_png(figure))
        say(f"wrote {output}")
