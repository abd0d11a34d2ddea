"""Images along axes, at equal distances."""

import math

import pytest
import torch

from rpganify.analysis.geometry.axes import axes_of
from rpganify.analysis.geometry.strips import LINEAR, SPHERICAL, curve_along, make_strips
from rpganify.errors import AnalysisError
from tests.unit.analysis.linear_maps import as_they_are, curved, planted

LINEAR_MAP = planted(torch.tensor([3.0, 1.0, 0.5, 0.1, 0.02]))
AXES = axes_of(LINEAR_MAP.eigenvalues, LINEAR_MAP.right, torch.zeros(1, 5))
POSITION = torch.randn(5, generator=torch.Generator().manual_seed(3))


def strips(**settings):
    given = {"space": LINEAR_MAP.space, "indices": range(5), "step": 0.05, "kind": LINEAR, "num_steps": 3, "reach": 4.0}
    given |= settings
    return make_strips(given.pop("space"), as_they_are, AXES, given.pop("indices"), POSITION, **given)


def test_on_a_linear_generator_equal_steps_are_exact_and_those_that_the_eigenvalue_says():
    for strip in strips(reach=8.0):
        assert strip.measured.tolist() == pytest.approx([0.05] * 6, rel=1e-9)
        assert strip.deviation == pytest.approx(0, abs=1e-9)
        length = 0.05 * math.sqrt(2 / strip.eigenvalue)  # of a step in the latent space
        assert strip.offsets.tolist() == pytest.approx([length * n for n in range(-3, 4)], rel=1e-9)
        assert not strip.is_cut


def test_latents_lie_on_the_line_through_the_position():
    (strip,) = strips(indices=[1])
    expected = POSITION.double() + strip.offsets[:, None] * AXES.directions[1]
    assert torch.allclose(strip.latents, expected)
    assert torch.equal(strip.latents[3], POSITION.double())
    assert strip.images.shape == (7, 1, 8, 8) and strip.images.dtype == torch.uint8


def test_spherical_steps_keep_the_norm_and_leave_along_the_axis():
    for strip in strips(kind=SPHERICAL):
        assert strip.latents.norm(dim=1).tolist() == pytest.approx([float(POSITION.norm())] * 7, rel=1e-6)
        # Latents of a great circle span a plane, that of the position and the axis.
        plane = torch.linalg.qr(torch.stack([POSITION.double(), AXES.directions[strip.axis_index]], dim=1)).Q
        assert torch.allclose(strip.latents @ plane @ plane.T, strip.latents, atol=1e-6)
        moved = (strip.latents[4] - strip.latents[2]) @ AXES.directions[strip.axis_index]
        assert moved > 0


def test_a_great_circle_is_gone_along_at_unit_speed():
    curve = curve_along(POSITION, AXES.directions[0], SPHERICAL)
    offsets = torch.tensor([-1.0, 0.0, 0.7], dtype=torch.float64)
    small = 1e-6
    slope = (curve.at(offsets + small) - curve.at(offsets - small)) / (2 * small)
    assert torch.allclose(curve.velocity(offsets), slope, atol=1e-8)
    assert curve.velocity(offsets).norm(dim=1).tolist() == pytest.approx([1, 1, 1])


def test_on_a_curved_generator_steps_by_the_metric_are_far_more_even_than_steps_in_the_latent_space():
    space = curved(LINEAR_MAP, stretch=2.0)
    found = strips(space=space, indices=[0, 1], step=0.3, reach=20.0)
    for strip in found:
        assert strip.deviation < 0.05
        assert strip.deviation < strip.deviation_even / 2
        assert strip.measured.max() <= strip.wanted * 1.001  # a chord is no longer than its arc


def test_measured_steps_are_the_distances_of_the_images_features():
    space = curved(LINEAR_MAP)
    (strip,) = strips(space=space, indices=[0], step=0.2)
    images = space.images(strip.latents).flatten(1)
    assert strip.measured.tolist() == pytest.approx((images[1:] - images[:-1]).norm(dim=1).tolist())


def test_where_the_reach_ends_first_the_steps_are_smaller_and_still_equal():
    (strip,) = strips(indices=[3], step=1.0, reach=2.0)  # singular value 0.1: a distance of 0.2 to each side
    assert strip.is_cut
    assert strip.wanted == pytest.approx(0.2 / 3)
    assert strip.measured.tolist() == pytest.approx([0.2 / 3] * 6)
    assert strip.offsets.abs().max() == pytest.approx(2.0)


def test_an_axis_that_changes_nothing_has_even_steps_and_no_deviation():
    idle = planted(torch.tensor([1.0, 0.0]))
    axes = axes_of(idle.eigenvalues, idle.right, torch.zeros(1, 2))
    (strip,) = make_strips(idle.space, as_they_are, axes, [1], torch.ones(2), step=0.1, num_steps=2)
    assert strip.wanted == pytest.approx(0, abs=1e-12)
    assert strip.offsets[[0, -1]].tolist() == [-4, 4]


def test_a_circle_goes_no_farther_than_a_quarter():
    idle = planted(torch.tensor([1.0, 1.0]))
    axes = axes_of(idle.eigenvalues, idle.right, torch.zeros(1, 2))
    position = axes.directions[1] * 0.5
    (strip,) = make_strips(idle.space, as_they_are, axes, [0], position, step=10, kind=SPHERICAL, num_steps=2)
    assert strip.offsets.abs().max() == pytest.approx(0.5 * math.pi / 2)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"indices": [5]}, r"There are 5 axes, 0 to 4 in Python; no axis 5\."),
        ({"indices": [-1]}, "no axis -1"),
        ({"step": 0.0}, "needs a step, a reach and steps above 0; got 0.0, 4.0 and 3"),
        ({"kind": "round"}, "A strip is linear or spherical, not 'round'"),
    ],
)
def test_what_makes_no_strip_is_refused(settings, message):
    with pytest.raises(AnalysisError, match=message):
        strips(**settings)


def test_circles_that_do_not_exist_and_positions_of_another_space_are_refused():
    with pytest.raises(AnalysisError, match="no great circle through the latent 0"):
        curve_along(torch.zeros(5), AXES.directions[0], SPHERICAL)
    with pytest.raises(AnalysisError, match="points along the position itself"):
        curve_along(3 * AXES.directions[0], AXES.directions[0], SPHERICAL)
    with pytest.raises(AnalysisError, match="The axes have 5 dimensions, the position 4"):
        make_strips(LINEAR_MAP.space, as_they_are, AXES, [0], torch.ones(4), step=0.1)
