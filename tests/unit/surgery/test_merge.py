"""Linear buckets multiplied into one: equal to the blocks that were multiplied, or refused with the reason."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.errors import ConversionError, PathError, PlanError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.merge import merged_paths, original_paths
from rpganify.surgery.restack import history


class Linears(nn.Module):
    """Four dense layers, one without a bias, a batch norm between two of them; all float64."""

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.l1 = nn.Linear(6, 10)
        self.l2 = nn.Linear(10, 12, bias=False)
        self.norm = norm or nn.BatchNorm1d(12)
        self.l3 = nn.Linear(12, 7)
        self.l4 = nn.Linear(7, 16)

    def forward(self, z: Tensor) -> Tensor:
        h = self.l3(self.norm(self.l2(torch.relu(self.l1(z)))))
        return torch.tanh(self.l4(h.view(-1, 7))).view(-1, 1, 4, 4)


def wrapped(generator: nn.Module, buckets: list[str], blocks: int = 3, norm: str = "shared") -> RandomPathGenerator:
    with torch.no_grad():
        for module in generator.modules():
            if isinstance(module, nn.BatchNorm1d) and module.affine:
                module.weight.uniform_(0.5, 2)
                module.bias.normal_()
    generator.double()
    generator(torch.randn(50, 6, dtype=torch.float64))  # so that statistics are not the initial ones
    return rpganify.wrap(
        generator,
        buckets=buckets,
        blocks=blocks,
        init="jitter",
        norm="per-block" if norm == "per-block" else "shared",
        latent="z:6",
    ).eval()


def compared(model: RandomPathGenerator, merged: RandomPathGenerator) -> float:
    paths = torch.tensor(list(itertools.product(*map(range, merged.plan.num_blocks))))
    with torch.no_grad():
        return float((model(original_paths(merged, paths)) - merged(paths)).abs().max())


@pytest.mark.parametrize(
    ("buckets", "norm", "chosen"),
    [
        (["l1", "l2", "l3", "l4"], "shared", (1, 2, 3)),
        (["l1", "l2", "l3", "l4"], "shared", (2, 3)),
        (["l1", "l2,norm", "l3", "l4"], "per-block", (1, 2)),
        (["l1", "l2,l3", "l4"], "shared", (1, 2)),
        (["l2", "l3", "l4"], "shared", (0, 1)),
    ],
)
def test_a_product_draws_what_its_blocks_draw(buckets: list[str], norm: str, chosen: tuple[int, ...]) -> None:
    model = wrapped(Linears(), buckets, norm=norm)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    merged = rpganify.merge(model, chosen, 5, seed=3)
    assert merged.plan.num_buckets == len(buckets) - len(chosen) + 1
    assert merged.plan.num_blocks[chosen[0]] == 5
    assert compared(model, merged) < 1e-13  # float64: sums in another order
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    products = history(merged)[-1]["products"]
    assert len({tuple(row) for row in products}) == 5


def test_the_matrix_is_what_the_layers_do_to_unit_vectors() -> None:
    model = wrapped(Linears(), ["l1", "l2", "l3", "l4"])
    merged = rpganify.merge(model, (1, 2), products=[[2, 1]])
    plain = Linears().double().eval()
    plain.load_state_dict(rpganify.extract(model, [0, 2, 1, 0]).state_dict())

    def layers(h: Tensor) -> Tensor:
        return plain.l3(plain.norm(plain.l2(h)))

    with torch.no_grad():
        zero = layers(torch.zeros(1, 10, dtype=torch.float64))
        columns = layers(torch.eye(10, dtype=torch.float64)) - zero
    torch.testing.assert_close(merged.get_parameter("l2_to_l3.bias"), zero, rtol=0, atol=1e-13)
    torch.testing.assert_close(merged.get_parameter("l2_to_l3.weight")[0], columns.T, rtol=0, atol=1e-13)


def test_no_bias_is_made_where_no_layer_adds_anything() -> None:
    generator = Linears(nn.Identity())
    generator.l3 = nn.Linear(12, 7, bias=False)
    merged = rpganify.merge(wrapped(generator, ["l1", "l2", "l3", "l4"]), (1, 2), 4)
    assert {name for name in merged.state_dict() if name.startswith("l2_to_l3")} == {"l2_to_l3.weight"}


def test_in_float32_only_the_rounding_differs() -> None:
    model = wrapped(Linears(), ["l1", "l2", "l3", "l4"]).float()
    merged = rpganify.merge(model, (1, 2, 3), 27)
    assert merged.get_parameter("l2_to_l4.weight").dtype == torch.float32
    assert 0 < compared(model, merged) < 1e-5


def test_named_products_are_made_in_their_order_and_all_of_them_can_be() -> None:
    model = wrapped(Linears(), ["l1", "l2", "l3", "l4"])
    named = rpganify.merge(model, (2, 3), products=[[2, 0], [0, 1], [2, 0]])
    assert original_paths(named, torch.tensor([[1, 1, 0], [0, 2, 1]])).tolist() == [[1, 1, 2, 0], [0, 2, 0, 1]]
    every = rpganify.merge(model, (2, 3), 9)
    assert {tuple(row) for row in history(every)[-1]["products"]} == set(itertools.product(range(3), range(3)))


def test_a_merged_model_survives_the_disk_grows_and_gives_its_paths_away(tmp_path: Path) -> None:
    model = wrapped(Linears(), ["l1", "l2", "l3", "l4"])
    merged = rpganify.merge(model, (1, 2), 4)
    rpganify.save(merged, tmp_path / "m.rpgan")
    again = rpganify.load(tmp_path / "m.rpgan")
    assert isinstance(again, RandomPathGenerator)
    paths = merged.draw(8)
    assert torch.equal(again(paths), merged(paths))
    assert set(again.state_dict()) == {
        "Z", "l1.weight", "l1.bias", "l2_to_l3.weight", "l2_to_l3.bias", "l4.weight", "l4.bias",
    }  # fmt: skip
    plain = rpganify.extract(again, paths[0])
    assert torch.equal(plain(again.Z), again(paths[:1]))
    assert torch.equal(rpganify.grow(again, (1, 1, 1))(paths), again(paths))
    assert compared(again, rpganify.merge(again, (1, 2), 6)) < 1e-13  # and merges further


def test_both_modes_programs_are_merged() -> None:
    model = wrapped(Linears(), ["l1", "l2", "l3", "l4"])
    merged = rpganify.merge(model, (1, 2, 3), 4)
    paths = merged.draw(6)
    assert torch.equal(merged.train()(paths), merged.eval()(paths))  # the norm is folded in, with its statistics


class Skips(nn.Module):
    """A skip connection around a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.l1, self.l2, self.l3 = nn.Linear(6, 9), nn.Linear(9, 9), nn.Linear(9, 9)

    def forward(self, z: Tensor) -> Tensor:
        h = self.l1(z)
        return (self.l3(self.l2(h)) + h).view(-1, 1, 3, 3)


