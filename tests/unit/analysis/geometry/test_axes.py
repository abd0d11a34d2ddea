"""Axes of a latent space."""

import re

import pytest
import torch

from rpganify.analysis.geometry.axes import Axes, axes_of, choose_axes, mean_axes
from rpganify.errors import AnalysisError
from tests.unit.analysis.linear_maps import planted


def test_the_axes_of_a_linear_generator_are_its_singular_vectors_up_to_sign():
    linear = planted(torch.tensor([5.0, 3.0, 2.0, 1.0, 0.25, 0.0]))
    metric = 2 * linear.matrix.T @ linear.matrix
    axes = axes_of(*torch.linalg.eigh(metric), torch.zeros(1, 6))
    assert torch.allclose(axes.eigenvalues, linear.eigenvalues, atol=1e-9)
    assert torch.allclose((axes.directions @ linear.right).abs(), torch.eye(6, dtype=torch.float64), atol=1e-7)


def test_the_sign_does_not_depend_on_the_one_that_the_decomposition_gave():
    eigenvalues, vectors = torch.linalg.eigh(torch.diag(torch.tensor([1.0, 2.0, 4.0])) + 0.1)
    one = axes_of(eigenvalues, vectors, torch.zeros(1, 3))
    other = axes_of(eigenvalues, vectors * torch.tensor([1.0, -1.0, -1.0]), torch.zeros(1, 3))
    assert torch.equal(one.directions, other.directions)
    assert all(row[row.abs().argmax()] > 0 for row in one.directions)


def test_the_axes_of_the_mean_metric_are_those_of_the_metrics_mean():
    first, second = torch.diag(torch.tensor([4.0, 0.0, 1.0])), torch.diag(torch.tensor([0.0, 8.0, 1.0]))
    positions = torch.arange(6.0).view(2, 3, 1)
    axes = mean_axes(torch.stack([first, second]), positions, {"model": "planted"})
    assert axes.eigenvalues.tolist() == pytest.approx([4, 2, 1])
    assert torch.allclose(axes.directions, torch.eye(3, dtype=torch.float64)[[1, 0, 2]])
    assert torch.equal(axes.positions, positions.double().flatten(1))
    assert axes.provenance == {"model": "planted"}
    assert (len(axes), axes.dimension) == (3, 3)


def test_the_first_axes_are_shown_and_for_contrast_some_down_to_the_last():
    assert choose_axes(128) == (0, 1, 2, 3, 4, 5, 46, 86, 127)
    assert choose_axes(128, num_top=2, num_other=1) == (0, 1, 127)
    assert choose_axes(8, num_top=6, num_other=3) == (0, 1, 2, 3, 4, 5, 6, 7)
    assert choose_axes(4) == (0, 1, 2, 3)
    assert choose_axes(50, num_top=3, num_other=0) == (0, 1, 2)


@pytest.mark.parametrize(
    "directions, eigenvalues, positions, message",
    [
        (torch.eye(3), torch.ones(2), torch.zeros(1, 3), "got (3, 3), (2,) and (1, 3). `axes_of` makes them"),
        (torch.eye(3), torch.ones(3), torch.zeros(1, 4), "got (3, 3), (3,) and (1, 4)"),
        (torch.eye(3), torch.tensor([1.0, torch.nan, 0]), torch.zeros(1, 3), "these hold NaN or infinity"),
        (2 * torch.eye(3), torch.ones(3), torch.zeros(1, 3), "these differ from that by 3 in a product of two"),
        (torch.ones(2, 3) / 3**0.5, torch.ones(2), torch.zeros(1, 3), "these differ from that by 1 in a product"),
    ],
)
def test_what_are_no_axes_is_refused_with_what_is_wrong(directions, eigenvalues, positions, message):
    with pytest.raises(AnalysisError, match=re.escape(message)):
        Axes(directions, eigenvalues, positions)
