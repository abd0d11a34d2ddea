"""The chart of cost against blocks."""

import pytest

from rpganify.bench.figure import draw_blocks
from tests.unit.bench.results import case_result


def panel(results):
    """The axes of the first panel, and its lines by label."""
    axes = draw_blocks(results).axes[0]
    return axes, {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def test_the_lines_are_the_ratios_to_the_plain_generator_over_the_blocks():
    results = [case_result((4, 4), routed_s=0.030), case_result((1, 1), routed_s=0.020), case_result((8, 2))]
    axes, _ = panel(results)
    routed = [line for line in axes.get_lines() if len(line.get_xdata()) == 3]
    # Sorted, the largest bucket counts; the two passes stand a little beside each other.
    assert all(list(line.get_xdata()) == pytest.approx([1, 4, 8], rel=0.03) for line in routed)
    assert any(list(line.get_ydata()) == pytest.approx([1.0, 1.5, 1.5]) for line in routed)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "4", "8"]


def test_the_bound_and_the_plain_generator_are_drawn_too():
    axes, lines = panel([case_result((1, 1)), case_result((4, 4))])
    assert list(lines["forward: bound"].get_ydata()) == pytest.approx([1.2, 1.2])
    assert list(lines["forward + backward: bound"].get_ydata()) == pytest.approx([76 / 60, 76 / 60])
    assert list(lines["the plain generator"].get_ydata()) == [1, 1]
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == [
        "forward + backward", "forward + backward: bound", "forward", "forward: bound", "the plain generator",
    ]  # fmt: skip


def test_every_generator_and_batch_size_has_a_panel_and_its_name_is_no_formula():
    drawing = draw_blocks([case_result((1, 1)), case_result((4, 4))])
    titles = [axes.get_title(loc="left") for axes in drawing.axes]
    assert titles == ["tiny [x], batch 16"]


def test_lines_differ_in_more_than_colour():
    _, lines = panel([case_result((1, 1)), case_result((4, 4))])
    looks = {(line.get_marker(), line.get_linestyle()) for line in lines.values()}
    assert len(looks) == len(lines) == 3  # the two routed lines are error bars, with marks of the same two shapes