class CalledTwice(nn.Module):
    """One layer, two calls."""

    def __init__(self) -> None:
        super().__init__()
        self.l1, self.l2 = nn.Linear(6, 9), nn.Linear(9, 9)

    def forward(self, z: Tensor) -> Tensor:
        return self.l2(self.l2(self.l1(z))).view(-1, 1, 3, 3)


class Embeds(nn.Module):
    """A learned slope in a bucket of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.l1, self.slope = nn.Linear(6, 9), nn.PReLU(9)

    def forward(self, z: Tensor) -> Tensor:
        return self.slope(self.l1(z)).view(-1, 1, 3, 3)


class Ties(nn.Module):
    """A layer between two others whose weight is used again, behind an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.l1, self.l2, self.l3, self.l4 = nn.Linear(6, 9), nn.Linear(9, 9), nn.Linear(9, 9), nn.Linear(9, 9)
        self.l4.weight = self.l2.weight

    def forward(self, z: Tensor) -> Tensor:
        return self.l4(torch.relu(self.l3(self.l2(self.l1(z))))).view(-1, 1, 3, 3)


FOUR = ["l1", "l2", "l3", "l4"]


@pytest.mark.parametrize(
    ("generator", "buckets", "chosen", "message"),
    [
        (Linears(), FOUR, (0, 1), r"Behind l1 is relu \(.*l1\(z\).*\), which no matrix.*linearize"),
        (Linears(nn.LayerNorm(12)), FOUR, (1, 2), r"norm \(LayerNorm\) takes its statistics from each sample.*Merge"),
        (Linears(nn.Dropout(0.5)), FOUR, (1, 2), r"Behind l2 is dropout.*which no matrix"),
        (Skips(), FOUR[:3], (0, 1), r"The result of l1.* is used 2 times \(l2, .*add.*\): by a skip connection"),
        (CalledTwice(), ["l1", "l2"], (0, 1), r"l2 is called 2 times in the forward pass"),
        (
            Embeds(),
            ["l1", "slope"],
            (0, 1),
            r"slope \(PReLU\) is none of those that can be multiplied.*Leave its bucket out",
        ),
        (Ties(), ["l1", "l3"], (0, 1), r"l4 shares l2\.weight with a layer that would be gone"),
    ],
)
def test_what_no_matrix_can_stand_for_is_refused_by_name(
    generator: nn.Module, buckets: list[str], chosen: tuple[int, ...], message: str
) -> None:
    model = wrapped(generator, buckets)
    with pytest.raises(ConversionError, match=message):
        rpganify.merge(model, chosen, 2)


def test_a_layer_between_that_belongs_to_another_bucket_is_refused() -> None:
    model = wrapped(Linears(nn.Identity()), ["l1", "l2", "l4", "l3"])
    with pytest.raises(ConversionError, match=r"l3 lies between l2 and l4 but is in bucket 4 \(l3\).*Name that bucket"):
        rpganify.merge(model, (1, 2), 2)


