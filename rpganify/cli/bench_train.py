"""`rpganify bench train`: what share of a training's step no network takes."""

from __future__ import annotations

from typing import Annotated

import typer

from rpganify.cli import train_options as use
from rpganify.cli.completion import complete_source, names_of
from rpganify.cli.options import (
    ArgOption,
    BucketsOption,
    DeviceOption,
    JsonOption,
    KernelOption,
    LatentOption,
    SeedOption,
    TrustSourceOption,
)
from rpganify.entries import DataSetEntry

_DEFAULT, _DEFAULT_ARGUMENTS = "sngan32", ["channels=64"]


def train(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SOURCE|MODEL]",
            help="A generator's source, or a converted model; sngan32 (channels=64) if left out.",
            autocompletion=complete_source,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="NAME",
            help="Real images, as `train` takes them; noise in memory if left out.",
            autocompletion=names_of(DataSetEntry),
        ),
    ] = None,
    data_root: use.DataRootOption = None,
    num_workers: use.NumWorkersOption = 2,
    batch_size: use.BatchSizeOption = 64,
    blocks: Annotated[
        str | None,
        typer.Option("--blocks", metavar="NUMBERS", help="Blocks per bucket, 40 for all if left out; or '20 20 8'."),
    ] = None,
    buckets: BucketsOption = None,
    arg: ArgOption = None,
    latent: LatentOption = None,
    steps: Annotated[
        int, typer.Option("--steps", min=24, metavar="NUMBER", help="Generator steps that are measured.")
    ] = 36,
    d_steps: use.DStepsOption = 1,
    loss: use.LossOption = "hinge",
    discriminator: use.DiscriminatorOption = None,
    kernel: KernelOption = "auto",
    seed: SeedOption = 0,
    trust_source: TrustSourceOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure what a training spends outside its networks.

    The trainer runs with all that it writes, in a folder that is removed afterwards. Outside are real images, paths, the
    block diversity loss, the log, and what comes at intervals, spread over those of `train`: sample grids, checks,
    checkpoints.
    """
    from rpganify.cli.parsing import parse_block_cases, parse_buckets

    if source is None and arg:
        raise typer.BadParameter("It belongs to a SOURCE; name it: rpganify bench train sngan32 --arg channels=64.")
    counts, wanted_buckets = parse_block_cases(blocks), parse_buckets(buckets)
    if counts is not None and len(counts) > 1:
        raise typer.BadParameter(
            "One number of blocks at a time is measured; leave out the commas.", param_hint="--blocks"
        )

    from rpganify.bench.environment import Environment
    from rpganify.cli.bench_cases import Wishes, find_candidates
    from rpganify.cli.bench_train_running import Training, run_training, show_cost
    from rpganify.cli.choosing import choose_device
    from rpganify.cli.console import show_json
    from rpganify.cli.sources import SourceOptions
    from rpganify.memory import keep_freed_memory
    from rpganify.routing.kernels import pinned_kernel
    from rpganify.training.config import TrainConfig

    place = choose_device(device)
    keeps_memory = place.type == "cpu" and keep_freed_memory()
    name, arguments = (_DEFAULT, _DEFAULT_ARGUMENTS) if source is None else (source, arg)
    options = SourceOptions(name, arguments=arguments, latent=latent, seed=seed)
    (candidate,) = find_candidates(options, Wishes((batch_size,), counts, wanted_buckets), trusts_source=trust_source)
    config = TrainConfig(
        steps=steps, batch_size=batch_size, d_steps=d_steps, loss=loss, seed=seed, num_workers=num_workers
    )
    training = Training(candidate, discriminator, data, data_root, config)
    with pinned_kernel(kernel):
        title, cost = run_training(training, place)
    environment = Environment.here(place, keeps_memory=keeps_memory, kernel=kernel)
    if as_json:
        show_json({"environment": environment.to_json(), "training": title, **cost.to_json()})
    else:
        show_cost(title, cost, environment)
