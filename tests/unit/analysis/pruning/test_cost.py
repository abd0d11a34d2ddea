"""The cost in quality is the change of the distance to real images, over several sets of images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.generation import to_float, to_uint8
from rpganify.analysis.pruning.cost import mean_estimate, measure_cost
from rpganify.analysis.quality.frechet import feature_statistics, frechet_distance
from rpganify.analysis.quality.samples import real_indices
from rpganify.errors import AnalysisError
from tests.unit.analysis.pruning.planted import Quarters, context, harmed


def test_dropping_planted_blocks_brings_images_nearer_to_real_ones() -> None:
    model = harmed()
    pruned = rpganify.prune(model, drop={1: [2], 2: [3]})
    cost = measure_cost(model, pruned, context(model, 300))
    assert cost.difference.high < 0 and cost.after.high < cost.before.low
    assert cost.difference.value == pytest.approx(cost.after.value - cost.before.value)
    assert (cost.num_draws, cost.num_images, cost.num_real) == (5, 300, 300)
    assert cost.name == "Fréchet distance (quarters)"
    same = measure_cost(model, model, context(model, 300))
    assert same.difference.low < 0 < same.difference.high


def test_the_distance_is_that_of_images_of_random_paths_to_other_real_images_than_blocks_are_chosen_by() -> None:
    model = harmed()
    given = context(model, 500)
    cost = measure_cost(model, model, given, num_draws=2)
    data = given.data
    assert data is not None
    real = to_float(data.images(real_indices(len(data), 500, 0, skip=500)))
    with torch.no_grad():
        values = [
            frechet_distance(*(feature_statistics(Quarters()(images)) for images in (real, to_float(to_uint8(made)))))
            for made in (model.sample(500, torch.Generator().manual_seed(seed)) for seed in range(20))
        ]
    # Other seeds: the mean of 2 lies within 4 standard errors of that of 20.
    assert abs(cost.before.value - np.mean(values)) < 4 * np.std(values, ddof=1) * np.sqrt(1 / 2 + 1 / 20)


def test_an_interval_is_students() -> None:
    values = [1.0, 2.0, 4.0, 3.5]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    found = mean_estimate(values)
    assert (found.value, found.low, found.high) == pytest.approx((np.mean(values), low, high))


def test_no_more_images_than_features_are_refused() -> None:
    model = harmed()
    with pytest.raises(
        AnalysisError, match=r"of 120 images says little: quarters gives 160 features.*--num-images 320"
    ):
        measure_cost(model, model, context(model, 120, Quarters(num_copies=40)))
    with pytest.raises(AnalysisError, match="no data set was named"):
        measure_cost(model, model, AnalysisContext(extractor=Quarters()))
