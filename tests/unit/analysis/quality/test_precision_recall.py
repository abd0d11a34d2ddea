import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rpganify.analysis.generation import to_float
from rpganify.analysis.opening import open_extractor
from rpganify.analysis.quality.precision_recall import (
    NUM_CLUSTERS,
    cluster,
    curve_of_histograms,
    f_scores,
    precision_recall_curve,
)
from rpganify.errors import AnalysisError
from tests.unit.analysis.test_classifier_features import RESNET, cifar10_images


def transcribed(generated: np.ndarray, real: np.ndarray, num_angles: int) -> list[tuple[float, float]]:
    """The paper's formulas (7) and (8), angle by angle and cluster by cluster."""
    points = []
    for index in range(num_angles):
        angle = index / (num_angles - 1) * np.pi / 2
        angle = min(max(angle, 1e-10), np.pi / 2 - 1e-10)
        slope = np.tan(angle)
        alpha = sum(min(slope * p, q) for p, q in zip(real, generated, strict=True))
        beta = sum(min(p, q / slope) for p, q in zip(real, generated, strict=True))
        points.append((alpha, beta))
    return points


def test_the_curve_is_a_direct_transcription_of_the_papers_formulas_on_real_images(shared_data: Path):
    features = open_extractor(f"classifier:{shared_data / RESNET}")(to_float(cifar10_images(shared_data, 400)))
    one, other = features[:200], features[200:]
    curve = precision_recall_curve(one, other, seed=4, num_angles=41, num_runs=3)
    expected = []
    for run in range(3):
        seed = int(np.random.SeedSequence([4, run]).generate_state(1)[0])
        labels = cluster(features.double().numpy(), NUM_CLUSTERS, seed)
        shares = [np.array([(half == c).mean() for c in range(NUM_CLUSTERS)]) for half in (labels[:200], labels[200:])]
        expected.append(transcribed(*shares, num_angles=41))
    precision, recall = np.mean(expected, axis=0).T
    assert np.allclose(curve.precision, precision, atol=1e-9) and np.allclose(curve.recall, recall, atol=1e-9)
    assert curve.f_recall == pytest.approx(
        max(65 * p * r / (64 * p + r) for p, r in zip(precision, recall, strict=True))
    )
    assert 0 < (curve.f_recall_std or 0) < 0.1
    assert curve.f_recall > 0.9 and curve.f_precision > 0.9  # both halves are CIFAR-10


def test_equal_sets_have_perfect_precision_and_recall():
    points = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    curve = precision_recall_curve(points, points, num_runs=2)
    assert curve.f_recall == pytest.approx(1) and curve.f_precision == pytest.approx(1)
    assert curve.f_recall_std == pytest.approx(0)


def test_sets_far_apart_have_neither():
    points = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    curve = precision_recall_curve(points, points + 1000, num_runs=2)
    assert curve.precision.max() == 0 and curve.recall.max() == 0 and curve.f_recall == 0


def modes(centres: list[float]) -> torch.Tensor:
    noise = torch.randn(100, 2, generator=torch.Generator().manual_seed(len(centres))) * 0.1
    return noise + torch.tensor(centres).repeat(100 // len(centres))[:, None] * 100


def test_dropped_modes_cost_recall_and_invented_ones_precision():
    # 4 tight groups far apart: k-means with 4 clusters finds exactly them.
    dropping = precision_recall_curve(modes([0.0, 1.0]), modes([0.0, 1.0, 2.0, 3.0]), num_clusters=4, num_runs=2)
    assert dropping.precision[-1] == pytest.approx(1) and dropping.recall[0] == pytest.approx(0.5)
    inventing = precision_recall_curve(modes([0.0, 1.0, 2.0, 3.0]), modes([0.0, 1.0]), num_clusters=4, num_runs=2)
    assert inventing.precision[-1] == pytest.approx(0.5) and inventing.recall[0] == pytest.approx(1)


def test_a_curve_of_histograms_starts_at_no_precision_and_ends_at_no_recall():
    precision, recall = curve_of_histograms(np.array([0.5, 0.5]), np.array([0.5, 0.5]), 1001)
    assert precision[0] == pytest.approx(0, abs=1e-9) and recall[-1] == pytest.approx(0, abs=1e-9)
    assert precision[500] == pytest.approx(1) and recall[500] == pytest.approx(1)  # at 45°


def test_f8_weighs_recall_and_f_an_eighth_precision():
    f_recall, f_precision = f_scores(np.array([0.9]), np.array([0.1]))
    assert f_recall == pytest.approx(65 * 0.9 * 0.1 / (64 * 0.9 + 0.1))
    assert f_precision == pytest.approx((1 + 1 / 64) * 0.9 * 0.1 / (0.9 / 64 + 0.1))
    assert f_recall < 0.11 < 0.7 < f_precision


def test_equal_seeds_give_equal_curves_and_the_sets_are_cut_to_one_length():
    rng = torch.Generator().manual_seed(0)
    one, other = torch.randn(150, 3, generator=rng), torch.randn(90, 3, generator=rng) * 2
    curves = [precision_recall_curve(one, other, seed=seed, num_runs=2) for seed in (1, 1, 2)]
    assert np.array_equal(curves[0].precision, curves[1].precision)
    assert not np.array_equal(curves[0].precision, curves[2].precision)
    assert np.array_equal(precision_recall_curve(one[:90], other, seed=1, num_runs=2).recall, curves[0].recall)


def test_fewer_images_than_clusters_are_refused():
    with pytest.raises(AnalysisError, match=r"by 20 clusters needs at least.*19 generated and 50 real.*--num-images"):
        precision_recall_curve(torch.rand(19, 2), torch.rand(50, 2))


def test_nothing_is_drawn_from_the_global_generators_even_where_scikit_learn_is_first_imported():
    code = (
        "import random, numpy, torch; from rpganify.analysis.quality.precision_recall import precision_recall_curve; "
        "points = torch.rand(40, 2); before = random.getstate(), str(numpy.random.get_state()), torch.get_rng_state(); "
        "precision_recall_curve(points, points, num_runs=1); "
        "print(random.getstate() == before[0], str(numpy.random.get_state()) == before[1], "
        "torch.equal(torch.get_rng_state(), before[2]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "True"]
