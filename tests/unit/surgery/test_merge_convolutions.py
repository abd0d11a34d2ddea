"""Convolutional buckets multiplied into one: equal at every place of the image, or refused with the reason."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import rpganify
from rpganify.errors import ConversionError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.gathered import gathered
from rpganify.surgery.merge import original_paths
from tests.unit.surgery.convolutional import Head, Kernels, Pointwise, Transposed, wrapped


def difference(model: RandomPathGenerator, merged: RandomPathGenerator) -> float:
    """The largest of any pixel, over all paths of the merged model."""
    paths = torch.tensor(list(itertools.product(*map(range, merged.plan.num_blocks))))
    with torch.no_grad():
        return float((model(original_paths(merged, paths)) - merged(paths)).abs().max())


@pytest.mark.parametrize(
    ("generator", "buckets", "chosen", "name", "kind", "shape"),
    [
        # Pointwise layers and the norms between them, before and behind upsampling, stay small.
        (Pointwise(), ["l1", "c1", "c2", "c3"], (1, 2), "c1_to_c2", "Conv2d", (5, 3, 3, 3)),
        (Pointwise(), ["l1", "c1", "c2", "c3"], (2, 3), "c2_to_c3", "Conv2d", (2, 4, 1, 1)),
        (Pointwise(), ["l1", "c1", "c2", "c3"], (1, 2, 3), "c1_to_c3", "Conv2d", (2, 3, 3, 3)),
        # Upsampling between kernels becomes a transposed convolution.
        (Kernels(), ["l1", "c1", "c2", "c3"], (1, 2), "c1_to_c2", "ConvTranspose2d", (3, 5, 4, 4)),
        (Kernels(), ["l1", "c1", "c2", "c3"], (2, 3), "c2_to_c3", "Conv2d", (1, 4, 5, 5)),
        (Kernels(), ["l1", "c1", "c2", "c3"], (1, 2, 3), "c1_to_c3", "ConvTranspose2d", (3, 1, 6, 6)),
        # A dense layer and the map behind it are a matrix.
        (Head(), ["l1", "c1", "c2"], (0, 1), "l1_to_c1", "Linear", (4 * 6 * 6, 6)),
        (Head("bilinear"), ["l1", "c1", "c2"], (0, 1), "l1_to_c1", "Linear", (4 * 6 * 6, 6)),
        (Transposed(), ["c1", "c2", "c3"], (0, 1), "c1_to_c2", "Linear", (4 * 8 * 8, 6)),
        (Transposed(), ["c1", "c2", "c3"], (0, 1, 2), "c1_to_c3", "Linear", (16 * 16, 6)),
    ],
)
def test_a_product_draws_what_its_blocks_draw(
    generator: nn.Module, buckets: list[str], chosen: tuple[int, ...], name: str, kind: str, shape: tuple[int, ...]
) -> None:
    model = wrapped(generator, buckets)
    merged = rpganify.merge(model, chosen, 5, seed=1)
    assert difference(model, merged) < 1e-12  # float64: sums in another order
    assert merged.blueprint.layer_configs[name].kind == kind
    assert tuple(merged.get_parameter(f"{name}.weight").shape) == (5, *shape)


def test_what_is_merged_survives_the_disk_grows_and_gives_its_paths_away(tmp_path: Path) -> None:
    for index, (generator, chosen) in enumerate([(Pointwise(), (1, 2, 3)), (Kernels(), (1, 2)), (Head(), (0, 1))]):
        names = ["l1", "c1", "c2"] if isinstance(generator, Head) else ["l1", "c1", "c2", "c3"]
        merged = rpganify.merge(wrapped(generator, names), chosen, 4)
        rpganify.save(merged, tmp_path / f"{index}.rpgan")
        again = rpganify.load(tmp_path / f"{index}.rpgan")
        assert isinstance(again, RandomPathGenerator)
        paths = merged.draw(8)
        assert torch.equal(again(paths), merged(paths))
        plain = rpganify.extract(again, paths[0])
        assert torch.equal(plain(again.Z), again(paths[:1]))
        assert torch.equal(rpganify.grow(again, (1,) * again.plan.num_buckets)(paths), again(paths))
        # As one plain program, and every sample by itself.
        torch.testing.assert_close(gathered(again)(paths), again(paths), rtol=0, atol=1e-12)
        torch.testing.assert_close(torch.cat([again(one[None]) for one in paths]), again(paths), rtol=0, atol=1e-12)


def test_the_last_layer_stays_where_the_first_ones_become_a_matrix() -> None:
    model = wrapped(Head(), ["l1", "c1", "c2"])
    merged = rpganify.merge(model, (0, 1), 4)
    assert [bucket.layers for bucket in merged.plan.buckets] == [("l1_to_c1",), ("c2",)]
    assert "norm" not in merged.plan.shared and not any(name.startswith("norm.") for name in merged.state_dict())
    layer = next(one for one in merged.blueprint.layers if one.name == "l1_to_c1")
    assert layer.num_parameters == 144 * 7 and layer.output_shape == (None, 144)


class Padded(nn.Module):
    """Two padded convolutions on a map that is larger than they are, and something between them."""

    def __init__(self, between: str = "", bias: bool = False) -> None:
        super().__init__()
        self.between = between
        self.l1 = nn.Linear(6, 2 * 8 * 8)
        self.c1 = nn.Conv2d(2, 2, 1 if between == "bias" else 3, padding=int(between != "bias"), bias=bias)
        self.c2 = nn.Conv2d(2, 1, 3, padding=1)
        self.norm = nn.InstanceNorm2d(2, affine=True)
        self.batch = nn.BatchNorm2d(2, track_running_stats=False)

    def forward(self, z: Tensor) -> Tensor:
        h = self.c1(torch.relu(self.l1(z)).view(-1, 2, 8, 8))
        if self.between == "relu":
            h = F.leaky_relu(h, 0.2)
        if self.between == "norm":
            h = self.norm(h)
        if self.between == "batch":
            h = self.batch(h)
        if self.between == "maximum":
            h = F.max_pool2d(h, 2)
        if self.between == "samples":
            h = h.transpose(0, 1).transpose(0, 1)
        return torch.tanh(self.c2(h))


LIMIT = r"As a matrix over all values of a sample they would have 64 × 128, \d+ times .* 8 times is the limit"


@pytest.mark.parametrize(
    ("generator", "message"),
    [
        (Padded(), rf"c1 to c2 are no one layer of their kind: c2 finds zeros beyond the border .*{LIMIT}"),
        (Padded("bias", bias=True), rf"a bias or a norm's shift of c1 is the same at all places, .*{LIMIT}"),
        (Padded("relu"), r"Behind c1 is leaky_relu \(.*\), which no matrix can stand for\. `rpganify linearize`"),
        (Padded("norm"), r"norm \(InstanceNorm2d\) takes its statistics from each sample.*Merge buckets on one side"),
        (Padded("batch"), r"batch \(BatchNorm2d\) takes its statistics from each batch.*Merge buckets on one side"),
        (Padded("maximum"), r"Behind c1 is max_pool2d .*which no matrix can stand for"),
        (Padded("samples"), r"Behind c1 is transpose .*which no matrix can stand for"),
    ],
)
def test_what_is_no_one_layer_is_refused_with_the_reason(generator: nn.Module, message: str) -> None:
    model = wrapped(generator, ["l1", "c1", "c2"])
    with pytest.raises(ConversionError, match=message):
        rpganify.merge(model, (1, 2), 2)


def test_a_convolution_whose_weight_is_computed_is_refused() -> None:
    generator = Padded()
    nn.utils.parametrizations.spectral_norm(generator.c1)
    model = wrapped(generator, ["l1", "c1", "c2"])
    with pytest.raises(ConversionError, match=r"c1 is computed by functions, such as those of a spectral norm.*Leave"):
        rpganify.merge(model, (1, 2), 2)


class Between(nn.Module):
    """A layer that belongs to no bucket, its weight computed, between two that are merged."""

    def __init__(self) -> None:
        super().__init__()
        self.l1, self.l2, self.l3 = (nn.Linear(6, 6) for _ in range(3))
        nn.utils.parametrizations.spectral_norm(self.l2)

    def forward(self, z: Tensor) -> Tensor:
        return self.l3(self.l2(self.l1(z))).view(-1, 1, 2, 3)


def test_a_weight_that_is_computed_between_them_is_refused() -> None:
    model = wrapped(Between(), ["l1", "l3"])
    with pytest.raises(ConversionError, match=r"Behind l1 is linear .*whose weight is computed in the forward pass"):
        rpganify.merge(model, (0, 1), 2)


class Tokens(nn.Module):
    """A dense layer along the last axis of tokens, then one over all of them at once by a reshape."""

    def __init__(self, mixes: bool) -> None:
        super().__init__()
        self.mixes = mixes
        self.l1, self.l2 = nn.Linear(3, 4), nn.Linear(4, 4)

    def forward(self, z: Tensor) -> Tensor:
        h = self.l1(z.view(-1, 2, 3))  # (N, 2, 4)
        h = self.l2(h.reshape(-1, 4)) if self.mixes else self.l2(h)
        return h.view(-1, 1, 2, 4)


def test_dense_layers_along_the_last_axis_are_one_matrix_of_that_axis() -> None:
    model = wrapped(Tokens(mixes=False), ["l1", "l2"])
    merged = rpganify.merge(model, (0, 1), 9)
    assert difference(model, merged) < 1e-13
    assert merged.get_parameter("l1_to_l2.weight").shape == (9, 4, 3)


def test_samples_that_are_mixed_with_other_axes_are_refused() -> None:
    model = wrapped(Tokens(mixes=True), ["l1", "l2"])
    with pytest.raises(ConversionError, match=r"Behind l1 is reshape .*which mixes the samples with other axes"):
        rpganify.merge(model, (0, 1), 2)


class First(nn.Module):
    """A bucket that begins with its batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.l1 = nn.Linear(6, 6)
        self.norm, self.l2, self.l3 = nn.BatchNorm1d(6), nn.Linear(6, 5), nn.Linear(5, 4)

    def forward(self, z: Tensor) -> Tensor:
        return self.l3(self.l2(self.norm(torch.relu(self.l1(z))))).view(-1, 1, 2, 2)


def test_a_bucket_may_begin_with_its_norm() -> None:
    generator = First().double()
    generator(torch.randn(30, 6).double())
    model = rpganify.wrap(
        generator, buckets=["l1", "norm,l2", "l3"], blocks=3, init="jitter", norm="per-block", latent="z:6"
    ).eval()
    merged = rpganify.merge(model, (1, 2), 9)
    assert difference(model, merged) < 1e-13
    assert merged.plan.buckets[1].layers == ("norm_to_l3",)


class Modes(nn.Module):
    """In train mode it does something else between two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.l1, self.l2 = nn.Linear(6, 8), nn.Linear(8, 4)

    def forward(self, z: Tensor) -> Tensor:
        h = self.l1(z)
        if self.training:
            h = h.view(-1, 2, 4).contiguous().view(-1, 8)
        return self.l2(h).view(-1, 1, 2, 2)


def test_a_program_that_differs_in_train_mode_is_refused() -> None:
    model = wrapped(Modes(), ["l1", "l2"])
    with pytest.raises(ConversionError, match="Between l1 and l2 the generator does something else in train mode"):
        rpganify.merge(model, (0, 1), 2)
