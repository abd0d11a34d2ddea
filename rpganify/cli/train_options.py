"""The options of `rpganify train`, in groups: what is trained, how, for how long, and what is written."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli.completion import names_of
from rpganify.entries import CallbackEntry, DataSetEntry, DiscriminatorEntry, ExtractorEntry, LossEntry


class Diversity(StrEnum):
    """Forms of the block diversity loss."""

    PAPER = "paper"
    MARGIN = "margin"
    NONE = "none"


class Sampling(StrEnum):
    """How the paths of a batch are drawn."""

    INDEPENDENT = "independent"
    EQUAL = "equal"
    NEW = "new"


class FixedInput(StrEnum):
    """What becomes of the fixed input of a converted model."""

    LEARNED = "learned"
    FIXED = "fixed"
    RANDOM = "random"


class Schedule(StrEnum):
    """How learning rates change."""

    CONSTANT = "constant"
    LINEAR = "linear"
    COSINE = "cosine"


class Precision(StrEnum):
    """What the networks compute in."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A converted model (NAME.rpgan) or a run; with --standard a SOURCE; with --resume the run to go on with.",
    ),
]
DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="NAME",
        help="Real images: digits, mnist[0-6], folder:DIR, zip:FILE, …",
        autocompletion=names_of(DataSetEntry),
    ),
]
DataRootOption = Annotated[
    Path | None, typer.Option("--data-root", metavar="DIR", help="Where the data set's files are.")
]
NumWorkersOption = Annotated[
    int,
    typer.Option("--num-workers", metavar="NUMBER", help="Workers that read images ahead which do not fit in memory."),
]
LossOption = Annotated[
    str,
    typer.Option(
        "--loss",
        metavar="NAME",
        help="hinge, wgan-gp, non-saturating, least-squares, …",
        autocompletion=names_of(LossEntry),
    ),
]
LossArgOption = Annotated[
    list[str] | None, typer.Option("--loss-arg", metavar="NAME=VALUE", help="An option of the loss; repeat.")
]
DiscriminatorOption = Annotated[
    str | None,
    typer.Option(
        "--discriminator",
        metavar="NAME|FILE:CLASS",
        help="A registered one, or my_gan.py:Discriminator; the architecture's own or dcgan if left out.",
        autocompletion=names_of(DiscriminatorEntry),
    ),
]
DiscriminatorArgOption = Annotated[
    list[str] | None,
    typer.Option("--discriminator-arg", metavar="NAME=VALUE", help="An option of the discriminator; repeat."),
]
DiscriminatorFromOption = Annotated[
    Path | None,
    typer.Option(
        "--discriminator-from",
        metavar="RUN",
        help="Begin with the weights of that run's discriminator, such as the run's before it grew.",
    ),
]
StandardOption = Annotated[
    bool, typer.Option("--standard", help="Train the SOURCE as it is, with random z, to compare with.")
]
ClassWeightOption = Annotated[
    float,
    typer.Option("--class-weight", metavar="NUMBER", help="Factor of an auxiliary classifier's cross entropy."),
]
AugmentOption = Annotated[
    str,
    typer.Option(
        "--augment",
        metavar="POLICY",
        help="Change real and fake images alike before the discriminator: diffaugment, or translation,cutout, …",
    ),
]
StepsOption = Annotated[
    int | None,
    typer.Option("--steps", metavar="NUMBER", help="Generator steps in total; 2000 if nothing else ends it."),
]
ImagesOption = Annotated[
    int | None, typer.Option("--images", metavar="NUMBER", help="Real images shown in total, in place of --steps.")
]
MinutesOption = Annotated[
    float | None, typer.Option("--minutes", metavar="NUMBER", help="Time in training in total, in place of --steps.")
]
BatchSizeOption = Annotated[
    int, typer.Option("--batch-size", metavar="NUMBER", help="Images per step, in each process.")
]
AccumulateOption = Annotated[
    int,
    typer.Option(
        "--accumulate", metavar="NUMBER", help="Parts that a batch goes through the networks in, for less memory."
    ),
]
DStepsOption = Annotated[
    int, typer.Option("--d-steps", metavar="NUMBER", help="Discriminator steps per generator step.")
]
LrOption = Annotated[float, typer.Option("--lr", metavar="NUMBER", help="Learning rate of both networks.")]
GeneratorLrOption = Annotated[
    float | None, typer.Option("--generator-lr", metavar="NUMBER", help="The generator's, in place of --lr.")
]
DiscriminatorLrOption = Annotated[
    float | None,
    typer.Option("--discriminator-lr", metavar="NUMBER", help="The discriminator's, in place of --lr."),
]
BetasOption = Annotated[str, typer.Option("--betas", metavar="B1,B2", help="Adam's decay rates, both networks.")]
ScheduleOption = Annotated[
    Schedule, typer.Option("--schedule", help="How the learning rates change until the last step.")
]
WarmupOption = Annotated[
    int, typer.Option("--warmup", metavar="STEPS", help="Steps in which the learning rates rise to their values.")
]
EmaOption = Annotated[
    float,
    typer.Option(
        "--ema",
        metavar="DECAY",
        help="Keep a moving average of the generator's weights, such as 0.999; later commands then take it.",
    ),
]
DiversityOption = Annotated[
    Diversity, typer.Option("--diversity", help="Block diversity loss; margin is the form of the authors' code.")
]
DiversityWeightOption = Annotated[
    float | None,
    typer.Option("--diversity-weight", metavar="NUMBER", help="Its factor; each form has a default."),
]
SamplingOption = Annotated[
    Sampling,
    typer.Option(
        "--sampling",
        help="Draw a batch's paths independently, every block of a bucket equally often, or through new blocks only.",
    ),
]
FixedInputOption = Annotated[
    FixedInput,
    typer.Option(
        "--Z",
        help="Whether the fixed input is learned, stays as it is, or is drawn for each image of the training; all other "
        "commands make their images from the Z that the model holds.",
    ),
]
SparseAdamOption = Annotated[
    bool,
    typer.Option("--sparse-adam", help="Let a step change only the blocks that it drew; another algorithm than Adam."),
]
OnlyNewOption = Annotated[
    bool,
    typer.Option(
        "--only-new", help="Of a model that has grown, train the new blocks alone; verifies that all else stays."
    ),
]
PrecisionOption = Annotated[
    Precision | None,
    typer.Option("--precision", help="What the networks compute in; fp32, or what `accelerate launch` was told."),
]
CompileOption = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Let torch.compile make the generator, and a discriminator without spectral norm. A converted generator needs "
        "--sampling equal, and a batch that is a multiple of its blocks.",
    ),
]
ChannelsLastOption = Annotated[
    bool, typer.Option("--channels-last", help="Lay the discriminator's convolutions and the images channels last.")
]
QualityOption = Annotated[
    str | None,
    typer.Option(
        "--quality",
        metavar="EXTRACTOR",
        help="Measure a Fréchet distance by these features as it trains: inception:FILE, classifier:FILE, …",
        autocompletion=names_of(ExtractorEntry),
    ),
]
QualityEveryOption = Annotated[
    int, typer.Option("--quality-every", metavar="NUMBER", help="Steps between measurements; the best is kept.")
]
QualityImagesOption = Annotated[
    int, typer.Option("--quality-images", metavar="NUMBER", help="Images that each measurement compares.")
]
SampleEveryOption = Annotated[int, typer.Option("--sample-every", metavar="NUMBER", help="Steps between sample grids.")]
CheckpointEveryOption = Annotated[
    int, typer.Option("--checkpoint-every", metavar="NUMBER", help="Steps between checkpoints.")
]
KeepOption = Annotated[
    int, typer.Option("--keep", metavar="NUMBER", help="Newest checkpoints that stay, beside the best.")
]
BackgroundOption = Annotated[
    bool,
    typer.Option(
        "--background-checkpoints/--waiting-checkpoints",
        help="Write checkpoints from a copy in memory as the training goes on, or let it wait.",
    ),
]
MaxRollbacksOption = Annotated[
    int,
    typer.Option(
        "--max-rollbacks",
        metavar="NUMBER",
        help="How often to go back from a loss that is not finite, at half the rate.",
    ),
]
WatchEveryOption = Annotated[
    int, typer.Option("--watch-every", metavar="NUMBER", help="Steps between checks for duplicate and dead blocks.")
]
LogOption = Annotated[
    list[str] | None,
    typer.Option("--log", metavar="TRACKER", help="Log to tensorboard, or another of accelerate's trackers; repeat."),
]
CallbackOption = Annotated[
    list[str] | None,
    typer.Option(
        "--callback",
        metavar="NAME[:ARGUMENT]",
        help="What else is told of each step: csv (the metrics as a table), …; repeat.",
        autocompletion=names_of(CallbackEntry),
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="RUN", help="Folder of the run; runs/NAME if left out.")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Options from a TOML file, such as a run's config.toml."),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on with a run, with the settings it has; name it as MODEL or by -o.")
]
OverrideOption = Annotated[
    list[str] | None,
    typer.Option("--override", metavar="NAME", help="A setting that may differ from what the run has; repeat."),
]
