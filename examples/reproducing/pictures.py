"""The picture of an experiment: panels of samples, of reports' figures and of comparisons, in rows on one sheet."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure as Drawing
from PIL import Image
from torch import Tensor

from rpganify.analysis.generation import evaluating, to_uint8
from rpganify.analysis.quality.comparison import compare_quality
from rpganify.analysis.variations.figure import cell_size
from rpganify.report.pictures import figure_to_png, pictures_of
from rpganify.report.reading import report_from_json
from rpganify.report.report import Figure, Report
from rpganify.report.style import COLOURS, HATCHES, INK, MUTED, PAPER, new_drawing, plain_axes

from .errors import RecipeError
from .measures import open_trained
from .recipe import Recipe
from .reports import read_report
from .stages import Places
from .values import Summary

MAX_BYTES = 290_000
_GAP = 40
# Grids of images share a row of the sheet: 24 columns in all, as wide as the variations above them.
_NUM_SAMPLES, _NUM_COLUMNS = 48, 24
_WIDEST = 1800
# Which of an analyzer's figures a panel shows, by the beginning of its file's name.
_FIGURES = {
    "variations": ("variations", "variations-"),
    "diversity": ("diversity", "diversity-"),
    "responsibility": ("responsibility", "responsibility-shares"),
    "noise-grid": ("noise", "noise-grid"),
    "noise-frechet": ("noise", "noise-frechet"),
}


def draw_picture(recipe: Recipe, places: Places, seeds: Sequence[int], numbers: Mapping[str, Summary]) -> bytes:
    """The recipe's picture as a PNG file of less than 300 kB; models are those of the first seed.

    Args:
        recipe: says which panels, row by row.
        places: where models and reports are.
        seeds: of the trainings.
        numbers: over all of them.
    Raises:
        RecipeError: a panel shows what was not measured.
    """
    rows = [
        _beside([_panel(panel, len(row), recipe, places, seeds, numbers) for panel in row]) for row in recipe.picture
    ]
    return _as_small_png(_below(rows))


def _panel(
    panel: str, num_beside: int, recipe: Recipe, places: Places, seeds: Sequence[int], numbers: Mapping[str, Summary]
) -> Image.Image:
    kind, _, model = panel.partition(" ")
    if kind == "samples":
        return _opened(
            figure_to_png(Figure("samples", "", _samples(recipe, places, seeds[0], model, _NUM_COLUMNS // num_beside)))
        )
    if kind == "shares":
        return _opened(figure_to_png(Figure("shares", "", _shares(recipe, numbers))))
    if kind in ("blocks", "curves"):
        report = compare_quality(list(_quality_reports(recipe, places, seeds)))
        return _opened(pictures_of(report)[report.file(next(one for one in report.figures if one.name == kind))])
    name, beginning = _FIGURES[kind]
    for analysis in recipe.analyses:
        if model in analysis.models and name in analysis.analyzers:
            folder = places.report(recipe, seeds[0], analysis, model)
            files = sorted(file for file in folder.glob(f"{beginning}*.png") if not file.name.endswith(".dark.png"))
            if files:
                return _opened(files[0].read_bytes())
    raise RecipeError(f"{recipe.label}: the panel {panel!r} shows what no analysis of {model} drew.")


def _quality_reports(recipe: Recipe, places: Places, seeds: Sequence[int]) -> Iterable[tuple[str, Report]]:
    """The reports on quality of all models and seeds, under names that people read."""
    for analysis in recipe.analyses:
        for model in analysis.models if "quality" in analysis.analyzers else ():
            for seed in seeds:
                folder = places.report(recipe, seed, analysis, model)
                told = read_report(folder, "quality")
                if told is not None:
                    pictures = {file.name: file.read_bytes() for file in folder.glob("quality-*.png")}
                    label = recipe.model(model).title + (f", seed {seed}" if len(seeds) > 1 else "")
                    yield label, report_from_json(told, pictures)


def _samples(recipe: Recipe, places: Places, seed: int, name: str, num_columns: int) -> Drawing:
    """A grid of a model's images under its title."""
    model = open_trained(places.model(recipe, seed, recipe.model(name)))
    with evaluating(model, seed=0):
        images = to_uint8(model.sample(_NUM_SAMPLES, torch.Generator().manual_seed(0)))
    height, width = (size // 2 for size in cell_size(*images.shape[2:]))
    sheet = _sheet(images, height, width, num_columns)
    title = 60  # pixels, at 200 per inch
    drawing = new_drawing(sheet.shape[1] / 200, (sheet.shape[0] + title) / 200)
    axes = drawing.add_axes((0, 0, 1, sheet.shape[0] / (sheet.shape[0] + title)))
    axes.imshow(sheet, interpolation="nearest", aspect="auto")
    axes.axis("off")
    drawing.text(
        0, 1 - 0.45 * title / (sheet.shape[0] + title), recipe.model(name).title, fontsize=10, color=INK, va="center"
    )
    return drawing


def _sheet(images: Tensor, height: int, width: int, num_columns: int) -> np.ndarray:
    """Images `(N, C, H, W)` enlarged to cells of that size, in rows, as an RGB picture."""
    gap = 6
    num_rows = -(-len(images) // num_columns)
    sheet = np.full((num_rows * (height + gap) - gap, num_columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, num_columns)
        y, x = row * (height + gap), column * (width + gap)
        pixels = Image.fromarray(image.expand(3, -1, -1).permute(1, 2, 0).numpy())
        way = Image.Resampling.NEAREST if height >= image.shape[1] else Image.Resampling.BOX
        sheet[y : y + height, x : x + width] = np.asarray(pixels.resize((width, height), way))
    return sheet


def _shares(recipe: Recipe, numbers: Mapping[str, Summary]) -> Drawing:
    """Bars: how often each model's images show each class, as the classifier sees them."""
    measured = [name for measure in recipe.measures if measure.kind == "class-shares" for name in measure.models]
    if not measured:
        raise RecipeError(f"{recipe.label}: the panel 'shares' needs the measure class-shares.")
    drawing = new_drawing(9.0, 2.6)
    axes = drawing.add_subplot()
    plain_axes(axes)
    width = 0.84 / len(measured)
    num_classes = sum(f"{measured[0]} share-{index}" in numbers for index in range(1000))
    for place, name in enumerate(measured):
        shares = [numbers[f"{name} share-{index}"] for index in range(num_classes)]
        x = [index + (place - (len(measured) - 1) / 2) * width for index in range(num_classes)]
        errors = [[_whisker(one, -1) for one in shares], [_whisker(one, 1) for one in shares]]
        axes.bar(
            x,
            [100 * one.value for one in shares],
            width=width,
            color=COLOURS[place % len(COLOURS)],
            hatch=HATCHES[place % len(HATCHES)],
            edgecolor="white",
            linewidth=0,
            yerr=errors,
            error_kw={"elinewidth": 0.8, "ecolor": INK, "capsize": 1.5},
            label=recipe.model(name).title,
        )
    axes.axhline(100 / num_classes, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
    axes.set_xticks(range(num_classes))
    axes.set_xlabel("class, as the classifier sees it", fontsize=9, color=INK)
    axes.set_ylabel("images, %", fontsize=9, color=INK)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=8, frameon=False, borderaxespad=0.3)
    drawing.tight_layout(pad=0.8)
    return drawing


def _whisker(one: Summary, side: int) -> float:
    end = one.high if side > 0 else one.low
    return 0.0 if end is None else max(0.0, 100 * side * (end - one.value))


def _opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def _beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures in a row, their tops at one height."""
    width = sum(one.width for one in pictures) + _GAP * (len(pictures) - 1)
    row = Image.new("RGB", (width, max(one.height for one in pictures)), PAPER)
    x = 0
    for one in pictures:
        row.paste(one, (x, 0))
        x += one.width + _GAP
    return row


def _below(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures one below the other, with a margin around all."""
    size = max(one.width for one in pictures) + 2 * _GAP, sum(one.height + _GAP for one in pictures) + _GAP
    sheet = Image.new("RGB", size, PAPER)
    y = _GAP
    for one in pictures:
        sheet.paste(one, (_GAP, y))
        y += one.height + _GAP
    return sheet


def _as_small_png(picture: Image.Image) -> bytes:
    """The picture at most 1800 pixels wide, in as few colours and pixels as it takes to stay below 300 kB."""
    scale = min(1.0, _WIDEST / picture.width)
    while True:
        size = round(scale * picture.width), round(scale * picture.height)
        smaller = picture if scale == 1 else picture.resize(size, Image.Resampling.LANCZOS)
        for colours in (256, 96):
            buffer = io.BytesIO()
            smaller.quantize(colours, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
            if buffer.tell() < MAX_BYTES:
                return buffer.getvalue()
        scale *= 0.9
