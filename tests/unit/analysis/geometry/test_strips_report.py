"""Strips in a report: tables, pictures, notes."""

import io

import pytest
import torch
from PIL import Image

from rpganify.analysis.geometry.axes import axes_of
from rpganify.analysis.geometry.points import Point
from rpganify.analysis.geometry.strips_report import axes_section, reach_in, step_size
from rpganify.errors import AnalysisError
from rpganify.report.report import Report
from rpganify.report.writing import figure_to_png
from tests.unit.analysis.linear_maps import as_they_are, curved, planted

LINEAR = planted(torch.tensor([3.0, 2.0, 1.0, 0.9, 0.8, 0.7, 0.5, 0.2, 0.1, 0.01]))
SPACE = curved(LINEAR)
POSITIONS = LINEAR.space.draw(3, torch.Generator().manual_seed(2))
OWN = axes_of(LINEAR.eigenvalues, LINEAR.right, POSITIONS[:1])
MEAN = axes_of(LINEAR.eigenvalues, LINEAR.right.flip(0), POSITIONS)


def section(own=OWN, mean=MEAN, positions=POSITIONS, space=SPACE):
    points = [Point(str(number), space, position) for number, position in enumerate(positions, 1)]
    return axes_section(points, as_they_are, own, mean)


@pytest.fixture(scope="module")
def found():
    return section()


def test_axes_are_shown_at_one_position_of_the_mean_metric_on_the_sphere_and_elsewhere(found):
    assert [figure.name for figure in found.figures] == ["axes-own", "axes-mean", "axes-sphere", "axes-places"]
    Report("geometry", "Geometry", found.definition, found.tables, found.figures)
    sizes = [Image.open(io.BytesIO(figure_to_png(figure))).size for figure in found.figures]
    assert sizes[0] == sizes[1] == sizes[2]
    assert sizes[3][0] == sizes[0][0]


def test_the_table_has_a_row_for_every_strip_with_what_was_measured(found):
    (table,) = found.tables
    by_name = [dict(zip([column.name for column in table.columns], row, strict=True)) for row in table.rows]
    # Six axes and three for contrast, at one position in three ways; then three axes at two more positions.
    assert len(by_name) == 3 * 9 + 2 * 3
    assert [row["axis"] for row in by_name[:9]] == [1, 2, 3, 4, 5, 6, 7, 9, 10]
    assert [row["axes"] for row in by_name] == ["metric at position 1"] * 9 + ["mean metric"] * 24
    assert [row["at"] for row in by_name[27:]] == ["2"] * 3 + ["3"] * 3
    assert {row["way"] for row in by_name[18:27]} == {"spherical"}
    for row in by_name:
        assert row["measured"] <= row["step"] * 1.001
        assert row["off"] < row["off, even in z"] + 5
        assert -4 <= row["from"] < 0 < row["to"] <= 4


def test_the_note_says_how_far_steps_are_off_and_would_be_without_the_metric(found):
    (table,) = found.tables
    off, even = (
        max(row[[c.name for c in table.columns].index(name)] for row in table.rows)
        for name in ("off", "off, even in z")
    )
    assert f"off by at most {off:.2g} % of the step" in found.notes[0]
    assert f"it would be up to {even:.2g} %" in found.notes[0]


def test_of_a_single_position_nothing_is_shown_twice():
    found = section(own=OWN, mean=OWN, positions=POSITIONS[:1])
    assert [figure.name for figure in found.figures] == ["axes-own", "axes-sphere"]
    assert {row[0] for row in found.tables[0].rows} == {"metric at position 1"}
    assert "mean metric" not in " ".join(figure.caption for figure in found.figures)


def test_there_is_no_sphere_around_the_latent_0():
    axes = axes_of(LINEAR.eigenvalues, LINEAR.right, torch.zeros(1, 10))
    found = section(own=axes, mean=axes, positions=torch.zeros(1, 10))
    assert [figure.name for figure in found.figures] == ["axes-own"]


def test_images_that_are_all_the_same_give_no_step_to_take():
    idle = planted(torch.tensor([0.0, 0.0]))
    axes = axes_of(idle.eigenvalues, idle.right, torch.ones(1, 2))
    with pytest.raises(AnalysisError, match="A strip needs a step, a reach and steps above 0; got 0"):
        section(own=axes, mean=axes, positions=torch.ones(1, 2), space=idle.space)


def test_a_step_is_a_share_of_the_distance_between_random_images():
    chance = torch.Generator().manual_seed(9)
    one, other = (LINEAR.space.images(LINEAR.space.draw(4000, chance)).flatten(1) for _ in range(2))
    expected = 0.12 * float((one - other).norm(dim=1).median())
    assert step_size(LINEAR.space, as_they_are) == pytest.approx(expected, rel=0.2)  # of 64 pairs


def test_the_reach_is_four_standard_deviations_of_what_is_drawn():
    assert reach_in(LINEAR.space) == 4
    wide = type(LINEAR.space)(
        "z", 10, (10,), (1, 8, 8), torch.device("cpu"), torch.float64,
        lambda n, generator: 3 * LINEAR.space.draw(n, generator) + 7, LINEAR.space.images,
    )  # fmt: skip
    assert reach_in(wide) == pytest.approx(12, rel=0.1)
