"""The block predictor learns what can be seen, and nothing else."""

import pytest
import torch

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.inversion.held_out import DrawnPaths, hold_out
from rpganify.analysis.inversion.predictor import (
    BlockPredictor,
    PredictorConfig,
    block_log_probabilities,
    train_predictor,
)
from rpganify.errors import AnalysisError
from tests.unit.analysis.synthetic import SyntheticGenerator

QUICK = PredictorConfig(num_samples=9600, batch_size=64, channels=16, hidden=64)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def trained(model, seed=0, config=QUICK, seen=lambda done: None):
    """A predictor, and log probabilities of images of held-out paths with those paths."""
    with evaluating(model, seed):
        maker = ImageMaker(model, AnalysisContext())
        held_out = hold_out(model.paths, 100, chance(seed))
        predictor = train_predictor(maker, DrawnPaths(model.paths, chance(seed), held_out), config, seen)
        return predictor, block_log_probabilities(predictor, maker(held_out)), held_out


def accuracy(scores, paths, bucket):
    return float((scores[bucket].argmax(dim=1) == paths[:, bucket]).double().mean())


def test_blocks_of_paths_it_has_not_seen_are_read_off_their_images():
    _, scores, paths = trained(SyntheticGenerator((10, 10, 10), seed=1))
    assert len(paths) == 100
    assert min(accuracy(scores, paths, bucket) for bucket in range(3)) > 0.6  # guessing is 0.1


def test_a_bucket_that_changes_nothing_is_guessed():
    model = SyntheticGenerator((10, 5, 10), ("position", "nothing", "colour"), seed=1)
    _, scores, paths = trained(model)
    assert accuracy(scores, paths, 1) < 0.33  # 0.2, and three standard deviations of 100 images
    assert min(accuracy(scores, paths, bucket) for bucket in (0, 2)) > 0.6


def test_equal_seeds_give_equal_predictors_and_leave_model_and_chance_alone():
    model = SyntheticGenerator((3, 3, 3))
    config = PredictorConfig(num_samples=128, batch_size=32, channels=4, hidden=8)
    before, state = torch.get_rng_state(), {name: value.clone() for name, value in model.state_dict().items()}
    first, second, third = (trained(model, seed, config)[0].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], third[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_progress_counts_the_samples():
    seen = []
    trained(SyntheticGenerator((3, 3, 3)), config=PredictorConfig(num_samples=100, batch_size=32), seen=seen.append)
    assert seen == [32, 64, 96]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 40), (1, 28, 28), (3, 128, 96), (1, 1, 9)])
def test_images_of_any_size_give_a_score_per_block(shape):
    predictor = BlockPredictor(shape, (4, 1, 7), PredictorConfig(channels=4, hidden=8)).eval()
    images = torch.randint(256, (3, *shape), dtype=torch.uint8, generator=chance())
    scores = block_log_probabilities(predictor, images, batch_size=2)
    assert [one.shape for one in scores] == [(3, 4), (3, 1), (3, 7)]
    for one in scores:
        torch.testing.assert_close(one.exp().sum(dim=1), torch.ones(3, dtype=torch.float64), rtol=1e-6, atol=0)


@pytest.mark.parametrize("wrong", [{"num_samples": 10}, {"channels": 0}, {"hidden": 0}, {"batch_size": 1}])
def test_sizes_that_cannot_be_trained_are_refused(wrong):
    with pytest.raises(AnalysisError, match=r"cannot be trained on .* at least 1 channel"):
        PredictorConfig(**wrong)
