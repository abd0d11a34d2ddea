"""Layers are timed by each of their kernels on what they meet in a pass."""

import pytest
import torch

from rpganify.bench import alternatives
from rpganify.bench.alternatives import KernelCost, measure_kernels
from rpganify.bench.bound import Bandwidth, measure_layers
from rpganify.bench.timing import Timing
from rpganify.conversion.converting import wrap
from rpganify.routing import layers
from tests.unit.bench.generators import CPU, Labelled, Normed, converted

PATHS = torch.tensor([[0, 1, 2], [1, 1, 0], [2, 1, 0], [0, 0, 0]])


@pytest.fixture
def known_times(monkeypatch):
    """By block 3 ms, and 5 ms with gradients; any other kernel 2 ms and 7 ms; each is run once."""

    def run(things, *, num_rounds, device):
        for thing in things.values():
            thing()
        times = {name: (0.003, 0.005) if "by-block" in name else (0.002, 0.007) for name in things}
        return {name: Timing((times[name][name.endswith("+")],)) for name in things}

    monkeypatch.setattr(alternatives, "run_in_turn", run)


def test_every_layer_of_a_bucket_is_timed_by_each_kernel_that_can_run_it(known_times):
    costs = measure_kernels(converted(3), PATHS, {}, CPU)
    assert {name: {cost.kernel for cost in found} for name, found in costs.items()} == {
        "first": {"by-block", "matmul"},
        "conv": {"by-block", "matmul", "project", "grouped"},
        "last": {"by-block", "matmul", "project", "grouped"},
    }
    assert costs["first"] == (KernelCost("by-block", 0.003, 0.005), KernelCost("matmul", 0.002, 0.007))


def test_a_layers_cost_names_its_own_kernels_time_and_the_fastest(known_times):
    routed = converted(3)
    costs = measure_layers(routed, [PATHS], Bandwidth(1e9, 1e9), CPU, 1, measure_kernels(routed, PATHS, {}, CPU))
    first = costs[0]
    assert (first.name, first.kernel) == ("first", "matmul")
    assert (first.routed_s(False), first.best_s(False)) == (0.002, 0.002)
    assert (first.routed_s(True), first.best_s(True)) == (0.007, 0.005)
    (bare, *_) = measure_layers(routed, [PATHS], Bandwidth(1e9, 1e9), CPU, 1)
    assert (bare.routed_s(False), bare.best_s(True)) == (None, None)


def test_layers_get_the_samples_and_blocks_that_they_meet_in_a_pass(known_times, monkeypatch):
    met = []
    forward = layers.RoutedLayer.forward

    def noted(self, route, *inputs, **named):
        met.append((self.layer.kind, len(inputs[0]), route.present, route.counts))
        return forward(self, route, *inputs, **named)

    monkeypatch.setattr(layers.RoutedLayer, "forward", noted)
    measure_kernels(converted(3, Labelled), PATHS, {"label": torch.arange(4)}, CPU)
    # Z is the same for all, so that the first layer has a row per block present; the last has all samples.
    assert ("Linear", 3, (0, 1, 2), (1, 1, 1)) in met
    assert ("Conv2d", 4, (0, 2), (3, 1)) in met


def test_a_bucket_whose_samples_share_a_block_has_no_kernel_to_choose(known_times):
    assert measure_kernels(converted(3), torch.zeros(4, 3, dtype=torch.int64), {}, CPU) == {}


def test_running_statistics_and_gradients_are_as_before(known_times):
    routed = wrap(Normed(), ["first,norm", "last"], 3, init="jitter", latent="z:5", norm="per-block").train()
    before = {name: buffer.clone() for name, buffer in routed.named_buffers()}
    assert any("running_mean" in name for name in before)
    measure_kernels(routed, torch.tensor([[0, 1], [0, 2], [1, 1], [1, 0]]), {}, CPU)
    for name, buffer in routed.named_buffers():
        torch.testing.assert_close(buffer, before[name], rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in routed.parameters())
