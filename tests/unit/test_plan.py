"""The plan: what it holds, its JSON, and every refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rpganify.errors import PlanError
from rpganify.plan import BucketSpec, Plan

PLAN = Plan(
    (BucketSpec("l1", ("l1",), 20), BucketSpec("end", ("block2.c1", "c5"), 8)),
    shared=("b5",),
    norm="per-block",
    init="jitter",
)


def test_a_plan_knows_its_blocks_its_path_space_and_the_bucket_of_a_layer() -> None:
    assert PLAN.num_blocks == (20, 8) and PLAN.num_buckets == 2
    assert PLAN.paths.cardinality == 160 and PLAN.paths.bucket_names == ("l1", "end")
    assert [PLAN.bucket_of(name) for name in ("l1", "c5", "b5", "nowhere")] == [0, 1, None, None]


def test_a_plan_survives_json() -> None:
    assert Plan.from_json(json.loads(json.dumps(PLAN.to_json()))) == PLAN


def test_what_a_written_plan_leaves_out_has_the_usual_value() -> None:
    plan = Plan.from_json({"buckets": [{"name": "a", "layers": ["a"], "num_blocks": 2}]})
    assert plan == Plan((BucketSpec("a", ("a",), 2),)) and (plan.norm, plan.init) == ("shared", "fresh")


def bucket(name: str = "a", layers: tuple[str, ...] = ("a",), num_blocks: int = 2) -> BucketSpec:
    return BucketSpec(name, layers, num_blocks)


@pytest.mark.parametrize(
    ("buckets", "shared", "message"),
    [
        ((), (), r"A plan needs at least one bucket\."),
        ((bucket(layers=()),), (), r"Bucket 'a' holds no layer\."),
        ((bucket(num_blocks=0),), (), r"Bucket 'a' needs at least 1 block, got 0\."),
        ((bucket(num_blocks=-3),), (), r"needs at least 1 block, got -3\."),
        ((bucket(), bucket(layers=("b",))), (), r"Two buckets are called 'a'; give each its own name\."),
        (
            (bucket(layers=("x", "y")), bucket("b", ("y",))),
            (),
            r"Layer 'y' is in bucket 'a' and in 'b'; buckets must not overlap\. Leave it out of one of them\.",
        ),
        ((bucket(layers=("x", "x")),), (), r"Layer 'x' is in bucket 'a' and in 'a'"),
        ((bucket(),), ("a",), r"Layer 'a' is in bucket 'a' and also listed as shared\."),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(
    buckets: tuple[BucketSpec, ...], shared: tuple[str, ...], message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        Plan(buckets, shared)


@pytest.mark.parametrize(("norm", "init"), [("both", "fresh"), ("shared", ""), ("shared", 3)])
def test_modes_that_cannot_be_are_refused_with_those_that_can(norm: Any, init: Any) -> None:
    with pytest.raises(
        PlanError,
        match=rf"norm is one of .*'per-block'.* init the name of a replication.*'fresh'; got '{norm}' and {init!r}",
    ):
        Plan((bucket(),), (), norm, init)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"buckets": 3},
        {"buckets": [{"name": "a"}]},
        {"buckets": [{"name": "a", "layers": 5, "num_blocks": 1}]},
        {"buckets": ["a"]},
        {"buckets": [{"name": "a", "layers": ["a"], "num_blocks": None}]},
        {"buckets": [{"name": "a", "layers": ["a"], "num_blocks": "many"}]},
        {"buckets": [{"name": "a", "layers": ["a"], "num_blocks": 2.5}]},
        {"buckets": [{"name": "a", "layers": ["a"], "num_blocks": 1}], "shared": 7},
        [],
    ],
)
def test_data_that_is_no_plan_is_refused_with_where_plans_come_from(data: Any) -> None:
    with pytest.raises(PlanError, match=r"This is no plan: .*--write-plan"):
        Plan.from_json(data)


def test_layers_written_as_one_text_are_refused() -> None:
    with pytest.raises(PlanError, match="This is no plan"):
        Plan.from_json({"buckets": [{"name": "a", "layers": "conv", "num_blocks": 2}]})
