"""Idioms of public generators that were once refused: small ones of our own, one per idiom."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.conversion.converting import convert


class SqueezesItsLatent(nn.Module):
    """`squeeze()` without a dimension, to take `(N, d)` and `(N, d, 1, 1)` alike."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU())
        self.out = nn.Linear(16, 12)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.out(self.hidden(z.squeeze()))).view(-1, 3, 2, 2)


@pytest.mark.parametrize("shape", [(8,), (8, 1, 1)])
def test_squeezing_every_axis_of_size_one_leaves_a_batch_of_one_a_batch(shape: tuple[int, ...]) -> None:
    original = SqueezesItsLatent()
    model = rpganify.wrap(original, blocks=3, init="jitter", example_inputs={"z": torch.randn(2, *shape)}).eval()
    paths = model.draw(4, torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.cat([model(path[None]) for path in paths]), model(paths))
    z = torch.randn(5, *shape)
    torch.testing.assert_close(rpganify.extract(model, [0] * model.paths.num_buckets)(z), original.eval()(z))


class ReturnsALearnedVariance(nn.Module):
    """A decoder with a parameter of its own beside the images, which no sample meets."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(6, 16), nn.Linear(16, 12)
        self.sigma = nn.Parameter(torch.full((4,), 0.1))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tanh(self.out(torch.relu(self.hidden(z)))).view(-1, 3, 2, 2), self.sigma


@pytest.mark.parametrize("buckets", [None, 1, 2])
def test_a_parameter_that_no_sample_meets_is_left_out_of_automatic_buckets(buckets: int | None) -> None:
    model = convert(ReturnsALearnedVariance(), buckets=buckets, blocks=2, init="jitter").model
    assert model.plan.shared == ("",)
    images, sigma = model(model.draw(3))
    assert images.shape == (3, 3, 2, 2) and sigma.shape == (4,)
