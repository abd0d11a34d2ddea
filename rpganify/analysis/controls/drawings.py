"""The figures of a report on controls: charts, heat maps, and the images before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.controls.figure import Line, draw_growth, draw_sets
from rpganify.analysis.controls.found import OPTIMISED, SEQUENTIAL, Controls
from rpganify.analysis.controls.growth import image_growth, set_growth
from rpganify.analysis.controls.heat import draw_changes, draw_rates
from rpganify.analysis.controls.pictures import Picture, PictureRow, draw_translations
from rpganify.analysis.controls.subject import Subject
from rpganify.analysis.generation import to_uint8
from rpganify.report.report import Figure


@dataclass(frozen=True, slots=True)
class Measured:
    """A generator and its controls.

    Args:
        subject: makes its images.
        controls: that were found.
        images: codes to uint8 images `(N, C, H, W)`.
    """

    subject: Subject
    controls: Controls
    images: Callable[[Tensor], Tensor]


def measured_of(subject: Subject, controls: Controls) -> Measured:
    """The two together; call `images` where the model is in eval mode."""

    def images(codes: Tensor) -> Tensor:
        with torch.no_grad():
            return to_uint8(subject.judge.images(codes)).cpu()

    return Measured(subject, controls, images)


def draw_all(measured: Measured, twin: Measured | None, chance: torch.Generator) -> tuple[Figure, ...]:
    """All figures of a report; the models are in eval mode.

    Args:
        measured: the model's controls.
        twin: the standard twin's; None without one.
        chance: of the bootstrap.
    """
    found = measured.controls
    unit = "dimensions" if found.is_latent else "blocks"
    figures = [Figure("sets", _sets_caption(found), draw_sets(found))]
    sets = [Line(_label(found, way), set_growth(found, way, chance), index) for index, way in enumerate(_ways(found))]
    images = [Line(_label(found, SEQUENTIAL, is_image=True), image_growth(found, chance), 0)]
    if twin is not None:
        sets.append(Line("standard twin, dimensions", set_growth(twin.controls, SEQUENTIAL, chance), 2))
        images.append(Line("standard twin, dimensions", image_growth(twin.controls, chance), 2))
        unit = "blocks, or dimensions"
    sets, images = ([line for line in lines if line.growth.sizes] for lines in (sets, images))
    if sets:
        figures.append(Figure("sizes", _sizes_caption(unit, bool(images)), draw_growth(sets, images, unit)))
    rates = [[None if one is None else one.value for one in row] for row in found.translation.rates]
    caption = (
        "How often images of the row's class become the column's under its control, in per cent of the row's held-out "
        "images. Framed: what stays of a class that is raised."
    )
    figures.append(Figure("translation-rates", caption, draw_rates(found.concepts, rates, "from", "to")))
    changes: list[list[float | None]] = []
    for concept in range(len(found.concepts)):
        known = found.better(concept).outcome.changes
        changes.append([one.value for one in known] if known else [None] * len(found.concepts))
    caption = (
        "Side effects: the mean change of each class's probability when the row's class is raised, in percentage points, over "
        "images that were not of it. Framed: the class that is raised. Colours go with the square root."
    )
    picture = draw_changes(found.concepts, changes, "raised", "change of the probability of")
    figures.append(Figure("side-effects", caption, picture))
    figures += _pictures(measured)
    return tuple(figures)


def _pictures(measured: Measured) -> list[Figure]:
    """Images before and after: under one control per class, and by the fewest changes of each image."""
    found = measured.controls
    shown = [(concept, row) for concept, row in enumerate(found.translation.examples) if row is not None]
    if not shown:
        return []
    codes = found.held[[row for _, row in shown]]
    before = measured.images(codes)
    columns: list[list[Picture] | None] = []
    for target in range(len(found.concepts)):
        control = found.better(target).control
        if not control.choices:
            columns.append(None)
            continue
        after = control.apply(codes)
        classes = measured.subject.judge.probabilities(after).argmax(dim=1)
        is_reached = (classes == target).tolist()
        columns.append([Picture(*one) for one in zip(measured.images(after), is_reached, strict=True)])
    rows = [
        PictureRow(
            found.concepts[concept], before[index], tuple(column[index] if column else None for column in columns)
        )
        for index, (concept, _) in enumerate(shown)
    ]
    where = "one control per class, the same for all images"
    caption = (
        "Class-to-class translation. Before: an image of each class, the one of median probability among the held-out ones. "
        "Each column: the same images under that class's control. A cross marks what the classifier takes for another class."
    )
    figures = [Figure("translation", caption, draw_translations(found.concepts, rows, f"after: {where}"))]
    few = _few_rows(measured)
    if few:
        unit = "dimensions" if found.is_latent else "blocks"
        caption = (
            f"Class-to-class translation by as few changed {unit} as possible, chosen for each image; below each picture: how "
            "many. Before: the first held-out image of each class. A cross marks what no tried change brought to the class."
        )
        title = f"after: the fewest changed {unit} of each image"
        figures.append(Figure("fewest", caption, draw_translations(found.concepts, few, title)))
    return figures


def _few_rows(measured: Measured) -> list[PictureRow]:
    found = measured.controls
    if found.fewest is None:
        return []
    few = found.fewest
    classes = found.held_classes[: len(few.num_changes)].tolist()
    rows = []
    for concept, name in enumerate(found.concepts):
        if concept not in classes:
            continue
        index = classes.index(concept)
        after = measured.images(few.codes[index])
        counts = few.num_changes[index].tolist()
        made = tuple(
            None if count == 0 else Picture(image, count > 0, str(count) if count > 0 else f"> {few.max_changes}")
            for image, count in zip(after, counts, strict=True)
        )
        rows.append(PictureRow(name, measured.images(found.held[index : index + 1])[0], made))
    return rows


def _ways(found: Controls) -> list[str]:
    return [way for way in (SEQUENTIAL, OPTIMISED) if found.of_method(way)]


def _label(found: Controls, way: str, *, is_image: bool = False) -> str:
    if not found.is_latent:
        return "blocks"
    return "dimensions" if is_image else {SEQUENTIAL: "set one after another", OPTIMISED: "shift, optimised"}[way]


def _sets_caption(found: Controls) -> str:
    everything = " Diamonds: all dimensions set or shifted." if found.is_latent else ""
    return (
        "How often each class's controlling set brings held-out images of other classes to it, with 95 % intervals. Grey: what "
        f"the middle 95 % of random sets of the same size do, with their mean.{everything} On the right: how many "
        f"{'dimensions' if found.is_latent else 'blocks'} the set has."
    )


def _sizes_caption(unit: str, has_images: bool) -> str:
    right = " Right: the share of images and other classes for which so many changes, chosen for the image, are enough."
    return (
        f"Success by the number of changed {unit}, mean over classes with 95 % intervals. Left: one set for all images, of "
        f"each class the best that is no larger.{right if has_images else ''}"
    )
