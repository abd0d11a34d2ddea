"""Image statistics: a small closed set of numbers that describe a picture, each with a name, a unit and a definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.fitting import LUMA
from rpganify.data.images import to_float
from rpganify.errors import AnalysisError, closest

GREY_LEVELS = "grey levels"


@dataclass(frozen=True, slots=True)
class Statistic:
    """A number, or a vector of them, that describes a picture.

    Args:
        key: a word for columns.
        title: a noun for figures and sentences, as in "decides 62 % of the brightness".
        unit: of the values; empty for a pure number.
        definition: what it is, in a sentence.
        measure: uint8 `(N, C, H, W)`, as the images would be saved, to float64 `(N, d)`.
        parts: names of the d values where each is a statistic of its own as well; empty otherwise.
    """

    key: str
    title: str
    unit: str
    definition: str
    measure: Callable[[Tensor], Tensor]
    parts: tuple[str, ...] = ()


def available_statistics(
    image_shape: tuple[int, ...], context: AnalysisContext, keys: Sequence[str] = ()
) -> tuple[Statistic, ...]:
    """The statistics that can be taken of images of this shape with what the context has.

    Args:
        image_shape: channels (1 or 3), height, width.
        context: its classifier and its extractor add a vector of class probabilities and one of features.
        keys: which, in this order; empty takes all there are.
    Raises:
        AnalysisError: a key names no statistic, one that needs colour or a classifier, or is named twice.
    """
    known = {statistic.key: statistic for statistic in (*_pixel_statistics(image_shape[0]), *_learned(context))}
    if not keys:
        return tuple(known.values())
    for index, key in enumerate(keys):
        if key in keys[:index]:
            raise AnalysisError(f"The statistic {key!r} is named twice in {', '.join(keys)}; once is enough.")
        if key not in known:
            raise AnalysisError(_why_not(key, tuple(known)))
    return tuple(known[key] for key in keys)


def _why_not(key: str, known: tuple[str, ...]) -> str:
    having = f"These images have {', '.join(known)}."
    match key:
        case "class":
            return (
                "Class probabilities need a classifier, and none was named. Name its weight file: `--classifier FILE`, "
                "one that rpganify saved or the ResNet-56 trained on CIFAR-10; in Python, "
                f"AnalysisContext(classifier=open_classifier(argument=FILE)). {having}"
            )
        case "features":
            return (
                f"Features need an extractor, and none was named: `--extractor classifier:FILE` or `pixels`. {having}"
            )
        case "red" | "green" | "blue" | "saturation":
            return f"The statistic {key!r} is one of colour, and these images are grey. {having}"
    return f"There is no image statistic {key!r}.{closest(key, known)} {having}"


def _pixel_statistics(num_channels: int) -> list[Statistic]:
    is_colour = num_channels == 3
    luma = "the luma 0.299 R + 0.587 G + 0.114 B (BT.601)" if is_colour else "the grey value"
    found = [
        Statistic("brightness", "brightness", GREY_LEVELS, f"Mean over the pixels of {luma}.", _brightness),
        Statistic("contrast", "contrast", GREY_LEVELS, f"Standard deviation over the pixels of {luma}.", _contrast),
        Statistic(
            "edges",
            "edge energy",
            f"{GREY_LEVELS} per pixel",
            f"Root of the mean squared difference of {luma} between neighbours, horizontal and vertical.",
            _edges,
        ),
    ]
    if is_colour:
        found += [
            Statistic(name, name, GREY_LEVELS, f"Mean of the {name} channel.", _channel(index))
            for index, name in enumerate(("red", "green", "blue"))
        ]
        definition = "Mean over the pixels of the largest of the three channels less the smallest (the chroma)."
        found.append(Statistic("saturation", "saturation", GREY_LEVELS, definition, _saturation))
    return found


def _learned(context: AnalysisContext) -> list[Statistic]:
    found = []
    classifier, extractor = context.classifier, context.extractor
    if classifier is not None:
        # The number of classes is what the network gives; it names them by number only.
        num_classes = classifier.scores(torch.zeros(1, *classifier.image_shape)).shape[1]
        found.append(
            Statistic(
                "class",
                "class",
                "",
                f"The vector of the {num_classes} class probabilities that {classifier.name} gives (softmax of its "
                "scores), and each of them by itself.",
                lambda images: classifier.scores(to_float(images)).double().softmax(dim=1),
                tuple(f"class {index}" for index in range(num_classes)),
            )
        )
    if extractor is not None:
        title = "pixels" if extractor.name == "pixels" else "features"
        found.append(
            Statistic(
                "features",
                title,
                "",
                f"The vector of features of {extractor.name}; its variance is the sum of its components' variances.",
                lambda images: extractor(to_float(images)).double().cpu(),
            )
        )
    return found


def luma_of(images: Tensor) -> Tensor:
    """Brightness of each pixel: uint8 `(N, C, H, W)` to float64 `(N, H, W)`, 0 to 255."""
    values = images.double()
    if images.shape[1] == 1:
        return values[:, 0]
    return (values * torch.tensor(LUMA, dtype=torch.float64).view(1, 3, 1, 1)).sum(dim=1)


def _brightness(images: Tensor) -> Tensor:
    return luma_of(images).mean(dim=(1, 2))[:, None]


def _contrast(images: Tensor) -> Tensor:
    return luma_of(images).flatten(1).std(dim=1, correction=0)[:, None]


def _edges(images: Tensor) -> Tensor:
    luma = luma_of(images)
    steps = [luma.diff(dim=axis).square().flatten(1) for axis in (1, 2)]
    total = torch.cat(steps, dim=1)
    # A picture of a single pixel has no neighbours, and no edges.
    return (total.mean(dim=1) if total.shape[1] else total.sum(dim=1)).sqrt()[:, None]


def _channel(index: int) -> Callable[[Tensor], Tensor]:
    return lambda images: images[:, index].double().mean(dim=(1, 2))[:, None]


def _saturation(images: Tensor) -> Tensor:
    values = images.double()
    return (values.amax(dim=1) - values.amin(dim=1)).mean(dim=(1, 2))[:, None]
