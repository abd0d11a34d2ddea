"""Coordinates in which a latent is searched."""

import pytest
import torch

from rpganify.analysis.geometry.axes import Axes, axes_of
from rpganify.analysis.latent_inversion.bases import eigenbasis, plain_basis, preconditioned_basis
from rpganify.errors import AnalysisError
from tests.unit.analysis.linear_maps import planted

LINEAR = planted(torch.tensor([3.0, 1.0, 0.5, 0.1]))
AXES = axes_of(LINEAR.eigenvalues, LINEAR.right, torch.zeros(1, 4))


def test_coordinates_count_from_the_start_along_the_axes():
    starts, coordinates = torch.randn(2, 4), torch.tensor([[0.5, 0.0, 0, 0], [0, 0, -2.0, 0]])
    moved = eigenbasis(AXES).latents(starts, coordinates) - starts
    assert torch.allclose(moved.double(), torch.stack([0.5 * AXES.directions[0], -2 * AXES.directions[2]]), atol=1e-6)
    assert torch.equal(plain_basis(4).latents(starts, coordinates), starts + coordinates)


def test_the_first_axes_alone_leave_the_rest_of_a_latent_as_it_is():
    basis = eigenbasis(AXES, 2)
    starts = torch.randn(3, 4, dtype=torch.float64)
    moved = basis.latents(starts, torch.randn(3, 2, dtype=torch.float64)) - starts
    assert basis.num_coordinates == 2
    assert (moved @ AXES.directions[2:].T).abs().max() < 1e-12
    assert basis.name == "first 2 axes"


def test_without_epsilon_a_unit_step_along_any_preconditioned_axis_moves_the_image_equally_far():
    basis = preconditioned_basis(AXES, 0.0)
    moved = LINEAR.space.images(basis.matrix.T).flatten(1).norm(dim=1)
    assert moved.tolist() == pytest.approx([float(moved[0])] * 4)


def test_epsilon_bounds_how_much_farther_a_weak_axis_is_gone():
    lengths = preconditioned_basis(AXES, 0.25).matrix.norm(dim=0)
    ratios = (lengths / lengths[0]).tolist()
    # λ is 18, 2, 0.5, 0.02 and ε 4.5, so that the weakest may go √((18 + 4.5) / (0.02 + 4.5)) times as far.
    assert ratios == pytest.approx([1, (22.5 / 6.5) ** 0.5, (22.5 / 5) ** 0.5, (22.5 / 4.52) ** 0.5], rel=1e-6)


@pytest.mark.parametrize("epsilon", [0.0, 0.01, 1.0])
def test_steps_of_one_size_mean_about_the_same_in_every_basis(epsilon):
    for basis in (plain_basis(4), eigenbasis(AXES), eigenbasis(AXES, 2), preconditioned_basis(AXES, epsilon)):
        assert float(basis.matrix.square().sum(dim=0).mean()) == pytest.approx(1)


def test_what_makes_no_basis_is_refused():
    with pytest.raises(AnalysisError, match="There are 4 axes, so a search takes the first 1 to 4, not 5"):
        eigenbasis(AXES, 5)
    some = Axes(AXES.directions[:2], AXES.eigenvalues[:2], AXES.positions)
    with pytest.raises(AnalysisError, match="2 axes do not span 4 dimensions"):
        preconditioned_basis(some)
    flat = Axes(AXES.directions, torch.tensor([1.0, 1, 1, 0], dtype=torch.float64), AXES.positions)
    with pytest.raises(AnalysisError, match="With ε = 0 of the largest eigenvalue, 1, some eigenvalue and ε are not"):
        preconditioned_basis(flat, 0.0)
    with pytest.raises(AnalysisError, match=r"With ε = -0\.1"):
        preconditioned_basis(AXES, -0.1)


def test_with_the_length_held_latents_go_around_the_sphere_of_their_start():
    starts = torch.randn(3, 4, dtype=torch.float64)
    coordinates = torch.randn(3, 4, dtype=torch.float64)
    free = eigenbasis(AXES)
    held = free.with_length_held()
    found = held.latents(starts, coordinates)
    assert found.norm(dim=1).tolist() == pytest.approx(starts.norm(dim=1).tolist())
    assert torch.allclose(
        found / found.norm(dim=1, keepdim=True), torch.nn.functional.normalize(free.latents(starts, coordinates))
    )
    assert torch.allclose(held.latents(starts, torch.zeros(3, 4, dtype=torch.float64)), starts)
    assert held.name == "eigenbasis, length held"
