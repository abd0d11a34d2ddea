"""Kernels agree, and segments tell which layers run together."""

import torch
from torch import nn

from rpganify.bench.kernels import TOLERANCE, kernel_difference, layers_in_cut_segments
from rpganify.conversion.converting import wrap
from rpganify.routing.kernels import KERNEL_NAMES, pinned_kernel
from tests.unit.bench.generators import converted, with_norm_of_one_value


class Wide(nn.Module):
    """Two convolutions of one bucket with activations between, large enough to be run block by block."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(5, 16 * 16 * 16)
        self.a, self.b = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.last = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, z):
        h = self.first(z).view(-1, 16, 16, 16)
        return torch.tanh(self.last(torch.relu(self.b(torch.relu(self.a(torch.relu(h)))))))


def test_images_by_every_kernel_agree_within_the_stated_tolerance():
    routed = converted(3)
    paths = routed.draw(16, torch.Generator().manual_seed(0))
    for name in KERNEL_NAMES:
        with pinned_kernel(name):
            assert kernel_difference(routed, paths, {}, 0) < TOLERANCE


def test_a_kernel_that_is_wrong_shows_in_the_difference(monkeypatch):
    routed = converted(3)
    paths = routed.draw(16, torch.Generator().manual_seed(0))
    right = routed.images
    calls = []

    def off(codes, generator=None, **conditions):
        calls.append(1)
        return right(codes, generator, **conditions) * (1.5 if len(calls) == 1 else 1.0)

    monkeypatch.setattr(type(routed), "images", lambda self, *args, **kwargs: off(*args, **kwargs))
    assert abs(kernel_difference(routed, paths, {}, 0) - 0.5) < 1e-5


def test_comparing_leaves_running_statistics_as_they_were():
    routed = with_norm_of_one_value().train()
    before = {name: buffer.clone() for name, buffer in routed.named_buffers()}
    assert "norm.running_mean" in before
    kernel_difference(routed, routed.draw(8, torch.Generator().manual_seed(0)), {}, 0)
    for name, buffer in routed.named_buffers():
        torch.testing.assert_close(buffer, before[name], rtol=0, atol=0)


def test_layers_of_one_bucket_that_run_block_by_block_together_are_named():
    routed = wrap(Wide(), ["first", "a,b", "last"], 3, init="jitter", latent="z:5")
    assert layers_in_cut_segments(routed, "cpu") == {"a", "b"}
    assert layers_in_cut_segments(routed, "cuda") == set()
    with pinned_kernel("layer-by-layer"):
        assert layers_in_cut_segments(routed, "cpu") == set()
