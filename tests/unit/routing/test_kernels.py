"""Every kernel against the per-sample loop, for every layer that it applies to, and the choice among them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rpganify.conversion.known import layer_config
from rpganify.errors import ConversionError
from rpganify.routing.grouped import Groups, grouped_matmul
from rpganify.routing.kernels import KERNEL_NAMES, KERNELS, choose_kernel, pinned_kernel
from rpganify.routing.layers import RoutedLayer
from rpganify.routing.routes import in_order, route_samples
from tests.oracle import layer_one_by_one

NUM_BLOCKS = 4
# Block 3 is absent, 1 has one sample; sorted, as kernels take them.
BLOCKS = torch.tensor([0, 0, 0, 1, 2, 2, 2])
LAYERS = {
    "Linear": (nn.Linear(5, 3), (5,)),
    "Linear on tokens": (nn.Linear(5, 3, bias=False), (4, 5)),
    "Conv2d": (nn.Conv2d(3, 2, 3, padding=1), (3, 6, 5)),
    "Conv2d, dilated, wide": (nn.Conv2d(3, 2, (3, 2), padding=(2, 0), dilation=(2, 1), bias=False), (3, 6, 5)),
    "Conv2d, strided": (nn.Conv2d(3, 5, 3, stride=2, padding=1), (3, 6, 5)),
    "Conv2d, in groups": (nn.Conv2d(4, 6, 3, groups=2), (4, 6, 5)),
    "ConvTranspose2d": (nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1), (3, 3, 4)),
    "ConvTranspose2d, uneven": (
        nn.ConvTranspose2d(3, 2, (3, 4), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), dilation=(2, 1)),
        (3, 3, 4),
    ),
    "ConvTranspose2d of one place": (nn.ConvTranspose2d(3, 2, 4, bias=False), (3, 1, 1)),
    "Conv2d of many channels": (nn.Conv2d(6, 5, 3, padding=1), (6, 5, 4)),
    "Conv2d of many channels in groups": (nn.Conv2d(12, 10, (3, 2), groups=2), (12, 5, 4)),
    "ConvTranspose2d of many channels": (nn.ConvTranspose2d(6, 5, 4, stride=2, padding=1), (6, 3, 4)),
    "ConvTranspose2d of many channels, uneven": (
        nn.ConvTranspose2d(5, 6, (3, 4), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), dilation=(2, 1)),
        (5, 3, 4),
    ),
    "ConvTranspose2d of many channels, spread": (nn.ConvTranspose2d(5, 6, 2, stride=3, output_padding=2), (5, 2, 3)),
    "LayerNorm": (nn.LayerNorm((3, 4)), (2, 3, 4)),
    "GroupNorm": (nn.GroupNorm(2, 4), (4, 3, 2)),
    "InstanceNorm2d": (nn.InstanceNorm2d(3, affine=True), (3, 4, 5)),
    "PReLU": (nn.PReLU(3), (3, 4)),
    "PReLU, one slope": (nn.PReLU(), (3,)),
    "Embedding": (nn.Embedding(7, 3), (2,)),
}


def case(name: str) -> tuple[RoutedLayer, dict[str, Tensor], Tensor]:
    plain, shape = LAYERS[name]
    draws = torch.Generator().manual_seed(len(name))
    stacks: dict[str, Tensor] = {
        name: nn.Parameter(torch.randn(NUM_BLOCKS, *one.shape, generator=draws, dtype=torch.float64))
        for name, one in plain.named_parameters()
    }
    layer = RoutedLayer(
        layer_config(plain), NUM_BLOCKS, {n: nn.Parameter(t.detach().clone()) for n, t in stacks.items()}
    )
    if isinstance(plain, nn.Embedding):
        return layer, stacks, torch.randint(7, (len(BLOCKS), *shape), generator=draws)
    x = torch.randn(len(BLOCKS), *shape, generator=draws, dtype=torch.float64)
    return layer, stacks, x.requires_grad_()


def applicable() -> list[tuple[str, str]]:
    found = []
    for kernel in KERNELS:
        for name, (plain, shape) in LAYERS.items():
            with pinned_kernel(kernel):
                if choose_kernel(layer_config(plain), shape, "cpu") == kernel:
                    found.append((kernel, name))
    return found


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_applies_to_several_of_the_layers_here(kernel: str) -> None:
    assert len([name for one, name in applicable() if one == kernel]) >= 2


@pytest.mark.parametrize(("kernel", "name"), [*applicable(), *(("by-block", name) for name in LAYERS)])
@pytest.mark.parametrize("is_sorted", [True, False])
def test_a_kernel_gives_what_each_sample_gets_from_its_own_block_and_the_same_gradients(
    kernel: str, name: str, is_sorted: bool
) -> None:
    layer, stacks, x = case(name)
    blocks = BLOCKS if is_sorted else BLOCKS[torch.tensor([3, 0, 6, 1, 5, 2, 4])]
    route = route_samples(blocks[:, None], 0, NUM_BLOCKS)
    with pinned_kernel(kernel):
        found = layer(in_order(route) if is_sorted else route, x)
    expected = layer_one_by_one(layer.layer, stacks, blocks, x)
    torch.testing.assert_close(found, expected)
    weights = torch.cos(torch.arange(found.numel(), dtype=found.dtype)).view(found.shape)
    inputs = [x] if x.requires_grad else []
    ours = torch.autograd.grad((found * weights).sum(), [*inputs, *dict(layer.named_parameters()).values()])
    theirs = torch.autograd.grad((expected * weights).sum(), [*inputs, *stacks.values()])
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two)
    for gradient in ours[len(inputs) :]:
        assert not gradient[3].any(), "block 3 is absent, but got a gradient"


@pytest.mark.parametrize(("kernel", "name"), applicable())
def test_kernels_agree_under_autocast_as_far_as_its_type_reaches(kernel: str, name: str) -> None:
    layer, _, x = case(name)
    layer, x = layer.float(), x.detach().float() if x.is_floating_point() else x
    route = in_order(route_samples(BLOCKS[:, None], 0, NUM_BLOCKS))
    results = []
    for pinned in (kernel, "by-block"):
        with pinned_kernel(pinned), torch.autocast("cpu", torch.bfloat16):
            results.append(layer(route, x))
    scale = float(results[1].detach().abs().max())
    torch.testing.assert_close(results[0].float(), results[1].float(), rtol=0, atol=0.03 * scale)


def test_an_unknown_kernel_is_refused_with_the_list_of_those_there_are() -> None:
    with (
        pytest.raises(ConversionError, match=r"There is no kernel 'fastest'\. The kernels are: auto, by-block, "),
        pinned_kernel("fastest"),
    ):
        pass


def test_a_pinned_kernel_is_forgotten_afterwards_and_passes_over_layers_that_it_cannot_run() -> None:
    config = layer_config(nn.Conv2d(64, 64, 3, padding=1))
    assert choose_kernel(config, (64, 8, 8), "cpu") == "by-block"
    with pinned_kernel("grouped"):
        assert choose_kernel(config, (64, 8, 8), "cpu") == "grouped"
        assert choose_kernel(layer_config(nn.Conv2d(4, 4, 3, padding="same")), (4, 8, 8), "cpu") == "by-block"
    assert choose_kernel(config, (64, 8, 8), "cpu") == "by-block"
    assert set(KERNEL_NAMES) == {"auto", "by-block", "layer-by-layer", *KERNELS}


def test_the_choice_follows_the_layers_shape_and_the_device() -> None:
    to_picture = layer_config(nn.Conv2d(64, 3, 3, padding=1))
    assert choose_kernel(to_picture, (64, 32, 32), "cpu") == "project"
    assert choose_kernel(layer_config(nn.Linear(128, 64)), (128,), "cpu") == "matmul"
    first = layer_config(nn.ConvTranspose2d(128, 256, 4))
    assert choose_kernel(first, (128, 1, 1), "cpu") == "matmul"
    later = layer_config(nn.ConvTranspose2d(128, 64, 4, 2, 1))
    assert choose_kernel(later, (128, 8, 8), "cpu") == "matmul"
    assert choose_kernel(later, (128, 16, 16), "cpu") == "by-block"
    assert choose_kernel(later, (128, 16, 16), "cuda") == "grouped"
    assert choose_kernel(first, (128, 1, 1), "cuda") == "matmul"


@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize("counts", [(3, 1, 2), (1, 1, 20), (5, 5, 5)])
def test_a_grouped_product_has_right_derivatives_of_first_and_second_order(
    counts: tuple[int, ...], is_transposed: bool
) -> None:
    groups = Groups(4, (0, 1, 3), counts)
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(sum(counts), 3, generator=draws, dtype=torch.float64).requires_grad_()
    stack = torch.randn(
        4, *((2, 3) if is_transposed else (3, 2)), generator=draws, dtype=torch.float64
    ).requires_grad_()

    def product(x: Tensor, stack: Tensor) -> Tensor:
        return grouped_matmul(x, stack.transpose(1, 2) if is_transposed else stack, groups)

    assert torch.autograd.gradcheck(product, (x, stack))
    assert torch.autograd.gradgradcheck(product, (x, stack))


@pytest.mark.parametrize("rows", [2, 8, 40, 80])
@pytest.mark.parametrize("shape", [(600, 256), (784, 1024), (256, 2048), (1040, 520)])
@pytest.mark.parametrize("is_transposed", [False, True])
def test_matrices_of_every_size_and_order_give_the_same_as_one_product_each(
    rows: int, shape: tuple[int, int], is_transposed: bool
) -> None:
    draws = torch.Generator().manual_seed(0)
    groups = Groups(3, (0, 2), (rows, rows + 1))
    x = torch.randn(2 * rows + 1, shape[0], generator=draws, requires_grad=True)
    stack = torch.randn(3, *(shape[::-1] if is_transposed else shape), generator=draws, requires_grad=True)
    matrices = stack.transpose(1, 2) if is_transposed else stack
    found = grouped_matmul(x, matrices, groups)
    expected = torch.cat([x[:rows] @ matrices[0], x[rows:] @ matrices[2]])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)
    weights = torch.randn(found.shape, generator=draws)
    ours = torch.autograd.grad(found, (x, stack), weights, retain_graph=True)
    theirs = torch.autograd.grad(expected, (x, stack), weights)
    for value, one, two in zip((x, stack), ours, theirs, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=2e-3)
        assert one.stride() == value.stride()
