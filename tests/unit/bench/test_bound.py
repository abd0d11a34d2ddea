"""What a layer costs at least."""

import pytest
import torch

from rpganify.bench import bound
from rpganify.bench.bound import Bandwidth, measure_bandwidth, measure_layers
from rpganify.bench.timing import Timing
from rpganify.routing.kernels import pinned_kernel
from tests.unit.bench.generators import CPU, Labelled, converted


@pytest.fixture
def known_times(monkeypatch):
    """Every plain layer takes 1 ms, and 2 ms with gradients; what would be timed is run once."""

    def run(things, *, num_rounds, device):
        for thing in things.values():
            thing()
        return {name: Timing((0.002 if name == "both" else 0.001,)) for name in things}

    monkeypatch.setattr(bound, "run_in_turn", run)


PATHS = [torch.tensor([[0, 1, 2], [1, 1, 0], [2, 1, 0], [0, 0, 0]]), torch.tensor([[0, 0, 0]] * 4)]


def test_the_bound_of_a_layer_is_the_larger_of_its_plain_time_and_of_reading_the_blocks_present(known_times):
    costs = {cost.name: cost for cost in measure_layers(converted(3), PATHS, Bandwidth(1e6, 5e5), CPU)}
    assert list(costs) == ["first", "conv", "last"]  # the shared layer has no blocks
    first = costs["first"]
    assert first.block_bytes == 4 * (5 * 64 + 64)
    assert first.num_present == (3 + 1) / 2
    read = 2 * first.block_bytes / 1e6
    assert first.bound_forward_s == pytest.approx(read)
    assert first.bound_both_s == pytest.approx(2 * read + 2 * first.block_bytes / 5e5)
    assert first.forward_s == 0.001
    last = costs["last"]
    assert (last.sample_shape, last.kind, last.bucket) == ((6, 8, 8), "Conv2d", "last")


def test_where_memory_is_fast_the_bound_is_the_plain_time(known_times):
    for cost in measure_layers(converted(3, Labelled), PATHS, Bandwidth(1e15, 1e15), CPU):
        assert (cost.bound_forward_s, cost.bound_both_s) == (cost.forward_s, cost.both_s) == (0.001, 0.002)


def test_layers_tell_the_kernel_that_they_run_by(known_times):
    def kernels(num_blocks):
        return [(cost.kernel, cost.is_in_segment) for cost in measure_layers(converted(num_blocks), PATHS, fast, CPU)]

    fast = Bandwidth(1e15, 1e15)
    assert kernels(3) == [("matmul", False), ("by-block", False), ("project", False)]
    assert kernels(1) == [("single block", False)] * 3
    with pinned_kernel("grouped"):
        assert kernels(3) == [("by-block", False), ("grouped", False), ("grouped", False)]


def test_bandwidth_is_bytes_over_seconds_of_a_sum_and_of_a_filling(monkeypatch):
    sizes = []

    def run(things, *, num_rounds, device):
        sizes.append(things["read"].__self__.numel() * 4)
        return {"read": Timing((0.5,)), "write": Timing((2.0,))}

    monkeypatch.setattr(bound, "run_in_turn", run)
    assert measure_bandwidth(2**25, CPU) == Bandwidth(2**26, 2**24)
    measure_bandwidth(1, CPU)
    assert sizes == [2**25, 2**24]  # never so little that it lies in a cache
