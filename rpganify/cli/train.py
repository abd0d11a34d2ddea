"""`rpganify train`: a converted model, or with --standard a plain generator, against a discriminator on real images."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli.completion import names_of
from rpganify.cli.options import (
    ArgOption,
    ArgvOption,
    ConstOption,
    DeviceOption,
    ForceOption,
    FreezeNoiseOption,
    ImageOption,
    ImageShapeOption,
    InputOption,
    KernelOption,
    LatentOption,
    SeedOption,
    TrustSourceOption,
    WeightsOption,
)
from rpganify.entries import CallbackEntry, DataSetEntry, DiscriminatorEntry, LossEntry


class Diversity(StrEnum):
    """Forms of the block diversity loss."""

    PAPER = "paper"
    MARGIN = "margin"
    NONE = "none"


def train(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A converted model (NAME.rpgan) or a run; with --standard a SOURCE.")
    ],
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="NAME",
            help="Real images: digits, mnist[0-6], folder:DIR, …",
            autocompletion=names_of(DataSetEntry),
        ),
    ],
    data_root: Annotated[
        Path | None, typer.Option("--data-root", metavar="DIR", help="Where the data set's files are.")
    ] = None,
    loss: Annotated[
        str,
        typer.Option(
            "--loss",
            metavar="NAME",
            help="hinge, wgan-gp, non-saturating, …",
            autocompletion=names_of(LossEntry),
        ),
    ] = "hinge",
    loss_arg: Annotated[
        list[str] | None,
        typer.Option("--loss-arg", metavar="NAME=VALUE", help="An option of the loss; repeat."),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", metavar="NUMBER", help="Generator steps in total.")] = 2000,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="RUN", help="Folder of the run; runs/NAME if left out.")
    ] = None,
    standard: Annotated[
        bool, typer.Option("--standard", help="Train the SOURCE as it is, with random z, to compare with.")
    ] = False,
    arg: ArgOption = None,
    argv: ArgvOption = None,
    latent: LatentOption = None,
    inputs: InputOption = None,
    const: ConstOption = None,
    image: ImageOption = None,
    image_shape: ImageShapeOption = None,
    freeze_noise: FreezeNoiseOption = False,
    weights: WeightsOption = None,
    discriminator: Annotated[
        str | None,
        typer.Option(
            "--discriminator",
            metavar="NAME|FILE:CLASS",
            help="A registered one, or my_gan.py:Discriminator; the architecture's own or dcgan if left out.",
            autocompletion=names_of(DiscriminatorEntry),
        ),
    ] = None,
    discriminator_arg: Annotated[
        list[str] | None,
        typer.Option("--discriminator-arg", metavar="NAME=VALUE", help="An option of the discriminator; repeat."),
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", metavar="NUMBER", help="Images per step.")] = 64,
    d_steps: Annotated[
        int,
        typer.Option("--d-steps", metavar="NUMBER", help="Discriminator steps per generator step."),
    ] = 1,
    lr: Annotated[float, typer.Option("--lr", metavar="NUMBER", help="Learning rate of both networks.")] = 0.25e-3,
    generator_lr: Annotated[
        float | None, typer.Option("--generator-lr", metavar="NUMBER", help="The generator's, in place of --lr.")
    ] = None,
    discriminator_lr: Annotated[
        float | None,
        typer.Option("--discriminator-lr", metavar="NUMBER", help="The discriminator's, in place of --lr."),
    ] = None,
    diversity: Annotated[
        Diversity, typer.Option("--diversity", help="Block diversity loss; margin is the form of the authors' code.")
    ] = Diversity.PAPER,
    diversity_weight: Annotated[
        float | None,
        typer.Option("--diversity-weight", metavar="NUMBER", help="Its factor; each form has a default."),
    ] = None,
    sparse_adam: Annotated[
        bool,
        typer.Option(
            "--sparse-adam", help="Let a step change only the blocks that it drew; another algorithm than Adam."
        ),
    ] = False,
    sample_every: Annotated[
        int, typer.Option("--sample-every", metavar="NUMBER", help="Steps between sample grids.")
    ] = 500,
    checkpoint_every: Annotated[
        int, typer.Option("--checkpoint-every", metavar="NUMBER", help="Steps between checkpoints.")
    ] = 500,
    callback: Annotated[
        list[str] | None,
        typer.Option(
            "--callback",
            metavar="NAME[:ARGUMENT]",
            help="What else is told of each step: csv (the metrics as a table), …; repeat.",
            autocompletion=names_of(CallbackEntry),
        ),
    ] = None,
    kernel: KernelOption = "auto",
    seed: SeedOption = 0,
    trust_source: TrustSourceOption = False,
    device: DeviceOption = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in RUN, with the settings it has.")
    ] = False,
    force: ForceOption = False,
) -> None:
    """Train a model on real images.

    Ctrl-C finishes the step, saves, and says how to go on. The run's folder gets config.json, metrics.jsonl,
    sample grids and checkpoints.
    """
    from rpganify.cli.choosing import (
        choose_callback,
        choose_device,
        choose_discriminator,
        choose_loss,
        default_discriminator,
    )
    from rpganify.cli.console import say
    from rpganify.cli.parsing import parse_literals, parse_pairs
    from rpganify.cli.progress import ProgressTalk
    from rpganify.cli.sources import SourceOptions
    from rpganify.cli.training import (
        TrainingTalk,
        check_run_is_free,
        forget_run,
        open_for_training,
        save_generator,
        show_result,
    )
    from rpganify.data.opening import fit_to, open_data
    from rpganify.memory import keep_freed_memory
    from rpganify.registry import default_registry
    from rpganify.routing.kernels import pinned_kernel
    from rpganify.training.config import TrainConfig
    from rpganify.training.trainer import Trainer

    loss_options = parse_literals(loss_arg, "--loss-arg", "penalty_weight=10")
    discriminator_options = parse_pairs(discriminator_arg, "--discriminator-arg", "channels=64")
    config = TrainConfig(
        steps=steps,
        batch_size=batch_size,
        generator_lr=lr if generator_lr is None else generator_lr,
        discriminator_lr=lr if discriminator_lr is None else discriminator_lr,
        sparse_adam=sparse_adam,
        d_steps=d_steps,
        loss=loss,
        loss_options=tuple(sorted(loss_options.items())),
        diversity=diversity.value,
        diversity_weight=diversity_weight,
        seed=seed,
        sample_every=sample_every,
        checkpoint_every=checkpoint_every,
    )
    registry = default_registry()
    place = choose_device(device)
    if place.type == "cpu":
        keep_freed_memory()
    with pinned_kernel(kernel):
        pass  # a wrong name is told before anything is built
    adversary = choose_loss(loss, loss_options, registry)
    told = [choose_callback(spec, registry) for spec in callback or ()]
    source = SourceOptions(
        model,
        arguments=arg,
        argv=argv,
        latent=latent,
        inputs=inputs,
        constants=const,
        image=image,
        image_shape=image_shape,
        freezes_noise=freeze_noise,
        weights=weights,
        seed=seed,
    )
    opened = open_for_training(source, is_standard=standard, trusts_source=trust_source)
    run = output or Path("runs") / opened.name
    check_run_is_free(run, is_resumed=resume, is_forced=force)
    images, done = fit_to(open_data(data, data_root, registry), opened.generator.image_shape)
    if done:
        say(f"data: {done}")
    rival = discriminator or default_discriminator(opened.architecture, opened.generator.image_shape, registry)
    if discriminator is None:
        say(f"discriminator: {rival} (--discriminator chooses another)")
    judge = choose_discriminator(
        rival,
        discriminator_options,
        opened.generator.image_shape,
        spectral_norm=adversary.wants_spectral_norm,
        seed=seed,
        registry=registry,
    )
    with pinned_kernel(kernel), ProgressTalk() as progress:
        trainer = Trainer(
            opened.generator,
            judge,
            adversary,
            images,
            config,
            run=run,
            callbacks=(TrainingTalk(progress), *told),
            save_generator=save_generator,
            device=place,
            provenance={"model": model, "data": data, "discriminator": rival, "kernel": kernel},
            needs=registry.get(LossEntry, loss).needs,
        )
        if force and not resume:
            forget_run(run, Path(model))
        result = trainer.resume() if resume else trainer.run()
    show_result(result)
    if result.is_interrupted:
        raise typer.Exit(130)
