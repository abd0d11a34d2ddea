"""Which blocks can go: planted duplicates and dead blocks are found, and the cost is what it is."""

from __future__ import annotations

import pytest
import torch

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.pruning.redundancy import Pruning, choose_blocks
from rpganify.errors import AnalysisError, PlanError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.drop import kept_blocks, paths_before
from tests.unit.surgery.models import converted


@pytest.fixture(scope="module")
def planted() -> RandomPathGenerator:
    """Blocks 4 and 5 of l2 are copies of its blocks 0 and 1; block 2 of l3 is all zeros."""
    model = rpganify.grow(converted((4, 4, 5)), (0, 2, 0), init="copy")
    with torch.no_grad():
        for name in ("l3.weight", "l3.bias"):
            model.get_parameter(name)[2] = 0
    return model


def found(model: RandomPathGenerator, **wishes: object) -> Pruning:
    return choose_blocks(model, context=AnalysisContext(num_paths=400), **wishes)  # type: ignore[arg-type]


def test_planted_duplicates_and_dead_blocks_are_found_and_no_others(planted: RandomPathGenerator) -> None:
    pruning = found(planted)
    assert pruning.by_bucket == {1: [4, 5], 2: [2]}
    assert [(d.block, d.reason, d.nearest) for d in pruning.drops if d.bucket == 1] == [
        (4, "duplicate", 0),
        (5, "duplicate", 1),
    ]
    assert all(d.distance == 0 for d in pruning.drops if d.bucket == 1)
    assert [d.reason for d in pruning.drops if d.bucket == 2] == ["dead"]


def test_dropping_duplicates_alone_costs_images_nothing() -> None:
    model = rpganify.grow(converted((4, 4, 4)), (0, 2, 0), init="copy")
    pruning = found(model)
    assert pruning.by_bucket == {1: [4, 5]}
    assert pruning.image_distance == 0 and pruning.random_distance > 1
    # A third of all paths, by 400 draws: one standard deviation is 0.024.
    assert abs(pruning.changed_share - 1 / 3) < 0.1
    pruned = rpganify.prune(model)
    assert pruned.plan.num_blocks == (4, 4, 4) and kept_blocks(pruned)[1] == [0, 1, 2, 3]


def test_blocks_are_dropped_down_to_a_number_the_least_missed_first(planted: RandomPathGenerator) -> None:
    pruning = found(planted, keep=[4, 4, 4])
    assert pruning.by_bucket == {1: [4, 5], 2: [2]}
    assert rpganify.prune(planted, keep=3).plan.num_blocks == (3, 3, 3)
    more = found(planted, keep=[4, 2, 1])
    assert {bucket: len(blocks) for bucket, blocks in more.by_bucket.items()} == {1: 4, 2: 4}
    assert more.image_distance > pruning.image_distance


def test_blocks_are_dropped_as_long_as_the_coverage_allows(planted: RandomPathGenerator) -> None:
    pruning = found(planted, min_paths=64)
    pruned = rpganify.prune(planted, target_coverage=0.64, num_images=100)
    assert pruned.paths.cardinality >= 64
    left = [list(pruned.plan.num_blocks) for _ in range(3)]
    for bucket in range(3):
        left[bucket][bucket] -= 1
    assert all(m * n * k < 64 or 0 in (m, n, k) for m, n, k in left)  # no further block could go
    assert set(pruning.by_bucket[1]) >= {4, 5} and 2 in pruning.by_bucket[2]


def test_a_bucket_whose_blocks_all_do_the_same_becomes_an_ordinary_layer() -> None:
    model = rpganify.wrap(
        torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Linear(6, 9), torch.nn.Unflatten(1, (1, 3, 3))),
        buckets=["0", "1"],
        blocks=[3, 4],
        init="copy",
        latent="input:4",
    )
    with torch.no_grad():
        weight = model.get_parameter("1.weight")
        weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    kept = rpganify.prune(model, keeps_buckets=True)
    assert kept.plan.num_blocks == (1, 4)
    paths = kept.draw(8)
    assert torch.equal(kept(paths), model(paths))
    pruned = rpganify.prune(model)
    assert pruned.plan.num_blocks == (4,) and pruned.plan.shared == ("0",)
    assert torch.equal(paths_before(pruned, paths[:, 1:]), paths)
    torch.testing.assert_close(pruned(paths[:, 1:]), model(paths), rtol=0, atol=1e-6)


def test_what_is_named_goes_without_a_look(planted: RandomPathGenerator) -> None:
    assert kept_blocks(rpganify.prune(planted, drop={0: [0, 1]}))[0] == [2, 3]


@pytest.mark.parametrize(
    ("wishes", "error", "message"),
    [
        ({"keep": [4, 0, 5]}, PlanError, r"Bucket 2 \(l2\) has 6 blocks and cannot keep 0: .* from 1 to 6"),
        ({"keep": 0}, PlanError, "cannot keep 0"),
        ({"keep": [4, 7, 5]}, PlanError, "has 6 blocks and cannot keep 7"),
        ({"keep": [4, 6]}, PlanError, r"2 numbers of blocks to keep for 3 buckets \(l1 × 4"),
        ({"keep": [4, 6, 5]}, AnalysisError, r"nothing to drop: every bucket has no more .*`--drop BUCKET=BLOCKS`"),
        ({"target_coverage": 1.0, "num_images": 120}, AnalysisError, r"fewer than 120 paths"),
        ({"target_coverage": 1.0}, AnalysisError, r"of None images.*--data-size"),
        ({"target_coverage": 0.0, "num_images": 9}, AnalysisError, r"A coverage of 0 is paths per training image"),
        ({"target_coverage": 1.0, "num_images": 9, "keep": 2}, AnalysisError, r"not more than one of these\. Leave"),
        ({"drop": {0: [1]}, "keep": 2}, AnalysisError, r"named or chosen, not both"),
        ({"drop": {0: [1]}, "low_quality": True}, AnalysisError, r"named or chosen, not both"),
        ({"worst": 2}, AnalysisError, r"worst goes with low_quality=True"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(
    planted: RandomPathGenerator, wishes: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        rpganify.prune(planted, **wishes)  # type: ignore[arg-type]


def test_a_model_of_distinct_blocks_has_nothing_to_prune() -> None:
    with pytest.raises(AnalysisError, match="no block is dead, and no two blocks of a bucket draw the same"):
        rpganify.prune(converted((3, 3, 3)))
