"""Scores of blocks are differences of Fréchet distances, and say what is chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from rpganify.analysis.pruning.scores import NUM_RANDOM, Reduction, score_blocks
from rpganify.analysis.quality.frechet import feature_statistics, frechet_distance


def drawn(num_images: int, seed: int = 0, num_features: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Paths of two buckets of 4 and 5 blocks, features that do not depend on them, and real features."""
    chance = torch.Generator().manual_seed(seed)
    columns = [torch.arange(num_images)[torch.randperm(num_images, generator=chance)] % m for m in (4, 5)]
    scale = torch.linspace(0.5, 2, num_features, dtype=torch.float64)
    features, real = (
        100 + scale * torch.randn(num_images, num_features, dtype=torch.float64, generator=chance) for _ in range(2)
    )
    return torch.stack(columns, dim=1), features, real


LEFT = [list(range(4)), list(range(5))]


def test_a_score_is_the_distance_without_the_block_less_that_without_random_images() -> None:
    paths, features, real = drawn(200)
    features[paths[:, 1] == 2] += 1
    target = feature_statistics(real)
    scores = score_blocks(paths, features, target, LEFT, torch.Generator().manual_seed(3))
    chance = torch.Generator().manual_seed(3)
    for bucket, num_blocks in enumerate((4, 5)):
        count = 200 // num_blocks
        random = np.array([
            frechet_distance(target, feature_statistics(features[torch.randperm(200, generator=chance)[count:]]))
            for _ in range(NUM_RANDOM)
        ])  # fmt: skip
        for score in (one for one in scores if one.bucket == bucket):
            without = frechet_distance(target, feature_statistics(features[paths[:, bucket] != score.block]))
            assert score.change.value == pytest.approx(without - random.mean(), abs=1e-9)
            assert score.change.high - score.change.low == pytest.approx(2 * 1.96 * random.std(ddof=1), rel=1e-3)
            assert score.num_images == count


def test_a_planted_block_does_harm_and_no_other() -> None:
    paths, features, real = drawn(1000)
    features[paths[:, 1] == 2] += 0.7
    scores = score_blocks(paths, features, feature_statistics(real), LEFT, torch.Generator().manual_seed(0))
    assert [(one.bucket, one.block) for one in scores if one.is_harmful] == [(1, 2)]
    assert all(one.change.low > 0 for one in scores if one.bucket == 1 and one.block != 2)  # without them it is worse


def test_blocks_that_do_nothing_are_seldom_said_to_do_harm() -> None:
    found = 0
    for seed in range(20):
        paths, features, real = drawn(300, seed)
        scores = score_blocks(paths, features, feature_statistics(real), LEFT, torch.Generator().manual_seed(seed))
        found += any(one.is_harmful for one in scores)
    # Of 20 models at 5 %, 1 is expected; 5 or more have a chance of 0.3 %.
    assert found < 5


def test_blocks_that_are_gone_and_buckets_of_one_have_no_score() -> None:
    paths, features, real = drawn(200)
    is_left = (paths[:, 0] == 1) & (paths[:, 1] > 2)
    scores = score_blocks(
        paths[is_left], features[is_left], feature_statistics(real), [[1], [3, 4]], torch.Generator().manual_seed(0)
    )
    assert [(one.bucket, one.block) for one in scores] == [(1, 3), (1, 4)]


def test_the_first_principal_components_hold_the_whole_distance_of_what_lies_in_them() -> None:
    _, features, real = drawn(400)
    chance = torch.Generator().manual_seed(1)
    spread = torch.linalg.qr(torch.randn(100, 3, dtype=torch.float64, generator=chance)).Q.T  # (3, 100)
    reduce = Reduction.of(real @ spread)
    assert reduce(features @ spread).shape == (400, 64)
    found = frechet_distance(reduce.real, feature_statistics(reduce(features @ spread)))
    assert found == pytest.approx(frechet_distance(feature_statistics(real), feature_statistics(features)), abs=1e-6)


def test_few_features_stay_as_they_are() -> None:
    _, features, real = drawn(50)
    reduce = Reduction.of(real)
    assert torch.equal(reduce(features), features) and torch.equal(reduce.real.mean, feature_statistics(real).mean)
