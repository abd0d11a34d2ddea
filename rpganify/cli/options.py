"""Options that several commands share, with one help text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli.completion import complete_kernel, complete_source

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="my_gan.py, my_gan.py:Generator, package.module:Generator, or an architecture's name (rpganify plugins).",
        autocompletion=complete_source,
    ),
]
ModelArgument = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A converted model (NAME.rpgan) or a run's folder.")
]
NamedModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A converted model (NAME.rpgan), a run's folder, or a SOURCE, which is taken as a standard generator.",
        autocompletion=complete_source,
    ),
]
RawOption = Annotated[
    bool,
    typer.Option("--raw", help="Of a run with a moving average of its weights, take the weights themselves."),
]
ArgOption = Annotated[
    list[str] | None,
    typer.Option("--arg", metavar="NAME=VALUE", help="An argument of the generator's constructor; repeat for more."),
]
ArgvOption = Annotated[
    str | None, typer.Option("--argv", metavar="TEXT", help="The script's own command line: '--img-size 64'.")
]
AuthorInitOption = Annotated[
    bool, typer.Option(" /--no-author-init", help="Leave out the script's own `net.apply(weights_init)`.")
]
LatentOption = Annotated[
    str | None,
    typer.Option(
        "--latent",
        metavar="[NAME][:SHAPE]",
        help="The latent argument and its shape, if they are not found: z, z:128, 100x1x1.",
    ),
]
TrustSourceOption = Annotated[
    bool,
    typer.Option(
        "--trust-source",
        help="Open a model that calls functions of its own source; this runs their code.",
    ),
]
FreezeNoiseOption = Annotated[
    bool,
    typer.Option("--freeze-noise", help="Noise that forward draws is drawn once, the same for every sample and call."),
]
BucketsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--buckets",
        metavar="NUMBER|LAYERS",
        help="How many buckets (5), or which: entries parted by spaces, layers or globs in one joined by ',' "
        "('l1 block* b5,c5'). Without it: the generator's own stages.",
    ),
]
BlocksOption = Annotated[
    list[str] | None,
    typer.Option(
        "--blocks", metavar="NUMBERS", help="Blocks per bucket: one number for all (40), or one each ('20 20 20 8 8')."
    ),
]
SeedOption = Annotated[
    int, typer.Option("--seed", metavar="NUMBER", help="Of everything random; same seed, same result.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace what is there already.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
ConditionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--condition", metavar="NAME=VALUE", help="A value for a further input, e.g. label=3; repeat for more."
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="cpu, cuda, cuda:1, …; auto takes a GPU if there is one.")
]
KernelOption = Annotated[
    str,
    typer.Option(
        "--kernel",
        metavar="NAME",
        help="How samples meet their blocks: auto chooses layer by layer; by-block, matmul, … pin one. Changes speed only.",
        autocompletion=complete_kernel,
    ),
]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="NAME=SHAPE",
        help="A further input of forward: 128, 4x4 or scalar, with :int for whole numbers (y=scalar:int); repeat.",
    ),
]
ConstOption = Annotated[
    list[str] | None,
    typer.Option("--const", metavar="NAME=VALUE", help="An argument of forward bound to a constant; repeat for more."),
]
ImageOption = Annotated[
    str | None, typer.Option("--image", metavar="PLACE", help="Where in the output the images are: [1], ['fake'].")
]
ImageShapeOption = Annotated[
    str | None, typer.Option("--image-shape", metavar="SHAPE", help="Of one image, if they are returned flat: 1x28x28.")
]
WeightsOption = Annotated[
    Path | None, typer.Option("--weights", metavar="FILE", help="Trained weights: .safetensors, or .pt without code.")
]
