"""Buckets of one block as what they are: ordinary layers that all paths share, without a column of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from rpganify.conversion.building import actual_blueprint
from rpganify.conversion.replication import tensors_by_name
from rpganify.errors import PlanError
from rpganify.plan import FIXED_INPUT, Plan
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.graphs import rebuilt
from rpganify.surgery.restack import NUM_OLD, stacked_tensors


def make_ordinary(model: RandomPathGenerator, buckets: Collection[int]) -> RandomPathGenerator:
    """A new model in which all paths share the layers of some buckets; paths are shorter by as many blocks.

    Images are the same but for rounding: a bucket of one block leaves no choice, but what all samples share is computed for
    all of them at once. The layers' tensors lose their block axis, and keep their values.

    Args:
        model: not changed.
        buckets: from 0, each of one block.
    Raises:
        PlanError: one has several blocks, or no bucket would be left.
    """
    for index in buckets:
        spec = model.plan.buckets[index]
        if spec.num_blocks != 1:
            raise PlanError(
                f"Bucket {index + 1} ({spec.name}) has {spec.num_blocks} blocks, and only one of a single block is an ordinary "
                "layer. Drop the others first."
            )
    if len(set(buckets)) == model.plan.num_buckets:
        raise PlanError(
            "No bucket would be left, and a model has at least one. `rpganify extract MODEL --path PATH` writes the one path "
            "as an ordinary generator."
        )
    blueprint = actual_blueprint(model)
    gone = {name for name, bucket in stacked_tensors(model).items() if bucket in buckets}
    values = {
        name: tensor[0] for name, tensor in tensors_by_name(model).items() if name in gone and name != FIXED_INPUT
    }
    changed = replace(
        blueprint.with_plan(_without(model.plan, buckets)), provenance=_without_old(blueprint.provenance, buckets)
    )
    made = rebuilt(model, changed, values)
    assert isinstance(made, RandomPathGenerator)
    return made


def _without(plan: Plan, buckets: Collection[int]) -> Plan:
    """The plan without some buckets, whose layers all paths share."""
    freed = [layer for index in sorted(buckets) for layer in plan.buckets[index].layers if layer != FIXED_INPUT]
    left = tuple(spec for index, spec in enumerate(plan.buckets) if index not in buckets)
    return replace(plan, buckets=left, shared=(*plan.shared, *freed))


def _without_old(provenance: Mapping[str, Any], buckets: Collection[int]) -> dict[str, Any]:
    """What a model tells of itself, with one number less of old blocks for each bucket that is gone."""
    told = dict(provenance)
    old = told.get(NUM_OLD)
    if isinstance(old, (list, tuple)):
        told[NUM_OLD] = [number for index, number in enumerate(old) if index not in buckets]
    return told
