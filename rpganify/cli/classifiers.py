"""What `--classifier` names: a file of rpganify's, the CIFAR-10 ResNet-56, or a class of the user's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import torch

    from rpganify.analysis.classifier_features import ClassifierFeatures

ClassifierOption = Annotated[
    str | None,
    typer.Option(
        "--classifier",
        metavar="FILE|FILE.py:CLASS",
        help="What tells classes apart: a file of `rpganify classifier`, or a class of yours, from images to class scores.",
    ),
]
ClassifierWeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--classifier-weights", metavar="FILE", help="Of a classifier of yours: .safetensors, or .pt without code."
    ),
]
ClassifierArgOption = Annotated[
    list[str] | None,
    typer.Option(
        "--classifier-arg", metavar="NAME=VALUE", help="An argument of your classifier's constructor; repeat."
    ),
]
ClassifierInputOption = Annotated[
    str | None,
    typer.Option(
        "--classifier-input",
        metavar="CxHxW",
        help="Images that your classifier takes: 3x224x224; the model's own shape if left out. Others are fitted to it.",
    ),
]
ClassifierMeanOption = Annotated[
    str | None,
    typer.Option(
        "--classifier-mean",
        metavar="NUMBERS",
        help="With which your classifier's images were normalised, of values in [0, 1]: 0.485,0.456,0.406. Images in "
        "[-1, 1] if left out.",
    ),
]
ClassifierStdOption = Annotated[
    str | None, typer.Option("--classifier-std", metavar="NUMBERS", help="The deviations beside it: 0.229,0.224,0.225.")
]

_SHAPE = re.compile(r"(\d+)x(\d+)x(\d+)")


@dataclass(frozen=True, slots=True)
class ClassifierOptions:
    """What was typed about the classifier.

    Args:
        name: of `--classifier`; None for none.
        weights, arguments, input_shape, mean, std: of one of the user's own.
    """

    name: str | None = None
    weights: Path | None = None
    arguments: Sequence[str] = ()
    input_shape: str | None = None
    mean: str | None = None
    std: str | None = None

    @property
    def is_source(self) -> bool:
        """Whether a class of the user's is named, and not a file of weights."""
        return self.name is not None and (
            ".py:" in self.name or self.name.endswith(".py") or (":" in self.name and not Path(self.name).exists())
        )

    def check(self) -> None:
        """Refuses options of a user's own classifier where none is named.

        Raises:
            typer.BadParameter: which, and what they go with.
        """
        given = {
            "--classifier-weights": self.weights,
            "--classifier-arg": list(self.arguments),
            "--classifier-input": self.input_shape,
            "--classifier-mean": self.mean,
            "--classifier-std": self.std,
        }
        for option, value in given.items():
            if value and not self.is_source:
                raise typer.BadParameter(
                    "It goes with a classifier of yours, --classifier FILE.py:CLASS; a file of rpganify's needs nothing else.",
                    param_hint=option,
                )
        if (self.mean is None) != (self.std is None):
            raise typer.BadParameter("Mean and deviation go together.", param_hint="--classifier-mean")
        if self.is_source and self.name is not None and self.name.endswith(".py"):
            raise typer.BadParameter(f"Which class of it? Write {self.name}:CLASS.", param_hint="--classifier")


def open_named_classifier(
    options: ClassifierOptions, image_shape: Sequence[int], device: torch.device
) -> ClassifierFeatures | None:
    """The classifier that the user names; None if there is none.

    Args:
        options: what was typed.
        image_shape: of the model, which a classifier of the user's is taken to see unless the options say otherwise.
        device: where it runs.
    Raises:
        typer.BadParameter: an option that does not go with it, or is none.
        RpganifyError: the file or class is missing, damaged, or no classifier.
    """
    from rpganify.analysis.classifier_features import open_classifier

    options.check()
    if options.name is None:
        return None
    if not options.is_source:
        return open_classifier(argument=options.name, device=device)

    from rpganify.analysis.foreign_classifier import ClassifierInput, foreign_classifier
    from rpganify.analysis.weight_files import read_weight_file
    from rpganify.cli.console import say
    from rpganify.cli.parsing import parse_pairs
    from rpganify.cli.weights import load_weights
    from rpganify.report.report import JsonValue
    from rpganify.source import load_class

    arguments = parse_pairs(options.arguments, "--classifier-arg", "num_classes=10")
    source = load_class(options.name, arguments, role="discriminator")
    module = source.build(0)
    told: dict[str, JsonValue] = {"source": Path(source.origin).name, "class": source.qualname}
    if source.sha256:
        told["source sha256"] = source.sha256
    if arguments:
        told["arguments"] = dict(arguments)
    if options.weights is None:
        say(
            f"note: {options.name} has the weights that it is built with: --classifier-weights FILE brings trained ones"
        )
    else:
        load_weights(module, options.weights, "classifier", "--classifier-weights")
        told["weight file"] = options.weights.name
        told["weight file sha256"] = read_weight_file(options.weights, "")[1]
    wanted = ClassifierInput(
        _shape_of(options.input_shape, image_shape),
        _numbers(options.mean, "--classifier-mean"),
        _numbers(options.std, "--classifier-std"),
    )
    return foreign_classifier(module, wanted, f"{Path(source.origin).name}:{source.qualname}", told=told, device=device)


def _shape_of(text: str | None, image_shape: Sequence[int]) -> tuple[int, int, int]:
    if text is None:
        if len(image_shape) != 3:
            raise typer.BadParameter(
                "The model makes no pictures, so say what it takes: 3x32x32.", param_hint="--classifier-input"
            )
        channels, height, width = image_shape
        return channels, height, width
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no shape such as 3x224x224.", param_hint="--classifier-input")
    return int(match[1]), int(match[2]), int(match[3])


def _numbers(text: str | None, option: str) -> tuple[float, ...]:
    if text is None:
        return (0.5,)
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} holds something else than numbers parted by commas.", param_hint=option
        ) from error
