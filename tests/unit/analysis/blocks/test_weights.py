import math

import pytest
import torch
from torch import nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.blocks.analyzer import Blocks
from rpganify.analysis.blocks.weights import compare_weights
from rpganify.testing.examples import small_model


def test_weight_distances_equal_a_loop_over_parameters_and_pairs():
    model = small_model()
    with torch.no_grad():
        model.bucket_parameters(0)["project.bias"].fill_(0.5)  # the same in all blocks: tells none from another
    found = compare_weights(model, 0)
    assert found is not None
    parameters = [one.detach().double() for name, one in model.bucket_parameters(0).items() if name != "project.bias"]
    scaled = torch.cat([(one / one.std(correction=0)).flatten(1) for one in parameters], dim=1)
    for i in range(3):
        assert float(found.sizes[i]) == pytest.approx(float(scaled[i].square().mean().sqrt()))
        for j in range(3):
            expected = math.sqrt(float((scaled[i] - scaled[j]).square().mean()))
            assert float(found.distances[i, j]) == pytest.approx(expected, abs=1e-12)


def test_independent_random_weights_are_root_two_apart_in_as_many_chunks_as_it_takes():
    class Wide(nn.Module):
        def bucket_parameters(self, bucket: int) -> dict[str, nn.Parameter]:
            draws = torch.randn(3, 200, 700, generator=torch.Generator().manual_seed(bucket))
            return {"weight": nn.Parameter(0.02 * draws), "bias": nn.Parameter(torch.zeros(3, 5))}

    found = compare_weights(Wide(), 0)
    assert found is not None
    off_diagonal = found.distances[~torch.eye(3, dtype=torch.bool)]
    assert off_diagonal.tolist() == pytest.approx([math.sqrt(2)] * 6, rel=0.01)
    assert found.sizes.tolist() == pytest.approx([1, 1, 1], rel=0.01)


def test_a_parameter_of_one_number_per_block_counts_as_one_value():
    class Gain(nn.Module):
        def bucket_parameters(self, bucket: int) -> dict[str, nn.Parameter]:
            return {"gain": nn.Parameter(torch.tensor([1.0, 2.0, 4.0]))}

    found = compare_weights(Gain(), 0)
    assert found is not None
    std = torch.tensor([1.0, 2.0, 4.0]).std(correction=0).item()
    assert found.distances[0].tolist() == pytest.approx([0, 1 / std, 3 / std])


def test_a_copied_block_is_at_distance_0_in_weights_and_in_images():
    model = small_model()
    with torch.no_grad():
        for parameter in model.bucket_parameters(0).values():
            parameter[2] = parameter[0]
    report = Blocks().analyze(model, AnalysisContext())
    (pair,) = (row for row in report.table("pairs").rows if row[:3] == (1, 0, 2))
    assert pair[3:] == (0, 0)
    assert report.table("buckets").rows[0][4] == "0 = 2"
