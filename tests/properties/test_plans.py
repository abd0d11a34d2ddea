"""The laws of plans: JSON, and what automatic buckets are."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from rpganify.conversion.planning import make_plan, natural_stages
from rpganify.plan import BucketSpec, NormMode, Plan
from rpganify.routing.blueprint import Layer
from tests.laws import law

names = st.text("abc.1é ", min_size=1, max_size=5)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    layers = draw(st.lists(names, min_size=1, max_size=8, unique=True))
    cut = sorted(draw(st.sets(st.integers(1, len(layers)), min_size=1, max_size=4)))
    groups = [layers[a:b] for a, b in zip([0, *cut[:-1]], cut, strict=True)]
    buckets = tuple(BucketSpec(f"B{i}", tuple(group), draw(st.integers(1, 10**6))) for i, group in enumerate(groups))
    shared = tuple(layers[cut[-1] :])
    return Plan(
        buckets, shared, draw(st.sampled_from(["shared", "per-block"])), draw(st.sampled_from(["fresh", "copy"]))
    )


@law
@given(plans())
def test_a_plan_survives_json(plan: Plan) -> None:
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@law
@given(plans())
def test_every_layer_of_a_bucket_leads_back_to_it_and_shared_layers_to_none(plan: Plan) -> None:
    for index, bucket in enumerate(plan.buckets):
        assert all(plan.bucket_of(layer) == index for layer in bucket.layers)
    assert all(plan.bucket_of(layer) is None for layer in plan.shared)
    assert plan.paths.num_blocks == plan.num_blocks and len(plan.num_blocks) == plan.num_buckets


@st.composite
def layer_tables(draw: st.DrawFn) -> tuple[list[Layer], frozenset[str]]:
    """Layers of nested modules in order of the forward pass, some of them norms, some modules containers."""
    layers: list[Layer] = []
    containers: set[str] = set()
    for stage in range(draw(st.integers(1, 5))):
        name = f"stage{stage}"
        if draw(st.booleans()):
            containers.add(name)
        for item in range(draw(st.integers(1, 4))):
            is_norm = draw(st.booleans()) and bool(layers)
            kind = "BatchNorm2d" if is_norm else "Conv2d"
            full = name if draw(st.booleans()) and item == 0 else f"{name}.{item}"
            size = draw(st.integers(1, 10**6))
            if all(layer.name != full for layer in layers):
                layers.append(Layer(full, kind, (f"{full}.weight",), size, (), is_norm))
    return layers, frozenset(containers)


tables = layer_tables()
norms = st.sampled_from(["shared", "per-block"])


@law
@given(tables, norms, st.data())
def test_automatic_buckets_are_contiguous_in_order_and_hold_every_layer_once(
    table: tuple[list[Layer], frozenset[str]], norm: NormMode, data: st.DataObject
) -> None:
    layers, containers = table
    routable = [layer.name for layer in layers if not (layer.is_norm and norm == "shared")]
    convolutions = [layer.name for layer in layers if not layer.is_norm]
    num_buckets = data.draw(st.integers(1, len(convolutions)))
    plan = make_plan(layers, containers, num_buckets, 3, norm)
    assert plan.num_buckets == num_buckets and plan.num_blocks == (3,) * num_buckets
    assert [layer for bucket in plan.buckets for layer in bucket.layers] == routable
    assert sorted([*routable, *plan.shared]) == sorted(layer.name for layer in layers)
    assert len({bucket.name for bucket in plan.buckets}) == num_buckets


@law
@given(tables, norms)
def test_natural_stages_are_contiguous_in_order_and_hold_every_layer_once(
    table: tuple[list[Layer], frozenset[str]], norm: NormMode
) -> None:
    layers, containers = table
    routable = [layer.name for layer in layers if not (layer.is_norm and norm == "shared")]
    found = natural_stages(layers, containers, norm)
    assert [layer for stage in found for layer in stage.layers] == routable
    assert make_plan(layers, containers, None, 2, norm).num_buckets == len(found)
