"""The interval of a Fréchet distance, against the spread over sets of images drawn anew."""

import torch

from rpganify.analysis.quality.frechet import feature_statistics, frechet_distance
from rpganify.analysis.retention.interval import frechet_estimate


def features(count, seed, shift=0.5):
    chance = torch.Generator().manual_seed(seed)
    mixing = torch.randn(6, 6, generator=torch.Generator().manual_seed(99))
    return torch.randn(count, 6, generator=chance, dtype=torch.float64) @ mixing.double() + shift


REAL = feature_statistics(features(2000, 1, shift=0.0))


def test_the_value_is_the_distance_of_all_images():
    generated = features(200, 2)
    found = frechet_estimate(generated, REAL)
    assert found.value == frechet_distance(REAL, feature_statistics(generated))
    assert 0 <= found.low < found.value < found.high


def test_the_interval_holds_the_mean_over_other_sets_about_as_often_as_it_says():
    """Of 60 sets the mean should be missed 3 times; more than 9 would be chance in 1 of 1000."""
    values = [frechet_distance(REAL, feature_statistics(features(200, 100 + seed))) for seed in range(200)]
    mean = sum(values) / len(values)
    found = [frechet_estimate(features(200, 1000 + seed), REAL) for seed in range(60)]
    assert sum(not one.low <= mean <= one.high for one in found) <= 9
    width = sum(one.high - one.low for one in found) / 60
    deviation = torch.tensor(values).std()
    assert 3 * deviation < width < 7 * deviation  # 2 × 2.36 standard deviations


def test_too_few_images_for_the_features_have_no_distance():
    assert frechet_estimate(features(7, 2), REAL) is None
    assert frechet_estimate(features(8, 2), REAL) is not None
    assert frechet_estimate(features(100, 2), feature_statistics(features(6, 3))) is None