@pytest.mark.parametrize(
    ("chosen", "arguments", "error", "message"),
    [
        ((1, 3), {"blocks": 2}, PlanError, r"Buckets 2, 4 cannot be merged: two or more that follow each other"),
        ((2,), {"blocks": 2}, PlanError, r"Buckets 3 cannot be merged"),
        ((3, 4), {"blocks": 2}, PlanError, r"Buckets 4, 5 are not all there: this model has buckets 1 to 4"),
        ((2, 3), {"blocks": 10}, PlanError, r"There are 9 different products .* so 10 cannot be made.* 1 to 9"),
        ((2, 3), {"blocks": 0}, PlanError, r"so 0 cannot be made"),
        ((2, 3), {}, PlanError, r"how many products .* or which ones"),
        ((2, 3), {"products": [[0, 3]]}, PathError, r"Bucket 2 \(l4\) has blocks 0 to 2; there is no block 3"),
        ((2, 3), {"products": [[0, 1, 1]]}, PathError, r"Paths are integers of shape \(N, 2\)"),
        ((2, 3), {"products": torch.empty(0, 2, dtype=torch.int64)}, PlanError, "No product was named"),
        ((2, 3), {"products": [[0, 1]], "blocks": 1}, PlanError, "Products are named or chosen, not both"),
        ((2, 3), {"products": [[0, 1]], "most_used": [[0, 0, 0, 1]]}, PlanError, "named or chosen, not both"),
        ((2, 3), {"most_used": [[0, 0, 1]]}, PathError, r"Paths are integers of shape \(N, 4\)"),
        ((2, 3), {"most_used": [[0, 0, 1, 3]]}, PathError, r"Bucket 4 \(l4\) has blocks 0 to 2; there is no block 3"),
        ((2, 3), {"most_used": torch.empty(0, 4, dtype=torch.int64)}, PlanError, "There is no path in use"),
        (
            (2, 3),
            {"most_used": [[0, 0, 1, 2], [1, 1, 1, 2]], "blocks": 2},
            PlanError,
            r"The 2 paths in use go through 1 different choices of blocks of l3, l4, so 2 products .* Ask for 1 to 1",
        ),
    ],
)
def test_products_that_cannot_be_made_are_refused(
    chosen: tuple[int, ...], arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    model = wrapped(Linears(), ["l1", "l2", "l3", "l4"])
    with pytest.raises(error, match=message):
        rpganify.merge(model, chosen, **arguments)  # type: ignore[arg-type]


def test_a_model_that_was_not_merged_stands_for_no_other() -> None:
    model = wrapped(Linears(), ["l1", "l2"])
    for function in (original_paths, merged_paths):
        with pytest.raises(PathError, match="Merging was not the last thing"):
            function(model, torch.tensor([[0, 0]]))


# Pairs of blocks of the two middle buckets: (0, 1) four times, (2, 0) three times, (1, 1) and (0, 2) twice, (2, 2) once.
USED = [[0, 0, 1, 0], [1, 0, 1, 2], [2, 0, 1, 2], [0, 0, 1, 0], [0, 2, 0, 1], [2, 2, 0, 1], [1, 2, 0, 0], [0, 1, 1, 0],
        [1, 1, 1, 1], [0, 0, 2, 0], [1, 0, 2, 1], [2, 2, 2, 2]]  # fmt: skip


def test_products_are_those_that_most_paths_go_through() -> None:
    model = wrapped(Linears(), ["l1", "l2", "l3", "l4"])
    merged = rpganify.merge(model, (1, 2), 2, most_used=USED)
    assert history(merged)[-1]["products"] == [[0, 1], [2, 0]]
    there, is_there = merged_paths(merged, torch.tensor(USED))
    assert is_there.tolist() == [True] * 7 + [False] * 5
    assert torch.equal(original_paths(merged, there), torch.tensor(USED)[is_there])
    assert compared(model, merged) < 1e-13


def test_ties_are_broken_by_the_seed_and_all_that_occur_can_be_taken() -> None:
    model = wrapped(Linears(), ["l1", "l2", "l3", "l4"])
    third = {
        seed: tuple(history(rpganify.merge(model, (1, 2), 3, most_used=USED, seed=seed))[-1]["products"][2])
        for seed in range(8)
    }
    assert set(third.values()) == {(1, 1), (0, 2)}
    again = rpganify.merge(model, (1, 2), 3, most_used=torch.tensor(USED).flip(0), seed=5)
    assert tuple(history(again)[-1]["products"][2]) == third[5]  # whatever the order of the paths
    every = rpganify.merge(model, (1, 2), most_used=USED)
    assert every.plan.num_blocks[1] == 5 and merged_paths(every, torch.tensor(USED))[1].all()


def test_paths_of_another_length_were_never_the_model_s() -> None:
    merged = rpganify.merge(wrapped(Linears(), ["l1", "l2", "l3", "l4"]), (1, 2), 2)
    with pytest.raises(PathError, match=r"The model before had 4 buckets, so its paths are \(N, 4\); got \(1, 3\)"):
        merged_paths(merged, torch.tensor([[0, 0, 0]]))
