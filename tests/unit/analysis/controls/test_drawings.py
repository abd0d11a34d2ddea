"""Figures are looked at by people; what is tested is that they show what they are given."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure as Drawing

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.controls.figure import MAX_LINEAR, Line, draw_growth
from rpganify.analysis.controls.growth import Growth
from rpganify.analysis.controls.heat import draw_changes, draw_rates
from rpganify.analysis.controls.pictures import Picture, PictureRow, draw_translations


def texts(drawing: Drawing) -> list[str]:
    return [text.get_text() for axes in drawing.axes for text in axes.texts]


def pixels(drawing: Drawing) -> np.ndarray:
    drawing.canvas.draw()
    return np.asarray(drawing.canvas.buffer_rgba())[:, :, :3].astype(int)


def test_rates_are_printed_as_per_cent_and_what_has_no_value_as_a_dash():
    drawing = draw_rates(["one", "two$"], [[1.0, 0.257], [None, 0.0]], "from", "to")
    shown = texts(drawing)
    assert {"100", "26", "0", "–", "from", "to"} <= set(shown) and shown.count("two$") == 2
    pixels(drawing)  # a "$" is no formula


def test_changes_are_printed_with_their_signs_and_differ_in_colour():
    shown = texts(draw_changes(["a", "b"], [[0.5, -0.5], [0.004, None]], "raised", "change"))
    assert {"+50", "−50", "0", "–"} <= set(shown)


def test_pictures_stand_in_rows_and_only_what_missed_is_crossed():
    white = torch.full((1, 8, 8), 255, dtype=torch.uint8)

    def drawn(is_reached):
        row = PictureRow("a", white, (None, Picture(white, is_reached, "2")))
        return draw_translations(["a", "b"], [row], "after")

    hit, missed = drawn(True), drawn(False)
    assert {"before", "after", "a", "b", "2", "–"} <= set(texts(hit))
    assert len(hit.axes[0].images) == len(missed.axes[0].images) == 2
    assert len(missed.axes[0].lines) > len(hit.axes[0].lines)
    assert (pixels(hit) != pixels(missed)).any()


@pytest.mark.parametrize(("largest", "scale"), [(MAX_LINEAR, "linear"), (MAX_LINEAR + 1, "log")])
def test_many_changes_go_on_a_logarithmic_axis(largest, scale):
    growth = Growth((1, 4, largest), (Estimate(0.2, 0.1, 0.3), None, Estimate(0.9, 0.8, 1.0)))
    drawing = draw_growth([Line("$ets", growth, 0)], [Line("images", growth, 2)], "blocks")
    assert [axes.get_xscale() for axes in drawing.axes] == [scale, scale]
    assert drawing.axes[0].get_xlabel() == "changed blocks"
    line = drawing.axes[0].lines[0]
    start = [0] if scale == "linear" else []
    assert line.get_xdata().tolist() == [*start, 1, largest] and line.get_ydata().tolist() == [*start, 20, 90]
    pixels(drawing)
    assert len(draw_growth([Line("sets", growth, 0)], [], "blocks").axes) == 1
