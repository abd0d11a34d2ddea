"""Inversion by Adam."""

import pytest
import torch

from rpganify.analysis.geometry.axes import axes_of
from rpganify.analysis.latent_inversion.bases import eigenbasis, plain_basis, preconditioned_basis
from rpganify.analysis.latent_inversion.descent import descend
from rpganify.analysis.latent_inversion.task import Task
from rpganify.errors import AnalysisError
from tests.unit.analysis.latent_inversion.tasks import task_to
from tests.unit.analysis.linear_maps import as_they_are, planted

DIM = 8


def conditioned(condition: float):
    """A linear generator whose singular values fall evenly, on a log scale, from `condition` to 1."""
    return planted(torch.logspace(torch.log10(torch.tensor(condition)), 0, DIM, dtype=torch.float64))


def relative_curve(condition: float, kind: str, num_steps: int = 150) -> torch.Tensor:
    """Mean distance to the target against steps, as a share of the first; targets are the same in scaled coordinates."""
    linear = conditioned(condition)
    axes = axes_of(linear.eigenvalues, linear.right, torch.zeros(1, DIM))
    scaled = preconditioned_basis(axes, 0.0)
    basis = {"plain": plain_basis(DIM), "eigen": eigenbasis(axes), "preconditioned": scaled}[kind]
    wanted = torch.randn(5, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    starts = torch.zeros(5, DIM, dtype=torch.float64)
    search = descend(task_to(linear, scaled.latents(starts, wanted), starts), basis, 0.1, num_steps)
    return (search.distances / search.distances[:, :1]).mean(dim=0)


def test_preconditioned_adam_converges_at_the_same_rate_whatever_the_conditioning():
    curves = [relative_curve(condition, "preconditioned") for condition in (1.0, 10.0, 1000.0)]
    assert curves[0][-1] < 1e-2
    for curve in curves[1:]:
        # Adam divides by the size of its gradients, so that only its ε of 1e-8 knows the scale of the image.
        assert torch.allclose(curve, curves[0], rtol=1e-3, atol=1e-5)


def test_in_the_plain_basis_adam_is_slowed_down_by_bad_conditioning():
    assert relative_curve(1.0, "plain")[-1] < 1e-2
    assert relative_curve(1000.0, "plain")[-1] > 0.1 > 10 * relative_curve(1000.0, "preconditioned")[-1]


def test_distances_are_those_of_the_latents_kept_and_never_rise():
    linear = conditioned(10.0)
    latents, starts = torch.randn(3, DIM, dtype=torch.float64), torch.randn(3, DIM, dtype=torch.float64)
    task = task_to(linear, latents, starts)
    search = descend(task, plain_basis(DIM), 1.0, 40)  # so large a step that distances also rise on the way
    assert (search.distances.diff(dim=1) <= 0).all()
    found = (linear.space.images(search.latents).flatten(1) - task.wanted).norm(dim=1)
    assert search.final.tolist() == pytest.approx(found.tolist())
    start = (linear.space.images(starts).flatten(1) - task.wanted).norm(dim=1)
    assert search.distances[:, 0].tolist() == pytest.approx(start.tolist())


def test_a_step_is_adams_own_and_counts_as_three_passes():
    linear = conditioned(10.0)
    latents, starts = torch.randn(2, DIM, dtype=torch.float64), torch.randn(2, DIM, dtype=torch.float64)
    search = descend(task_to(linear, latents, starts), plain_basis(DIM), 1e-3, 2)
    assert search.passes.tolist() == [1, 4, 7]
    expected = starts.clone().requires_grad_()
    adam = torch.optim.Adam([expected], lr=1e-3)
    for _ in range(2):
        adam.zero_grad()
        ((expected - latents) @ linear.matrix.T).square().sum().backward()
        adam.step()
    assert torch.allclose(search.latents, expected.detach())


def test_a_target_does_not_know_of_the_others_however_many_there_are():
    linear = conditioned(10.0)
    latents, starts = torch.randn(70, DIM, dtype=torch.float64), torch.randn(70, DIM, dtype=torch.float64)
    together = task_to(linear, latents, starts)
    done = []
    all_of_them = descend(together, plain_basis(DIM), 0.1, 5, done.append)
    alone = descend(together.chosen(torch.tensor([69])), plain_basis(DIM), 0.1, 5)
    assert torch.allclose(all_of_them.distances[69], alone.distances[0])
    assert done == [64, 70]


def test_it_works_where_gradients_are_off():
    linear = conditioned(10.0)
    task = task_to(linear, torch.randn(1, DIM, dtype=torch.float64), torch.zeros(1, DIM, dtype=torch.float64))
    with torch.no_grad():
        search = descend(task, plain_basis(DIM), 0.1, 20)
        assert not torch.is_grad_enabled()
    assert search.final < 0.9 * search.distances[:, 0]
    assert not search.latents.requires_grad


def test_targets_and_starts_that_do_not_match_are_refused():
    linear = conditioned(10.0)
    for wanted, starts in ((torch.zeros(0, 64), torch.zeros(0, 8)), (torch.zeros(2, 64), torch.zeros(3, 8))):
        with pytest.raises(AnalysisError, match=f"got {len(wanted)} targets and starts"):
            Task(linear.space, as_they_are, wanted, starts)
