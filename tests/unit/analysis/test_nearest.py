"""Nearest neighbours of a path's image, against a search by hand through all images."""

import itertools

import pytest
import torch

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.distances import ColourDistance
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.nearest import nearest_paths
from rpganify.analysis.opening import open_distance
from rpganify.analysis.ssim import SsimDistance
from rpganify.errors import AnalysisError
from tests.unit.surgery.models import converted


@pytest.fixture
def maker():
    model = converted()
    with evaluating(model, 0):
        yield ImageMaker(model, AnalysisContext())


def by_hand(maker, path, distance):
    """Every other path with its distance, nearest first."""
    every = [torch.tensor(p) for p in itertools.product(*(range(m) for m in maker.model.paths.num_blocks))]
    found = []
    for other in every:
        if not torch.equal(other, path):
            described = distance.describe(maker(torch.stack([path, other])))
            found.append((float(distance.pairs(described[None])[0, 0, 1, 0]), tuple(other.tolist())))
    return sorted(found)


@pytest.mark.parametrize("distance", [open_distance("pixels", 1), ColourDistance(1), SsimDistance(1)])
def test_they_are_the_nearest_of_all_paths_where_all_are_searched(maker, distance):
    path = torch.tensor([1, 0, 1])
    expected = by_hand(maker, path, distance)
    told = []
    found = nearest_paths(
        maker, path, distance, 1000, 5, torch.Generator().manual_seed(0), lambda *counts: told.append(counts)
    )
    assert found.num_searched == len(expected) == maker.model.paths.cardinality - 1
    assert found.distances.tolist() == pytest.approx([value for value, _ in expected[:5]])
    by_path = {path: value for value, path in expected}
    for value, other in zip(found.distances.tolist(), found.paths.tolist(), strict=True):
        assert by_path[tuple(other)] == pytest.approx(value)
    assert told[-1] == (found.num_searched, found.num_searched)


def test_some_random_paths_are_searched_and_never_the_path_itself_or_one_twice(maker):
    path = torch.tensor([1, 0, 1])
    for seed in range(20):
        found = nearest_paths(maker, path, ColourDistance(1), 11, 50, torch.Generator().manual_seed(seed))
        others = [tuple(other) for other in found.paths.tolist()]
        assert found.num_searched == len(set(others)) == 11 and (1, 0, 1) not in others
        assert found.distances.tolist() == sorted(found.distances.tolist())


def test_a_path_without_others_has_no_neighbours(maker):
    with pytest.raises(AnalysisError, match="0 neighbours among 5 paths are none"):
        nearest_paths(maker, torch.tensor([0, 0, 0]), ColourDistance(1), 5, 0)
    alone = converted((1, 1, 1))
    with pytest.raises(AnalysisError, match="has a single path, so it has no neighbours"):
        nearest_paths(ImageMaker(alone, AnalysisContext()), torch.tensor([0, 0, 0]), ColourDistance(1), 5, 1)
