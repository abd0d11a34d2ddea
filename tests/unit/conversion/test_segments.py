"""Segments: which operations a bucket runs from end to end, and that cutting them by block changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.routing import segment
from rpganify.routing.generator import RandomPathGenerator
from rpganify.routing.kernels import pinned_kernel
from rpganify.routing.segment import RoutedSegment
from tests.generators import CASES
from tests.generators.case import LATENT, Mode
from tests.unit.conversion.converted import FLOAT64, assert_same, default_dtype, model_copy
from tests.unit.conversion.test_constructions import NUM_SAMPLES, PER_SAMPLE, paths_of, run_paths


def segments_of(model: RandomPathGenerator) -> list[list[str]]:
    """The operations of every segment of the train program, by the last part of their names."""
    found = []
    holder = model.get_submodule("routed_train" if hasattr(model, "routed_train") else "routed_eval")
    for module in holder.children():
        if isinstance(module, RoutedSegment):
            nodes = [node for node in module._program.graph.nodes if node.op not in ("placeholder", "output")]
            found.append([str(getattr(node.target, "__name__", node.target)) for node in nodes])
    return found


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.c1(nn.functional.interpolate(torch.relu(x), scale_factor=2))
        return self.c2(torch.relu(y)) + nn.functional.interpolate(x, scale_factor=2)


class Residual(nn.Module):
    """Two residual blocks with a norm over the batch between them, and a last convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.one, self.two = nn.Linear(LATENT, 64), Block(), Block()
        self.norm, self.last = nn.BatchNorm2d(4), nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.last(torch.relu(self.norm(self.two(self.one(self.fc(z).view(-1, 4, 4, 4)))))))


BLOCK = ["relu", "interpolate", "call_layer", "relu", "call_layer", "interpolate", "add"]


def test_a_residual_block_is_one_segment_with_what_leads_to_it_and_a_norm_over_the_batch_stands_between() -> None:
    model = rpganify.wrap(Residual(), buckets=["fc", "one.*", "two.*", "last"], blocks=3)
    assert segments_of(model) == [["call_layer", "reshape"], BLOCK, BLOCK, ["relu", "call_layer", "tanh"]]


def test_layers_of_one_bucket_that_follow_each_other_are_one_segment() -> None:
    model = rpganify.wrap(Residual(), buckets=["fc", "one.*,two.*", "last"], blocks=3)
    assert segments_of(model) == [["call_layer", "reshape"], BLOCK + BLOCK, ["relu", "call_layer", "tanh"]]


class UsedBetween(nn.Module):
    """The first layer's result is summed over the batch before the second layer of the same bucket runs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(LATENT, 48), nn.Linear(48, 48)

    def forward(self, z: Tensor) -> Tensor:
        h = self.first(z)
        level = h.mean(0, keepdim=True)
        return torch.tanh(self.second(torch.relu(h)) + level).view(-1, 3, 4, 4)


def test_a_result_that_others_need_in_between_ends_a_segment() -> None:
    generator = UsedBetween()
    model = rpganify.wrap(generator, buckets=["first,second"], blocks=3)
    assert ["call_layer", "relu", "call_layer"] not in [one[:3] for one in segments_of(model)]
    z = torch.randn(5, LATENT)
    torch.testing.assert_close(rpganify.standard(generator)(z), generator(z))


@pytest.fixture
def _cuts_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "_WORTH_CUTTING", 0)


@pytest.mark.usefixtures("_cuts_everything")
@pytest.mark.parametrize(("name", "mode"), PER_SAMPLE)
def test_block_by_block_and_layer_by_layer_give_the_same_images_and_gradients(name: str, mode: Mode) -> None:
    case = CASES[name]
    results = []
    with default_dtype(torch.float64):
        for kernel in ("by-block", "layer-by-layer"):
            model = model_copy(name, 3, mode, torch.float64)
            arguments, paths = case.arguments(NUM_SAMPLES), paths_of(model)
            with pinned_kernel(kernel):
                images = case.images(run_paths(case, model, paths, arguments))
            images.square().sum().backward()
            gradients = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in model.named_parameters()}
            results.append((images.detach(), gradients))
    assert_same(results[0], results[1], FLOAT64)


@pytest.mark.usefixtures("_cuts_everything")
def test_a_cut_segment_calls_its_operations_once_per_block_present(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = torch.tensor([[0, 2, 1, 1], [0, 0, 1, 2], [1, 2, 1, 2]])
    calls: list[int] = []
    relu = torch.relu
    monkeypatch.setattr(torch, "relu", lambda x: (calls.append(len(x)), relu(x))[1])
    model = rpganify.wrap(Residual(), buckets=["fc", "one.*", "two.*", "last"], blocks=3)
    for kernel, expected in (("by-block", [1, 1, 2, 2, 3, 3, 1, 2]), ("layer-by-layer", [3, 3, 3, 3, 3])):
        calls.clear()
        with pinned_kernel(kernel), torch.no_grad():
            model(paths)
        assert calls == expected
