"""Every routed layer against the per-sample loop, forward and backward, in float64."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rpganify.conversion.known import KNOWN, layer_config
from rpganify.errors import PathError
from rpganify.routing.blueprint import LayerConfig
from rpganify.routing.layers import RoutedLayer
from rpganify.routing.routes import Route, route_samples
from tests.oracle import layer_block_by_block, layer_one_by_one, plain_layer

NUM_BLOCKS = 4
# Block 3 is absent, block 2 has a single sample, and the blocks come in no order.
BLOCKS = torch.tensor([1, 0, 2, 0, 1, 1])
# float64 sums of some hundred products in another order.
CLOSE = {"rtol": 1e-10, "atol": 1e-12}

Case = tuple[nn.Module, tuple[int, ...]]

# Torch itself says so once, of the plain layer as well; that it is slower does not matter here.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")

# name -> plain layer and the shape of one sample.
LAYERS: dict[str, Case] = {
    "Linear": (nn.Linear(5, 3), (5,)),
    "Linear without bias": (nn.Linear(5, 3, bias=False), (5,)),
    "Linear over tokens": (nn.Linear(5, 3), (2, 4, 5)),
    "Conv1d": (nn.Conv1d(4, 6, 3), (4, 7)),
    "Conv1d, groups, stride, dilation": (nn.Conv1d(4, 6, 3, stride=2, dilation=2, groups=2, padding=1), (4, 9)),
    "Conv1d, padding same": (nn.Conv1d(4, 6, 4, padding="same", bias=False), (4, 7)),
    "Conv1d, circular": (nn.Conv1d(4, 6, 3, padding=2, padding_mode="circular"), (4, 7)),
    "Conv2d": (nn.Conv2d(4, 6, 3, padding=1), (4, 5, 6)),
    "Conv2d without bias": (nn.Conv2d(4, 6, (3, 2), bias=False), (4, 5, 6)),
    "Conv2d, groups": (nn.Conv2d(4, 6, 3, groups=2), (4, 5, 6)),
    "Conv2d, depthwise": (nn.Conv2d(4, 8, 3, groups=4, bias=False), (4, 5, 6)),
    "Conv2d, stride and dilation": (nn.Conv2d(4, 6, 3, stride=(2, 1), dilation=(1, 2)), (4, 7, 8)),
    "Conv2d, padding valid": (nn.Conv2d(4, 6, 3, padding="valid"), (4, 5, 6)),
    "Conv2d, padding same, even kernel": (nn.Conv2d(4, 6, (4, 3), padding="same", dilation=(1, 2)), (4, 7, 8)),
    "Conv2d, reflect": (nn.Conv2d(4, 6, 3, padding=(1, 2), padding_mode="reflect"), (4, 5, 6)),
    "Conv2d, replicate": (nn.Conv2d(4, 6, 3, padding=1, stride=2, padding_mode="replicate"), (4, 5, 6)),
    "Conv2d, circular": (nn.Conv2d(4, 6, 3, padding=(2, 1), padding_mode="circular"), (4, 5, 6)),
    "Conv2d, reflect, padding same, even kernel": (
        nn.Conv2d(4, 6, (4, 3), padding="same", padding_mode="reflect"),
        (4, 7, 8),
    ),
    "Conv2d, reflect, padding valid": (nn.Conv2d(4, 6, 3, padding="valid", padding_mode="reflect"), (4, 5, 6)),
    "Conv3d": (nn.Conv3d(2, 4, 2, groups=2, stride=(1, 2, 1)), (2, 3, 4, 3)),
    "Conv3d, replicate": (nn.Conv3d(2, 4, 3, padding=1, padding_mode="replicate", bias=False), (2, 3, 3, 3)),
    "ConvTranspose1d": (nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1), (4, 5)),
    "ConvTranspose1d without bias": (nn.ConvTranspose1d(4, 6, 3, bias=False), (4, 5)),
    "ConvTranspose2d": (nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1), (4, 3, 4)),
    "ConvTranspose2d without bias": (nn.ConvTranspose2d(4, 6, 4, bias=False), (4, 1, 1)),
    "ConvTranspose2d, output padding": (
        nn.ConvTranspose2d(4, 6, 3, stride=(2, 3), padding=1, output_padding=(1, 2)),
        (4, 3, 4),
    ),
    "ConvTranspose2d, groups and dilation": (nn.ConvTranspose2d(4, 6, 3, groups=2, dilation=2), (4, 3, 4)),
    "ConvTranspose3d": (nn.ConvTranspose3d(2, 4, 3, stride=2, padding=1, output_padding=1, groups=2), (2, 2, 3, 2)),
    "BatchNorm1d": (nn.BatchNorm1d(5), (5,)),
    "BatchNorm1d over positions": (nn.BatchNorm1d(5), (5, 3)),
    "BatchNorm2d": (nn.BatchNorm2d(5), (5, 3, 4)),
    "BatchNorm2d, not affine": (nn.BatchNorm2d(5, affine=False), (5, 3, 4)),
    "BatchNorm2d, eps": (nn.BatchNorm2d(5, eps=0.5), (5, 3, 4)),
    "BatchNorm3d": (nn.BatchNorm3d(5), (5, 2, 3, 2)),
    "LayerNorm": (nn.LayerNorm(5), (4, 5)),
    "LayerNorm over an image, without bias": (nn.LayerNorm((4, 5), bias=False, eps=1e-2), (3, 4, 5)),
    "LayerNorm, not affine": (nn.LayerNorm(5, elementwise_affine=False), (4, 5)),
    "GroupNorm": (nn.GroupNorm(2, 6), (6, 3, 4)),
    "GroupNorm, not affine": (nn.GroupNorm(3, 6, affine=False, eps=1e-2), (6, 3, 4)),
    "InstanceNorm1d": (nn.InstanceNorm1d(5, affine=True), (5, 6)),
    "InstanceNorm2d": (nn.InstanceNorm2d(5, affine=True), (5, 3, 4)),
    "InstanceNorm2d, running statistics": (nn.InstanceNorm2d(5, affine=True, track_running_stats=True), (5, 3, 4)),
    "InstanceNorm3d": (nn.InstanceNorm3d(5, affine=True, eps=1e-2), (5, 2, 3, 2)),
    "Embedding": (nn.Embedding(7, 5), ()),
    "Embedding over tokens, padding": (nn.Embedding(7, 5, padding_idx=-2), (3,)),
    "PReLU": (nn.PReLU(), (5, 3)),
    "PReLU, one slope per channel": (nn.PReLU(5), (5, 3, 4)),
}

# Norms whose result depends on the other samples in train mode.
MIXING = ("BatchNorm", "InstanceNorm2d, running statistics")


def draw_case(name: str) -> tuple[LayerConfig, dict[str, Tensor], Tensor]:
    """A layer's configuration, random stacked tensors and an input for `BLOCKS`."""
    plain, shape = LAYERS[name]
    draws = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    stacks: dict[str, Tensor] = {}
    for local, parameter in plain.named_parameters():
        values = torch.randn(NUM_BLOCKS, *parameter.shape, generator=draws, dtype=torch.float64)
        stacks[local] = nn.Parameter(values)
    for local, buffer in plain.named_buffers():
        if buffer.is_floating_point():
            stacks[local] = torch.rand(NUM_BLOCKS, *buffer.shape, generator=draws, dtype=torch.float64) + 0.5
        else:
            stacks[local] = torch.arange(NUM_BLOCKS) * 10
    if isinstance(plain, nn.Embedding):
        x = torch.randint(plain.num_embeddings, (len(BLOCKS), *shape), generator=draws)
        x.view(-1)[0] = 5  # the padding index is among the tokens
    else:
        x = torch.randn(len(BLOCKS), *shape, generator=draws, dtype=torch.float64).requires_grad_()
    return layer_config(plain), stacks, x


