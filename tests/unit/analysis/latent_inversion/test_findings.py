"""What inversions found, in numbers."""

import pytest
import torch

from rpganify.analysis.geometry.axes import axes_of
from rpganify.analysis.latent_inversion.findings import latent_error


def test_the_distance_of_two_random_latents_is_1_and_of_equal_ones_0():
    chance = torch.Generator().manual_seed(0)
    axes = axes_of(*torch.linalg.eigh(torch.diag(torch.arange(1.0, 9.0))), torch.zeros(1, 8))
    one, other = (3 * torch.randn(5000, 8, generator=chance) for _ in range(2))
    assert latent_error(one, other, 3.0, axes, 2) == pytest.approx((1, 1), rel=0.03)
    assert latent_error(one, one, 3.0, axes, 2) == (0, 0)


def test_along_the_first_axes_only_those_count():
    axes = axes_of(*torch.linalg.eigh(torch.diag(torch.tensor([1.0, 9.0, 4.0]))), torch.zeros(1, 3))
    whole, along = latent_error(torch.tensor([[2.0, 0.0, 0.0]]), torch.zeros(1, 3), 1.0, axes, 1)
    assert whole == pytest.approx((4 / 6) ** 0.5)
    assert along == pytest.approx(0, abs=1e-12)
