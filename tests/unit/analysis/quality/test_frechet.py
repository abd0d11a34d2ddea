from pathlib import Path

import numpy as np
import pytest
import torch

from rpganify.analysis.generation import to_float
from rpganify.analysis.opening import open_extractor
from rpganify.analysis.quality.frechet import FeatureStatistics, feature_statistics, frechet_distance
from rpganify.errors import AnalysisError
from tests.unit.analysis.test_classifier_features import RESNET, cifar10_images


def gaussian(mean: list[float], covariance: list[list[float]]) -> FeatureStatistics:
    return FeatureStatistics(torch.tensor(mean).double(), torch.tensor(covariance).double(), 10**6)


def test_gaussians_with_diagonal_covariances_have_the_closed_form():
    one = gaussian([0.0, 1.0], [[4.0, 0.0], [0.0, 9.0]])
    other = gaussian([3.0, 1.0], [[1.0, 0.0], [0.0, 0.25]])
    assert frechet_distance(one, other) == pytest.approx(3**2 + (2 - 1) ** 2 + (3 - 0.5) ** 2, rel=1e-12)


def test_gaussians_whose_covariances_do_not_commute_agree_with_scipys_matrix_root():
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    a, b = (matrix @ matrix.T for matrix in rng.normal(size=(2, 6, 6)))
    expected = np.trace(a + b - 2 * sqrtm(a @ b).real)
    zero = torch.zeros(6, dtype=torch.float64)
    one, other = (FeatureStatistics(zero, torch.from_numpy(m), 10**6) for m in (a, b))
    assert frechet_distance(one, other) == pytest.approx(float(expected), rel=1e-9)


def test_one_set_is_at_distance_0_from_itself_even_with_fewer_images_than_features():
    few = feature_statistics(torch.rand(5, 40, generator=torch.Generator().manual_seed(0)))
    assert few.is_singular
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-9)


def test_covariances_of_rank_0_leave_the_distance_of_the_means():
    same = feature_statistics(torch.full((4, 3), 2.0))
    other = feature_statistics(torch.full((4, 3), 5.0))
    assert frechet_distance(same, other) == pytest.approx(27, rel=1e-12)


def test_singular_covariances_agree_with_the_directions_they_do_have():
    rng = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 50, 2, generator=rng, dtype=torch.float64)
    padded = [torch.cat([part, torch.zeros(50, 8, dtype=torch.float64)], dim=1) for part in (one, other * 3)]
    expected = frechet_distance(feature_statistics(one), feature_statistics(other * 3))
    assert frechet_distance(*(feature_statistics(part) for part in padded)) == pytest.approx(expected, rel=1e-9)


def test_it_agrees_with_torch_fidelity_on_features_of_real_images(shared_data: Path):
    fid = pytest.importorskip("torch_fidelity.metric_fid")
    extractor = open_extractor(f"classifier:{shared_data / RESNET}")
    features = extractor(to_float(cifar10_images(shared_data, 600)))
    halves = features[:300], features[300:]
    ours = frechet_distance(*(feature_statistics(half) for half in halves))
    theirs = fid.fid_statistics_to_metric(*(fid.fid_features_to_statistics(h.double()) for h in halves), verbose=False)
    assert ours == pytest.approx(theirs[fid.KEY_METRIC_FID], rel=1e-6)
    assert ours > 0


def test_too_few_images_are_refused():
    with pytest.raises(AnalysisError, match=r"at least two images each, got \(1, 3\)"):
        feature_statistics(torch.zeros(1, 3))


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(AnalysisError, match="NaN or infinity"):
        feature_statistics(torch.full((3, 3), torch.nan))


def test_features_of_two_extractors_are_refused():
    with pytest.raises(AnalysisError, match="length 3 and 4 have no Fréchet distance"):
        frechet_distance(feature_statistics(torch.rand(5, 3)), feature_statistics(torch.rand(5, 4)))
