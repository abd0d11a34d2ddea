"""`rpganify train`: a converted model, or with --standard a plain generator, against a discriminator on real images."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import typer

from rpganify.cli import train_options as use
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
from rpganify.entries import LossEntry


def train(
    context: typer.Context,
    model: use.ModelArgument,
    data: use.DataOption,
    data_root: use.DataRootOption = None,
    num_workers: use.NumWorkersOption = 2,
    loss: use.LossOption = "hinge",
    loss_arg: use.LossArgOption = None,
    steps: use.StepsOption = None,
    images: use.ImagesOption = None,
    minutes: use.MinutesOption = None,
    output: use.OutputOption = None,
    standard: use.StandardOption = False,
    arg: ArgOption = None,
    argv: ArgvOption = None,
    latent: LatentOption = None,
    inputs: InputOption = None,
    const: ConstOption = None,
    image: ImageOption = None,
    image_shape: ImageShapeOption = None,
    freeze_noise: FreezeNoiseOption = False,
    weights: WeightsOption = None,
    discriminator: use.DiscriminatorOption = None,
    discriminator_arg: use.DiscriminatorArgOption = None,
    discriminator_from: use.DiscriminatorFromOption = None,
    class_weight: use.ClassWeightOption = 1.0,
    augment: use.AugmentOption = "",
    batch_size: use.BatchSizeOption = 64,
    accumulate: use.AccumulateOption = 1,
    d_steps: use.DStepsOption = 1,
    lr: use.LrOption = 0.25e-3,
    generator_lr: use.GeneratorLrOption = None,
    discriminator_lr: use.DiscriminatorLrOption = None,
    betas: use.BetasOption = "0.5,0.999",
    schedule: use.ScheduleOption = use.Schedule.CONSTANT,
    warmup: use.WarmupOption = 0,
    ema: use.EmaOption = 0.0,
    diversity: use.DiversityOption = use.Diversity.PAPER,
    diversity_weight: use.DiversityWeightOption = None,
    sampling: use.SamplingOption = use.Sampling.INDEPENDENT,
    fixed_input: use.FixedInputOption = use.FixedInput.LEARNED,
    sparse_adam: use.SparseAdamOption = False,
    only_new: use.OnlyNewOption = False,
    precision: use.PrecisionOption = None,
    compile: use.CompileOption = False,
    channels_last: use.ChannelsLastOption = False,
    kernel: KernelOption = "auto",
    quality: use.QualityOption = None,
    quality_every: use.QualityEveryOption = 500,
    quality_images: use.QualityImagesOption = 1000,
    sample_every: use.SampleEveryOption = 500,
    checkpoint_every: use.CheckpointEveryOption = 500,
    keep: use.KeepOption = 2,
    background_checkpoints: use.BackgroundOption = True,
    max_rollbacks: use.MaxRollbacksOption = 5,
    watch_every: use.WatchEveryOption = 100,
    log: use.LogOption = None,
    callback: use.CallbackOption = None,
    seed: SeedOption = 0,
    trust_source: TrustSourceOption = False,
    device: DeviceOption = "auto",
    config: use.ConfigOption = None,
    resume: use.ResumeOption = False,
    override: use.OverrideOption = None,
    force: ForceOption = False,
) -> None:
    """Train a model on real images.

    Ctrl-C, or SIGTERM, finishes the step, saves, and says how to go on. The run's folder gets its settings
    (config.toml), metrics.jsonl, sample grids and checkpoints. Several processes: accelerate launch -m rpganify train …
    """
    from rpganify.cli.choosing import (
        choose_callback,
        choose_device,
        choose_discriminator,
        choose_loss,
        classes_to_judge,
        default_discriminator,
    )
    from rpganify.cli.configured import option_name
    from rpganify.cli.console import say
    from rpganify.cli.only_new import show_retention
    from rpganify.cli.parsing import parse_literals, parse_pairs
    from rpganify.cli.progress import ProgressTalk
    from rpganify.cli.sources import SourceOptions
    from rpganify.cli.training import (
        SettingsWriter,
        check_run_is_free,
        choose_precision,
        choose_quality,
        forget_run,
        known_discriminator,
        open_for_training,
        parse_betas,
        provenance_of_run,
        save_generator,
        show_result,
    )
    from rpganify.cli.training_talk import TrainingTalk
    from rpganify.data.opening import fit_to, open_data
    from rpganify.data.progress import progress_told
    from rpganify.memory import keep_freed_memory
    from rpganify.registry import default_registry
    from rpganify.routing.generator import RandomPathGenerator
    from rpganify.routing.kernels import pinned_kernel
    from rpganify.training.config import TrainConfig
    from rpganify.training.new_blocks import trainable_rows
    from rpganify.training.recording.trackers import open_tracker
    from rpganify.training.trainer import Trainer

    if override and not resume:
        raise typer.BadParameter(
            "is for a run that is gone on with; a new one has the settings that you give. Add --resume, or leave it out.",
            param_hint="--override",
        )
    loss_options = parse_literals(loss_arg, "--loss-arg", "penalty_weight=10")
    discriminator_options = parse_pairs(discriminator_arg, "--discriminator-arg", "channels=64")
    settings = TrainConfig(
        steps=steps,
        images=images,
        minutes=minutes,
        batch_size=batch_size,
        accumulate=accumulate,
        generator_lr=lr if generator_lr is None else generator_lr,
        discriminator_lr=lr if discriminator_lr is None else discriminator_lr,
        betas=parse_betas(betas),
        schedule=schedule.value,
        warmup=warmup,
        sparse_adam=sparse_adam,
        only_new=only_new,
        d_steps=d_steps,
        loss=loss,
        loss_options=tuple(sorted(loss_options.items())),
        discriminator_from="" if discriminator_from is None else str(discriminator_from),
        class_weight=class_weight,
        augment=augment,
        diversity=diversity.value,
        diversity_weight=diversity_weight,
        sampling=sampling.value,
        Z=fixed_input.value,
        ema=ema,
        precision=choose_precision(precision),
        compile=compile,
        channels_last=channels_last,
        seed=seed,
        sample_every=sample_every,
        checkpoint_every=checkpoint_every,
        keep=keep,
        background_checkpoints=background_checkpoints,
        quality_every=quality_every,
        watch_every=watch_every,
        max_rollbacks=max_rollbacks,
        num_workers=num_workers,
    )
    options = {option_name(param): context.params.get(str(param.name)) for param in context.command.params}
    options["precision"] = settings.precision  # which the launcher may have said
    registry = default_registry()
    place = choose_device(device)
    if place.type == "cpu":
        keep_freed_memory()
    with pinned_kernel(kernel):
        pass  # a wrong name is told before anything is built
    adversary = choose_loss(loss, loss_options, registry)
    told = [choose_callback(spec, registry) for spec in callback or ()]
    told += [open_tracker(name, {"model": model, "data": data, **settings.to_json()}) for name in log or ()]
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
    opened = open_for_training(
        source, is_standard=standard, trusts_source=trust_source, resumed_run=output if resume else None
    )
    if only_new or settings.sampling == "new":
        trainable_rows(opened.generator)
    run = output or Path("runs") / opened.name
    check_run_is_free(run, is_resumed=resume, is_forced=force)
    with ProgressTalk() as reading, progress_told(reading.update):
        real, done = fit_to(open_data(data, data_root, registry), opened.generator.image_shape)
    if done:
        say(f"data: {done}")
    rival = discriminator or default_discriminator(opened.architecture, opened.generator.image_shape, registry)
    if discriminator is None:
        say(f"discriminator: {rival} (--discriminator chooses another)")
    num_classes = classes_to_judge(opened.generator, real)
    if num_classes:
        say(f"labels: {num_classes} classes of {real.name}, which the generator takes")
    judge = choose_discriminator(
        rival,
        discriminator_options,
        opened.generator.image_shape,
        spectral_norm=adversary.wants_spectral_norm,
        seed=seed,
        registry=registry,
        num_classes=num_classes,
    )
    begins_with = known_discriminator(judge, discriminator_from, run, is_resumed=resume)
    before = deepcopy(opened.generator) if only_new else None
    metric = choose_quality(quality, real, quality_images, seed, place, registry) if quality else None
    with pinned_kernel(kernel), ProgressTalk() as progress:
        trainer = Trainer(
            opened.generator,
            judge,
            adversary,
            real,
            settings,
            run=run,
            callbacks=(SettingsWriter({**options, "output": str(run)}), TrainingTalk(progress), *told),
            save_generator=save_generator,
            device=place,
            provenance={"model": model, "data": data, "discriminator": rival, "kernel": kernel}
            | begins_with
            | provenance_of_run(opened.generator),
            needs=registry.get(LossEntry, loss).needs,
            quality=metric,
            overrides=override or (),
        )
        if force and not resume and trainer.processes.is_main:
            forget_run(run, Path(model), *([discriminator_from] if discriminator_from else []))
        result = trainer.resume() if resume else trainer.run()
    if isinstance(before, RandomPathGenerator) and trainer.processes.is_main:
        show_retention(before, result.checkpoint, trusts_source=trust_source)
    show_result(result)
    if result.signal is not None:
        raise typer.Exit(128 + result.signal)
