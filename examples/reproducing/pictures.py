"""The picture of an experiment: panels of samples, of reports' figures and of comparisons, in rows on one sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from matplotlib.figure import Figure as Drawing
from PIL import Image

from rpganify.analysis.classes.comparison import compare_classes
from rpganify.analysis.generation import evaluating, to_uint8
from rpganify.analysis.quality.comparison import compare_quality
from rpganify.analysis.retention.comparison import compare_retention
from rpganify.analysis.variations.figure import cell_size
from rpganify.modelfile import load_model
from rpganify.modelfinding import find_model
from rpganify.report.pictures import figure_to_png, pictures_of
from rpganify.report.reading import report_from_json
from rpganify.report.report import Figure, Report
from rpganify.report.style import DPI, INK, new_drawing

from .errors import RecipeError
from .panels import OF_A_MODEL, OF_ALL
from .recipe import Recipe
from .reports import read_report
from .sheet import as_small_png, below, beside, in_rows, opened
from .stages import Places

# Grids of images share a row of the sheet: 24 columns in all, as wide as the variations above them.
_NUM_SAMPLES, _NUM_COLUMNS = 48, 24
_TITLE_HEIGHT = 60

_COMPARISONS: dict[str, Callable[[Sequence[tuple[str, Report]]], Report]] = {
    "quality": compare_quality,
    "classes": compare_classes,
    "retention": compare_retention,
}


def draw_picture(recipe: Recipe, places: Places, seeds: Sequence[int]) -> bytes:
    """The recipe's picture as a PNG file of less than 300 kB.

    Args:
        recipe: says which panels, row by row.
        places: where models and reports are.
        seeds: of the trainings. The number of blocks is shown for all of them; every other panel is of the first.
    Raises:
        RecipeError: a panel shows what was not measured.
    """
    rows = [beside([_panel(panel, len(row), recipe, places, seeds) for panel in row]) for row in recipe.picture]
    return as_small_png(below(rows))


def _panel(panel: str, num_beside: int, recipe: Recipe, places: Places, seeds: Sequence[int]) -> Image.Image:
    kind, _, model = panel.partition(" ")
    if not model:
        return _compared(kind, recipe, places, seeds)
    if kind == "samples":
        drawing = _samples(recipe, places, seeds[0], model, _NUM_COLUMNS // num_beside)
        return opened(figure_to_png(Figure("samples", "", drawing)))
    for analysis in recipe.analyses:
        folder = places.report(recipe, seeds[0], analysis, model)
        files = sorted(folder.glob(f"{OF_A_MODEL[kind]}*.png")) if model in analysis.models else []
        if files:
            return opened(files[0].read_bytes())
    raise RecipeError(f"{recipe.label}: the panel {panel!r} shows what no analysis of {model} drew.")


def _compared(kind: str, recipe: Recipe, places: Places, seeds: Sequence[int]) -> Image.Image:
    """A figure of a comparison of all models that an analyzer measured."""
    analyzer, name = OF_ALL[kind]
    compared = list(_reports(analyzer, recipe, places, seeds if analyzer == "quality" else seeds[:1]))
    if not compared:
        raise RecipeError(f"{recipe.label}: the panel {kind!r} compares reports of {analyzer!r}, and there is none.")
    report = _COMPARISONS[analyzer](compared)
    figure = next((one for one in report.figures if one.name == name), None)
    if figure is None:
        raise RecipeError(f"{recipe.label}: the panel {kind!r} is for random path generators, and there is none.")
    return opened(pictures_of(report)[report.file(figure)])


def _reports(analyzer: str, recipe: Recipe, places: Places, seeds: Sequence[int]) -> Iterable[tuple[str, Report]]:
    """The reports of an analyzer on all models and seeds, under names that people read."""
    for analysis in recipe.analyses:
        for model in analysis.models if analyzer in analysis.analyzers else ():
            for seed in seeds:
                folder = places.report(recipe, seed, analysis, model)
                told = read_report(folder, analyzer)
                if told is not None:
                    pictures = {file.name: file.read_bytes() for file in folder.glob(f"{analyzer}-*.png")}
                    label = recipe.model(model).title + (f", seed {seed}" if len(seeds) > 1 else "")
                    yield label, report_from_json(told, pictures)


def _samples(recipe: Recipe, places: Places, seed: int, name: str, num_columns: int) -> Drawing:
    """A grid of a model's images under its title."""
    model = load_model(find_model(places.model(recipe, seed, recipe.model(name))).directory)
    with evaluating(model, seed=0):
        images = to_uint8(model.sample(_NUM_SAMPLES, torch.Generator().manual_seed(0)))
    height, width = (size // 2 for size in cell_size(*images.shape[2:]))
    sheet = in_rows(images, height, width, num_columns)
    total = sheet.shape[0] + _TITLE_HEIGHT
    drawing = new_drawing(sheet.shape[1] / DPI, total / DPI)
    axes = drawing.add_axes((0, 0, 1, sheet.shape[0] / total))
    axes.imshow(sheet, interpolation="nearest", aspect="auto")
    axes.axis("off")
    drawing.text(0, 1 - 0.45 * _TITLE_HEIGHT / total, recipe.model(name).title, fontsize=10, color=INK, va="center")
    return drawing
