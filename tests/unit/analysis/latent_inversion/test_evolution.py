"""Inversion by CMA-ES."""

import sys

import numpy as np
import pytest
import torch

from rpganify.analysis.geometry.axes import axes_of
from rpganify.analysis.latent_inversion.bases import eigenbasis, plain_basis
from rpganify.analysis.latent_inversion.evolution import evolve, population_size, require_cma
from rpganify.errors import AnalysisError
from tests.unit.analysis.latent_inversion.tasks import task_to
from tests.unit.analysis.linear_maps import planted


@pytest.fixture
def linear():
    pytest.importorskip("cma")
    return planted(torch.tensor([3.0, 2.0, 1.0, 0.01, 0.01, 0.01]))


@pytest.fixture
def task(linear):
    chance = torch.Generator().manual_seed(4)
    return task_to(linear, linear.space.draw(3, chance), linear.space.draw(3, chance))


def test_it_comes_near_and_keeps_the_best_latent_of_all(linear, task):
    search = evolve(task, plain_basis(6), 0.5, 800, seed=0)
    assert (search.final < 0.05 * search.distances[:, 0]).all()
    found = (linear.space.images(search.latents).flatten(1) - task.wanted).norm(dim=1)
    assert search.final.tolist() == pytest.approx(found.tolist())
    assert (search.distances.diff(dim=1) <= 0).all()


def test_passes_count_every_image_and_keep_within_the_budget(linear, task):
    size = population_size(6)
    assert size == 9
    made = []
    counting = type(task)(task.space, lambda images: (made.append(len(images)), images)[1], task.wanted, task.starts)
    search = evolve(counting, plain_basis(6), 0.5, 100, seed=0)
    assert search.passes.tolist() == [1 + size * n for n in range(12)]
    assert sum(made) == 3 * int(search.passes[-1]) <= 3 * 100


def test_the_first_axes_alone_do_as_well_where_the_others_change_nothing(linear, task):
    axes = axes_of(linear.eigenvalues, linear.right, torch.zeros(1, 6))
    search = evolve(task, eigenbasis(axes, 3), 0.5, 400, seed=0)
    assert (search.final < 0.05).all()
    moved = (search.latents - task.starts) @ axes.directions[3:].T
    assert moved.abs().max() < 1e-9


def test_equal_seeds_give_equal_searches_and_the_process_keeps_its_chance(task, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    before = np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist()
    first, second, other = (evolve(task, plain_basis(6), 0.5, 200, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.distances, second.distances) and torch.equal(first.latents, second.latents)
    assert not torch.equal(first.distances, other.distances)
    assert (np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist()) == before
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_target_does_not_know_of_the_others(linear):
    chance = torch.Generator().manual_seed(4)
    wanted, starts = linear.space.draw(2, chance), linear.space.draw(2, chance)
    together = evolve(task_to(linear, wanted, starts), plain_basis(6), 0.5, 200, seed=1)
    alone = evolve(task_to(linear, wanted[:1], starts[:1]), plain_basis(6), 0.5, 200, seed=1)
    assert together.distances[0].tolist() == pytest.approx(alone.distances[0].tolist())


def test_a_budget_below_a_generation_is_refused(task):
    with pytest.raises(AnalysisError, match="in 6 dimensions has 9 images, and only 9 passes are allowed"):
        evolve(task, plain_basis(6), 0.5, 9, seed=0)


def test_without_the_package_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cma", None)
    with pytest.raises(AnalysisError, match=r"cma, which is not installed: `pip install 'rpganify\[inversion\]'`"):
        require_cma()
