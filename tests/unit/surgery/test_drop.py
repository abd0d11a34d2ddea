"""Blocks that are dropped are gone; the others keep their images under new numbers."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

import rpganify
from rpganify.errors import PathError, PlanError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.drop import drop_blocks, kept_blocks, ordinary_buckets, paths_after, paths_before
from rpganify.surgery.restack import old_blocks
from tests.generators import CASES
from tests.unit.conversion.converted import conditions, model_copy, seeded
from tests.unit.surgery.models import converted


@pytest.mark.parametrize("norm", ["shared", "per-block"])
def test_every_path_that_stays_keeps_its_image_bit_for_bit(norm: str) -> None:
    model = converted((4, 3, 2), norm=norm)
    pruned = drop_blocks(model, {0: [2, 0], 2: [0]})
    assert pruned.plan.num_blocks == (2, 3, 1) and model.plan.num_blocks == (4, 3, 2)
    assert kept_blocks(pruned) == [[1, 3], [0, 1, 2], [1]]
    paths = torch.tensor(list(itertools.product(range(2), range(3), range(1))))
    before = paths_before(pruned, paths)
    with torch.no_grad():
        assert torch.equal(pruned(paths), model(before))
    assert torch.equal(paths_after(pruned, before), paths)


@pytest.mark.parametrize(
    "name", ["ModulatedConvolutions", "SpectralNormByHook", "TiesWeights", "BatchNorms", "ClassLabels"]
)
@torch.no_grad()
def test_a_bucket_of_one_block_is_left_for_any_kind_of_generator(name: str) -> None:
    model = model_copy(name, 3, "eval")
    pruned = drop_blocks(model, {bucket: [0, 2] for bucket in range(model.plan.num_buckets)})
    assert set(pruned.plan.num_blocks) == {1} and pruned.paths.cardinality == 1
    paths = torch.zeros(2, model.plan.num_buckets, dtype=torch.int64)
    others = conditions(model, CASES[name].arguments(2))
    assert torch.equal(
        seeded(lambda: pruned.images(paths, **others)), seeded(lambda: model.images(paths + 1, **others))
    )


def test_the_numbers_survive_the_disk_and_pruning_again_speaks_of_the_model_before(tmp_path: Path) -> None:
    once = drop_blocks(converted((5, 2, 2)), {0: [1]})
    rpganify.save(once, tmp_path / "m.rpgan")
    again = rpganify.load(tmp_path / "m.rpgan")
    assert isinstance(again, RandomPathGenerator)
    assert kept_blocks(again)[0] == [0, 2, 3, 4]
    twice = drop_blocks(again, {0: [0]})
    assert kept_blocks(twice)[0] == [1, 2, 3]
    assert paths_before(once, paths_before(twice, torch.tensor([[0, 0, 0]]))).tolist() == [[2, 0, 0]]


@pytest.mark.parametrize("norm", ["shared", "per-block"])
def test_a_bucket_that_is_left_with_one_block_becomes_an_ordinary_layer(norm: str, tmp_path: Path) -> None:
    model = converted((3, 2, 4), norm=norm)
    pruned = drop_blocks(model, {0: [0, 2], 2: [3]}, keeps_buckets=False)
    assert pruned.plan.num_blocks == (2, 3) and ordinary_buckets(pruned) == [0]
    rpganify.save(pruned, tmp_path / "m.rpgan")
    again = rpganify.load(tmp_path / "m.rpgan")
    assert isinstance(again, RandomPathGenerator)
    paths = torch.tensor(list(itertools.product(range(2), range(3))))
    before = paths_before(again, paths)
    assert before[:, 0].tolist() == [1] * 6
    with torch.no_grad():
        # In float32, and with sums in another order: what all samples share is computed once.
        torch.testing.assert_close(again(paths), model(before), rtol=0, atol=1e-6)
    assert torch.equal(paths_after(again, before), paths)
    assert again.state_dict()["l1.weight"].shape == (16, 8)
    plain = rpganify.extract(again, [1, 2])
    torch.testing.assert_close(plain(again.Z), again(torch.tensor([[1, 2]])), rtol=0, atol=1e-6)


def test_one_bucket_stays_where_every_path_but_one_goes() -> None:
    model = converted((3, 2, 2))
    pruned = drop_blocks(model, {0: [0, 2], 1: [0], 2: [1]}, keeps_buckets=False)
    assert [bucket.name for bucket in pruned.plan.buckets] == ["l1"] and pruned.plan.num_blocks == (1,)
    torch.testing.assert_close(pruned(torch.tensor([[0]])), model(torch.tensor([[1, 1, 0]])), rtol=0, atol=1e-6)


def test_a_bucket_that_had_one_block_before_stays_a_bucket() -> None:
    model = converted((3, 1, 2))
    pruned = drop_blocks(model, {0: [0]}, keeps_buckets=False)
    assert pruned.plan.num_blocks == (2, 1, 2)


def test_dropping_old_and_new_blocks_of_a_grown_model_keeps_the_count_of_the_old() -> None:
    grown = rpganify.grow(converted((3, 2, 2)), (2, 0, 0), init="copy")
    assert old_blocks(drop_blocks(grown, {0: [1, 3]})) == (2, 2, 2)
    assert old_blocks(drop_blocks(grown, {0: [3, 4]})) is None


@pytest.mark.parametrize(
    ("drop", "error", "message"),
    [
        ({1: [0, 1]}, PlanError, r"Bucket 2 \(l2\) would be left without a block: all 2 .* Keep at least one"),
        ({0: [3]}, PathError, r"Bucket 1 \(l1\) has blocks 0 to 2; there is no block 3 to drop"),
        ({0: [-1]}, PathError, r"there is no block -1"),
        ({3: [0]}, PlanError, r"There is no bucket 4: this model has buckets 1 to 3"),
        ({}, PlanError, r"No block to drop was named"),
        ({0: []}, PlanError, r"No block to drop was named"),
    ],
)
def test_what_cannot_be_dropped_is_refused(drop: dict[int, list[int]], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        drop_blocks(converted(), drop)


def test_paths_through_dropped_blocks_and_models_that_were_not_pruned_have_no_numbers() -> None:
    pruned = drop_blocks(converted(), {0: [1]})
    with pytest.raises(PathError, match=r"Block 1 of bucket 1 \(l1\) was dropped"):
        paths_after(pruned, torch.tensor([[1, 0, 0]]))
    with pytest.raises(PathError, match=r"had 3 buckets, so its paths are \(N, 3\); got \(1, 2\)"):
        paths_after(pruned, torch.tensor([[0, 0]]))
    with pytest.raises(PathError, match="Pruning was not the last thing"):
        kept_blocks(rpganify.grow(pruned, (1, 0, 0)))
    with pytest.raises(PathError, match="Pruning was not the last thing"):
        kept_blocks(converted())