def copies(stacks: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same values in memory of their own, parameters as parameters."""
    return {
        n: nn.Parameter(t.detach().clone()) if isinstance(t, nn.Parameter) else t.clone() for n, t in stacks.items()
    }


def route(blocks: Tensor) -> Route:
    return route_samples(blocks[:, None], 0, NUM_BLOCKS)


def gradients(output: Tensor, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    """Of a loss that weights every value of the output differently."""
    weights = torch.cos(torch.arange(output.numel(), dtype=output.dtype)).view(output.shape)
    found = torch.autograd.grad((output * weights).sum(), inputs, allow_unused=True)
    return tuple(torch.zeros_like(i) if g is None else g for g, i in zip(found, inputs, strict=True))


def compare_gradients(ours: Tensor, theirs: Tensor, x: Tensor, mine: RoutedLayer, stacks: dict[str, Tensor]) -> None:
    inputs = [x] if x.requires_grad else []
    names = [name for name, tensor in stacks.items() if isinstance(tensor, nn.Parameter)]
    if not inputs and not names:
        return
    own = dict(mine.named_parameters())
    found = gradients(ours, inputs + [own[name] for name in names])
    expected = gradients(theirs, inputs + [stacks[name] for name in names])
    for name, one, two in zip([*(["input"] if inputs else []), *names], found, expected, strict=True):
        torch.testing.assert_close(one, two, **CLOSE, msg=lambda text, name=name: f"gradient of {name}: {text}")
    for name, gradient in zip(names, found[len(inputs) :], strict=True):
        assert not gradient[3].any(), f"block 3 is absent, but {name} got a gradient there"


def test_every_known_kind_has_a_case_here() -> None:
    assert {type(plain).__name__ for plain, _ in LAYERS.values()} == set(KNOWN)


@pytest.mark.parametrize("name", LAYERS)
def test_a_routed_layer_equals_the_plain_layer_of_each_samples_block_in_eval_mode(name: str) -> None:
    config, stacks, x = draw_case(name)
    routed = RoutedLayer(config, NUM_BLOCKS, copies(stacks)).eval()
    found = routed(route(BLOCKS), x)
    expected = layer_one_by_one(config, stacks, BLOCKS, x)
    torch.testing.assert_close(found, expected, **CLOSE)
    compare_gradients(found, expected, x, routed, stacks)


@pytest.mark.parametrize("name", [name for name in LAYERS if not name.startswith(MIXING)])
def test_a_routed_layer_equals_the_plain_layer_of_each_samples_block_in_train_mode(name: str) -> None:
    config, stacks, x = draw_case(name)
    routed = RoutedLayer(config, NUM_BLOCKS, copies(stacks)).train()
    found = routed(route(BLOCKS), x)
    expected = layer_one_by_one(config, stacks, BLOCKS, x, is_training=True)
    torch.testing.assert_close(found, expected, **CLOSE)
    compare_gradients(found, expected, x, routed, stacks)


@pytest.mark.parametrize("name", [name for name in LAYERS if name.startswith(MIXING) and name != "BatchNorm1d"])
def test_a_norm_per_block_in_train_mode_equals_a_plain_norm_fed_with_that_blocks_samples(name: str) -> None:
    config, stacks, x = draw_case(name)
    routed = RoutedLayer(config, NUM_BLOCKS, copies(stacks)).train()
    found = routed(route(BLOCKS), x)
    expected, after = layer_block_by_block(config, stacks, BLOCKS, x)
    torch.testing.assert_close(found, expected, **CLOSE)
    compare_gradients(found, expected, x, routed, stacks)
    buffers = dict(routed.named_buffers())
    assert set(buffers) == set(after)
    for buffer, values in after.items():
        torch.testing.assert_close(buffers[buffer], values, **CLOSE)
        assert torch.equal(buffers[buffer][3], stacks[buffer][3]), "block 3 is absent, but its statistics moved"


@pytest.mark.parametrize(("momentum", "rounds"), [(0.3, 1), (None, 3)])
def test_running_statistics_follow_the_layers_momentum_or_the_plain_mean_of_all_rounds(
    momentum: float | None, rounds: int
) -> None:
    config = layer_config(nn.BatchNorm2d(5, momentum=momentum))
    start = {
        "weight": nn.Parameter(torch.ones(NUM_BLOCKS, 5, dtype=torch.float64)),
        "bias": nn.Parameter(torch.zeros(NUM_BLOCKS, 5, dtype=torch.float64)),
        "running_mean": torch.zeros(NUM_BLOCKS, 5, dtype=torch.float64),
        "running_var": torch.ones(NUM_BLOCKS, 5, dtype=torch.float64),
        "num_batches_tracked": torch.zeros(NUM_BLOCKS, dtype=torch.int64),
    }
    routed = RoutedLayer(config, NUM_BLOCKS, copies(start)).train()
    plains = [plain_layer(config).train() for _ in range(NUM_BLOCKS)]
    for seed in range(rounds):
        x = torch.randn(len(BLOCKS), 5, 3, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        routed(route(BLOCKS), x)
        for block in (0, 1, 2):
            plains[block](x[block == BLOCKS])
    for name, buffer in routed.named_buffers():
        for block, plain in enumerate(plains):
            torch.testing.assert_close(buffer[block], plain.get_buffer(name), **CLOSE)


def test_a_block_with_one_value_per_channel_is_normalised_by_what_it_has_seen_and_learns_nothing_from_it() -> None:
    config, stacks, x = draw_case("BatchNorm1d")
    routed = RoutedLayer(config, NUM_BLOCKS, copies(stacks)).train()
    found = routed(route(BLOCKS), x)
    several = BLOCKS != 2  # plain batch norm refuses the single sample of block 2
    expected, after = layer_block_by_block(config, stacks, BLOCKS[several], x[several])
    torch.testing.assert_close(found[several], expected, **CLOSE)
    alone = layer_one_by_one(config, stacks, BLOCKS[~several], x[~several])
    torch.testing.assert_close(found[~several], alone, **CLOSE)
    for name, values in after.items():
        torch.testing.assert_close(routed.get_buffer(name), values, **CLOSE)
        assert torch.equal(routed.get_buffer(name)[2], stacks[name][2])


def test_a_batch_norm_that_keeps_no_statistics_refuses_a_block_with_one_value_per_channel_and_says_why() -> None:
    config = layer_config(nn.BatchNorm1d(5, affine=False, track_running_stats=False))
    routed = RoutedLayer(config, NUM_BLOCKS, {}).train()
    x = torch.randn(len(BLOCKS), 5, dtype=torch.float64)
    with pytest.raises(
        PathError, match="A block has a single sample in this batch, and its batch norm keeps no running"
    ):
        routed(route(BLOCKS), x)


def test_a_batch_norm_that_keeps_no_statistics_normalises_each_block_by_its_samples_in_both_modes() -> None:
    config = layer_config(nn.BatchNorm2d(5, track_running_stats=False))
    stacks: dict[str, Tensor] = {
        "weight": nn.Parameter(torch.rand(NUM_BLOCKS, 5, dtype=torch.float64)),
        "bias": nn.Parameter(torch.rand(NUM_BLOCKS, 5, dtype=torch.float64)),
    }
    x = torch.randn(len(BLOCKS), 5, 3, 4, dtype=torch.float64)
    expected, _ = layer_block_by_block(config, stacks, BLOCKS, x)
    for is_training in (True, False):
        routed = RoutedLayer(config, NUM_BLOCKS, copies(stacks)).train(is_training)
        torch.testing.assert_close(routed(route(BLOCKS), x), expected, **CLOSE)


@pytest.mark.parametrize("block", range(NUM_BLOCKS))
def test_a_batch_of_one_block_reaches_only_that_block(block: int) -> None:
    config, stacks, x = draw_case("Conv2d")
    blocks = torch.full((len(BLOCKS),), block)
    routed = RoutedLayer(config, NUM_BLOCKS, copies(stacks))
    found = routed(route(blocks), x)
    torch.testing.assert_close(found, layer_one_by_one(config, stacks, blocks, x), **CLOSE)
    found.sum().backward()
    for parameter in routed.parameters():
        assert parameter.grad is not None
        assert [bool(row.any()) for row in parameter.grad] == [i == block for i in range(NUM_BLOCKS)]


@pytest.mark.parametrize("name", ["Linear", "Conv2d", "ConvTranspose2d", "LayerNorm", "PReLU", "Embedding"])
def test_an_empty_batch_gives_an_empty_result_of_the_right_shape(name: str) -> None:
    config, stacks, x = draw_case(name)
    routed = RoutedLayer(config, NUM_BLOCKS, copies(stacks))
    expected = layer_one_by_one(config, stacks, BLOCKS, x).shape[1:]
    found: Any = routed(route(torch.empty(0, dtype=torch.int64)), x[:0])
    assert found.shape == (0, *expected)


def test_the_summary_of_a_routed_layer_names_its_kind_blocks_and_options() -> None:
    config, stacks, _ = draw_case("Conv2d, groups")
    assert repr(RoutedLayer(config, NUM_BLOCKS, stacks)).startswith("RoutedLayer(Conv2d, num_blocks=4, in_channels=4")
