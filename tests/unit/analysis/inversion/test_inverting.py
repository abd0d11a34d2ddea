"""From images to paths."""

import pytest
import torch

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.inversion.inverting import draw_starts, invert
from rpganify.analysis.inversion.predictor import BlockPredictor, PredictorConfig
from rpganify.analysis.opening import open_pixel_distance
from tests.unit.analysis.synthetic import SyntheticGenerator

DISTANCE = open_pixel_distance(num_channels=3)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def maker():
    model = SyntheticGenerator((5, 5, 5), seed=3)
    with evaluating(model, 0):
        yield ImageMaker(model, AnalysisContext())


@pytest.fixture
def predictor(maker):
    torch.manual_seed(0)
    return BlockPredictor(maker.model.image_shape, (5, 5, 5), PredictorConfig(channels=4, hidden=8)).eval()


@pytest.mark.parametrize("num_starts", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("is_predicted", [True, False])
def test_the_models_own_images_are_found_with_and_without_a_predictor(maker, predictor, num_starts, is_predicted):
    space = maker.model.paths
    truth = space.sample(6, generator=chance(1))
    chosen = predictor if is_predicted else None
    found = invert(maker, space, maker(truth), chosen, DISTANCE, chance(2), num_starts=num_starts)
    assert torch.equal(maker(found.found), maker(truth))
    assert torch.equal(found.distances[:, 2], torch.zeros(6, dtype=torch.float64))
    assert torch.equal(found.predicted, found.random) is not is_predicted


def test_distances_are_those_of_the_random_predicted_and_found_paths(maker, predictor):
    space = maker.model.paths
    images = torch.randint(256, (4, 3, 16, 16), dtype=torch.uint8, generator=chance(5))
    found = invert(maker, space, images, predictor, DISTANCE, chance(2))
    for column, paths in enumerate((found.random, found.predicted, found.found)):
        both = torch.stack([DISTANCE.describe(images), DISTANCE.describe(maker(paths))], dim=1)
        torch.testing.assert_close(found.distances[:, column], DISTANCE.pairs(both)[:, 0, 1, 0])
    assert (found.distances[:, 2] <= found.distances[:, 1]).all()


def test_starts_are_drawn_as_likely_as_the_predictor_holds_them():
    shares = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64)
    starts = draw_starts([shares.log(), torch.zeros(1, 1, dtype=torch.float64)], 5000, chance())
    assert starts.shape == (1, 5000, 2)
    counts = torch.bincount(starts[0, :, 0], minlength=3) / 5000
    torch.testing.assert_close(counts.double(), shares[0], rtol=0, atol=0.02)  # three standard deviations
    assert (starts[0, :, 1] == 0).all()
    assert draw_starts([shares.log()], 0, chance()).shape == (1, 0, 1)


def test_equal_seeds_find_equal_paths(maker, predictor):
    images = torch.randint(256, (4, 3, 16, 16), dtype=torch.uint8, generator=chance(5))
    runs = [invert(maker, maker.model.paths, images, predictor, DISTANCE, chance(7)) for _ in range(2)]
    assert torch.equal(runs[0].found, runs[1].found) and torch.equal(runs[0].distances, runs[1].distances)
