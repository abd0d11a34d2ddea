"""Block values in one tensor: the same results as one call per block, by one call for all."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

import rpganify
from rpganify.routing.generator import RandomPathGenerator
from rpganify.routing.kernels import pinned_kernel
from rpganify.routing.region import RoutedCall
from rpganify.routing.stacked import StackedValues

NUM_BLOCKS = 12


class Equalised(nn.Module):
    """A convolution whose weight is scaled at each call, and a factor and an offset by themselves."""

    def __init__(self, inputs: int, outputs: int, *, is_transposed: bool = False) -> None:
        super().__init__()
        shape = (inputs, outputs, 4, 4) if is_transposed else (outputs, inputs, 3, 3)
        self.weight = nn.Parameter(torch.randn(shape))
        self.offset, self.factor = nn.Parameter(torch.randn(1, outputs, 1, 1)), nn.Parameter(torch.randn(1))
        self.is_transposed, self.scale = is_transposed, 1 / math.sqrt(inputs * 9)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * self.scale
        x = F.conv_transpose2d(x, weight, stride=2, padding=1) if self.is_transposed else F.conv2d(x, weight, padding=1)
        return x * self.factor + self.offset


class Pictures(nn.Module):
    """Layers whose weights are computed in each of the usual ways."""

    def __init__(self) -> None:
        super().__init__()
        spectral, weight = nn.utils.parametrizations.spectral_norm, nn.utils.parametrizations.weight_norm
        self.start = spectral(nn.Linear(8, 6 * 4 * 4))
        self.up = spectral(nn.ConvTranspose2d(6, 6, 4, 2, 1), dim=1)
        self.normed = weight(nn.Conv2d(6, 6, 3, padding=1))
        self.older = nn.utils.spectral_norm(nn.Conv2d(6, 6, 3, padding=1, bias=False))
        self.wider = Equalised(6, 6, is_transposed=True)
        self.last = Equalised(6, 3)

    def forward(self, z: Tensor) -> Tensor:
        x = torch.relu(self.start(z)).view(-1, 6, 4, 4)
        x = torch.relu(self.older(torch.relu(self.normed(torch.relu(self.up(x))))))
        return torch.tanh(self.last(torch.relu(self.wider(x))))


BUCKETS = ["start", "up", "normed", "older", "wider", "last"]


@pytest.fixture(scope="module")
def model() -> RandomPathGenerator:
    torch.manual_seed(0)
    return rpganify.wrap(Pictures(), buckets=BUCKETS, blocks=NUM_BLOCKS).double().train()


def paths_with(num_present: int) -> Tensor:
    """24 paths, in each bucket of so many blocks."""
    columns = [
        torch.randperm(24, generator=torch.Generator().manual_seed(i)) % num_present for i in range(len(BUCKETS))
    ]
    return torch.stack(columns, 1)


@pytest.mark.parametrize("kernel", ["matmul", "grouped", "project"])
@pytest.mark.parametrize("num_present", [NUM_BLOCKS, 5, 1], ids="{} blocks present".format)
def test_images_gradients_and_buffers_are_those_of_one_call_per_block(
    model: RandomPathGenerator, kernel: str, num_present: int
) -> None:
    paths = paths_with(num_present)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    results: list[dict[str, Tensor]] = []
    for name in ("by-block", kernel):
        model.load_state_dict(state)
        model.zero_grad()
        with pinned_kernel(name):
            images = model(paths)
        images.square().sum().backward()
        gradients = {f"gradient of {n}": p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        after = {n: value.clone() for n, value in model.state_dict().items()}
        results.append({"images": images.detach(), **gradients, **after})
    model.load_state_dict(state)
    wanted, found = results
    assert wanted.keys() == found.keys()
    for key, value in wanted.items():
        torch.testing.assert_close(found[key], value, rtol=1e-9, atol=1e-9, msg=key)
    moved = [key for key in state if not torch.equal(wanted[key], state[key])]
    assert len(moved) == 6  # u and v of three spectral norms, of the blocks present alone
    for key in moved:
        assert torch.equal(wanted[key][num_present:], state[key][num_present:])


class Launches(TorchDispatchMode):
    """Counts operations on a device that do arithmetic or move memory, and those on the CPU."""

    VIEWS = ("view", "detach", "t", "permute", "transpose", "unsqueeze", "slice", "select", "expand", "as_strided")
    VIEWS += (
        "_unsafe_view",
        "split",
        "split_with_sizes",
        "unbind",
        "alias",
        "squeeze",
        "empty",
        "new_empty",
        "empty_like",
    )

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, Counter[str]] = {"cpu": Counter(), "cuda": Counter()}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        if isinstance(result, Tensor) and name not in self.VIEWS:
            self.counts[result.device.type][name] += 1
        return result


def launches(model: RandomPathGenerator, paths: Tensor) -> Launches:
    """Of a forward pass on a GPU that is not there: shapes and devices without numbers."""
    program, _ = model.program()
    routed = program.route(paths)
    with FakeTensorMode(allow_non_fake_inputs=True):
        there = model.to("cuda")
        on_device = tuple(None if one is None else one.to(torch.device("cuda")) for one in routed)
        with Launches() as counted:
            program.run(there.program()[1], on_device, paths)
    return counted


def fresh(build: Callable[[], nn.Module], **options: Any) -> RandomPathGenerator:
    return rpganify.wrap(build(), **options).train()


@pytest.mark.parametrize("name", ["mlp28", "dcgan32", "sngan32"])
@pytest.mark.parametrize("most", [2, 40], ids=["evenly", "a block with most of the samples"])
def test_on_a_gpu_no_launch_is_one_per_block_or_sample(name: str, most: int) -> None:
    channels = {"channels": 64 if name == "mlp28" else 8}
    totals = []
    for num_blocks in (4, 40):
        model = fresh(functools.partial(rpganify.architecture, name, **channels), blocks=num_blocks)
        drawn = model.paths.sample(64, generator=torch.Generator().manual_seed(1))
        drawn[:most] = 0
        totals.append(launches(model, drawn).counts["cuda"].total())
    assert totals[1] <= totals[0] + 10


def test_on_a_gpu_computed_weights_are_computed_and_used_for_all_blocks_at_once() -> None:
    few, many = (
        launches(fresh(Pictures, buckets=BUCKETS, blocks=num_blocks), paths_with(min(num_blocks, 24))).counts["cuda"]
        for num_blocks in (2, 20)
    )
    assert many.total() <= few.total() + 16
    assert many["mv"] == many["dot"] == many["vdot"] == 0
    assert many["convolution"] + many["bmm"] + many["mm"] <= 6 + 3 * 4  # layers, and the products of spectral norms


def test_even_batches_on_a_gpu_make_no_tensor_on_the_cpu() -> None:
    model = fresh(lambda: rpganify.architecture("sngan32", channels=8), blocks=4)
    paths = model.paths.sample_equally(8)
    assert launches(model, paths).counts["cpu"] == Counter()


def test_values_are_a_sequence_of_one_tensor_per_block_whose_gradients_are_written_once() -> None:
    stack = torch.arange(6.0).view(3, 2).requires_grad_()
    values = StackedValues(stack)
    assert len(values) == 3
    assert torch.equal(values[1], stack[1])
    assert [value.tolist() for value in values] == stack.tolist()
    assert [value.tolist() for value in values[1:]] == stack[1:].tolist()
    assert {values[0].grad_fn, values[1].grad_fn, next(iter(values)).grad_fn} == {values[2].grad_fn}


def test_an_operation_that_is_not_known_to_serve_all_blocks_runs_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    from rpganify.routing.region import Operand
    from rpganify.routing.routes import route_samples

    seen: list[tuple[int, ...]] = []

    def own(value: Tensor) -> Tensor:
        seen.append(tuple(value.shape))
        return value.flip(0)

    route = route_samples(torch.tensor([[0], [1], [2], [0]]), 0, 3)
    stack = torch.randn(3, 2, 5)
    result = RoutedCall(own, (Operand(0, is_block=True),), {}, None)(route, StackedValues(stack))
    assert seen == [(2, 5)] * 3
    assert torch.equal(torch.stack(result), stack.flip(1))
