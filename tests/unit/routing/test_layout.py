"""Weights of routed convolutions lie in memory as their calls read them, and everything else takes them as any tensor."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from rpganify.conversion.known import layer_config
from rpganify.routing.kernels import pinned_kernel
from rpganify.routing.layers import RoutedLayer
from rpganify.routing.layout import in_memory_order, is_channels_last, laid_out
from rpganify.routing.routes import route_samples
from rpganify.training.block_adam import BlockAdam
from rpganify.training.diversity import block_diversity

NUM_BLOCKS = 3
CHANNELS_LAST = {
    "Conv2d": nn.Conv2d(6, 5, 3),
    "Conv2d in groups": nn.Conv2d(12, 10, 2, groups=2),
    "ConvTranspose2d": nn.ConvTranspose2d(6, 5, 4, stride=2),
}
AS_EVER = {
    "Conv2d to few channels": nn.Conv2d(6, 3, 3),
    "Conv2d of one place": nn.Conv2d(6, 5, 1),
    "Conv2d, a channel by itself": nn.Conv2d(6, 6, 3, groups=6),
    "Conv1d": nn.Conv1d(6, 5, 3),
    "Linear": nn.Linear(6, 5),
}


def stacks_of(plain: nn.Module) -> dict[str, Tensor]:
    draws = torch.Generator().manual_seed(0)
    return {name: torch.randn(NUM_BLOCKS, *p.shape, generator=draws) for name, p in plain.named_parameters()}


def routed(plain: nn.Module) -> RoutedLayer:
    stacks = {name: nn.Parameter(stack) for name, stack in stacks_of(plain).items()}
    return RoutedLayer(layer_config(plain), NUM_BLOCKS, stacks)


@pytest.mark.parametrize("plain", CHANNELS_LAST.values(), ids=CHANNELS_LAST)
def test_weights_of_a_convolution_lie_channels_last_and_are_the_same_numbers(plain: nn.Module) -> None:
    layer, stacks = routed(plain), stacks_of(plain)
    assert is_channels_last(layer.weight)
    assert in_memory_order(layer.weight).is_contiguous()
    assert torch.equal(layer.weight, stacks["weight"])
    assert layer.weight.shape == stacks["weight"].shape
    assert laid_out(layer.weight, layer.layer) is layer.weight


@pytest.mark.parametrize("plain", AS_EVER.values(), ids=AS_EVER)
def test_other_weights_lie_in_the_order_of_their_shape(plain: nn.Module) -> None:
    layer = routed(plain)
    assert layer.weight.is_contiguous()
    assert not is_channels_last(layer.weight)


def test_a_parameter_is_laid_out_in_place_so_that_what_is_tied_to_it_stays_so() -> None:
    plain = nn.Conv2d(6, 5, 3)
    weight = nn.Parameter(stacks_of(plain)["weight"])
    layer = RoutedLayer(layer_config(plain), NUM_BLOCKS, {"weight": weight})
    assert layer.weight is weight
    assert is_channels_last(weight)


@pytest.mark.parametrize("plain", CHANNELS_LAST.values(), ids=CHANNELS_LAST)
@pytest.mark.parametrize("kernel", ["by-block", "matmul", "grouped"])
def test_gradients_lie_like_their_weights(plain: nn.Module, kernel: str) -> None:
    layer = routed(plain)
    x = torch.randn(4, plain.in_channels, 5, 4)
    with pinned_kernel(kernel):
        layer(route_samples(torch.tensor([[0], [2], [0], [2]]), 0, NUM_BLOCKS), x).square().sum().backward()
    assert layer.weight.grad.stride() == layer.weight.stride()


def test_copies_and_loaded_weights_keep_the_layout() -> None:
    layer = routed(CHANNELS_LAST["Conv2d"])
    assert is_channels_last(deepcopy(layer).weight)
    values = {name: torch.randn(p.shape) for name, p in layer.named_parameters()}
    layer.load_state_dict(values)
    assert is_channels_last(layer.weight)
    assert torch.equal(layer.weight, values["weight"])


@pytest.mark.parametrize("plain", CHANNELS_LAST.values(), ids=CHANNELS_LAST)
def test_an_optimizer_moves_weights_that_lie_channels_last_as_it_moves_any(plain: nn.Module) -> None:
    weight = nn.Parameter(laid_out(stacks_of(plain)["weight"], layer_config(plain)))
    ordinary = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
    assert ordinary.is_contiguous()
    optimizers = [
        torch.optim.Adam([weight], 0.1, fused=True),
        torch.optim.Adam([ordinary], 0.1),
    ]
    for _ in range(3):
        for one, optimizer in zip((weight, ordinary), optimizers, strict=True):
            optimizer.zero_grad()
            (one * torch.arange(one.numel()).view(one.shape).sin()).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(weight, ordinary)


def test_an_optimizer_of_drawn_blocks_moves_weights_that_lie_channels_last_as_it_moves_any() -> None:
    plain = CHANNELS_LAST["Conv2d"]
    weight = nn.Parameter(laid_out(stacks_of(plain)["weight"], layer_config(plain)))
    ordinary = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
    before = ordinary.detach().clone()
    for one, is_fused in ((weight, True), (ordinary, False)):
        optimizer = BlockAdam([one], [0], 0.1, (0.9, 0.99), is_fused)
        for drawn in ([[0], [2]], [[2], [2]]):
            optimizer.zero_grad()
            (one * torch.arange(one.numel()).view(one.shape).sin()).square().sum().backward()
            optimizer.choose(torch.tensor(drawn))
            optimizer.step()
    torch.testing.assert_close(weight, ordinary)
    assert torch.equal(weight[1], before[1])


def test_block_diversity_is_the_same_however_weights_lie() -> None:
    plain = CHANNELS_LAST["ConvTranspose2d"]
    ordinary = stacks_of(plain)["weight"].double().requires_grad_()
    weight = laid_out(ordinary.detach(), layer_config(plain)).requires_grad_()
    values = [block_diversity(one) for one in (weight, ordinary)]
    torch.testing.assert_close(*values)
    gradients = [torch.autograd.grad(value, one)[0] for value, one in zip(values, (weight, ordinary), strict=True)]
    torch.testing.assert_close(*gradients)
    assert gradients[0].stride() == weight.stride()
