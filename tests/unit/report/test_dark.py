import colorsys
import io

import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle
from PIL import Image

from rpganify.report.dark import DARK_PAPER, dark_png
from rpganify.report.report import Figure
from rpganify.report.style import INK, PAPER, new_drawing, plain_axes
from rpganify.report.writing import figure_to_png


def chart() -> Drawing:
    drawing = new_drawing(3, 2)
    axes = drawing.add_subplot()
    plain_axes(axes)
    axes.bar([0, 1], [1, 2], color="#e69f00", edgecolor=PAPER, hatch="//")
    axes.errorbar([0, 1], [1, 2], [0.1, 0.2], fmt="none", ecolor=INK)
    axes.scatter([0, 1], [0.5, 0.5], c=[INK, "#e69f00"])
    axes.set_title("A title", color=INK)
    return drawing


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def colours(png: bytes) -> set[str]:
    rows = np.unique(pixels(png).reshape(-1, 3), axis=0)
    return {f"#{r:02x}{g:02x}{b:02x}" for r, g, b in rows}


def test_a_chart_stands_on_dark_paper_with_light_ink_and_its_colours_keep_their_hue():
    light, dark = figure_to_png(Figure("c", "c", chart())), dark_png(chart())
    assert pixels(light).shape == pixels(dark).shape
    assert {PAPER, "#e69f00"} <= colours(light) and DARK_PAPER not in colours(light)
    assert {DARK_PAPER, "#e8ebef"} <= colours(dark) and not {PAPER, INK} & colours(dark)
    orange = pixels(dark).reshape(-1, 3)[pixels(dark).reshape(-1, 3).argmax(axis=0)[0]] / 255
    assert colorsys.rgb_to_hls(*orange)[0] == pytest.approx(colorsys.rgb_to_hls(0xE6, 0x9F, 0)[0], abs=0.01)


def test_contrasts_stay_what_they_were_on_cells_that_are_drawn_as_patches():
    drawing = new_drawing(2, 1)
    axes = drawing.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 2)
    axes.axis("off")
    for x, ground, ink in ((0, "#d3e4f1", INK), (1, "#07345a", PAPER)):
        axes.add_patch(Rectangle((x, 0), 1, 1, facecolor=ground, linewidth=0))
        axes.text(x + 0.5, 0.5, "88", color=ink, fontsize=40, ha="center", va="center")
    dark = pixels(dark_png(drawing)).mean(axis=2)
    assert dark[5, 5] < 80 < dark[:, :200].max()  # light text on the cell that is dark now
    assert dark[5, 395] > 120 > dark[:, 200:].min()


def test_the_figure_itself_is_left_as_it_was():
    drawing = chart()
    before = figure_to_png(Figure("c", "c", drawing))
    first = dark_png(drawing)
    assert figure_to_png(Figure("c", "c", drawing)) == before
    assert dark_png(drawing) == first != before


def test_a_picture_in_a_figure_and_the_words_on_it_stay_as_they_are():
    def heat_map(text: str) -> Drawing:
        drawing = new_drawing(2, 2)
        axes = drawing.add_axes((0.25, 0.25, 0.5, 0.5))
        axes.imshow(np.full((4, 4, 3), 255, dtype=np.uint8))
        axes.axis("off")
        axes.text(1.5, 1.5, text, color=INK, ha="center", va="center", fontsize=30)
        return drawing

    light, dark = pixels(figure_to_png(Figure("h", "h", heat_map("8")))), pixels(dark_png(heat_map("8")))
    inside = np.s_[105:295, 105:295]
    assert (light[inside] == dark[inside]).all()
    assert (light[inside] < 100).any()  # the figure eight is there
    assert tuple(dark[5, 5]) == tuple(int(DARK_PAPER[i : i + 2], 16) for i in (1, 3, 5))
