"""The plan of a conversion, and the layers of a generator, as tables for people and data for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from rpganify.cli.console import show, show_table
from rpganify.cli.formatting import format_cardinality, format_shape
from rpganify.plan import Plan


class LayerRow(Protocol):
    """What a table tells of a layer."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def num_parameters(self) -> int: ...

    @property
    def output_shape(self) -> tuple[int | None, ...]: ...

    @property
    def is_norm(self) -> bool: ...


def show_plan(plan: Plan, layers: Sequence[LayerRow]) -> None:
    """The buckets as a table, what all paths share, and the size of the path space."""
    sizes = {layer.name: layer.num_parameters for layer in layers}
    rows = []
    for number, bucket in enumerate(plan.buckets, 1):
        per_block = sum(sizes[layer] for layer in bucket.layers)
        total = per_block * bucket.num_blocks
        rows.append(
            [
                str(number),
                bucket.name,
                ", ".join(bucket.layers),
                f"{per_block:,}",
                str(bucket.num_blocks),
                f"{total:,}",
            ]
        )
    show_table(
        [
            ("bucket", "right"),
            ("name", "left"),
            ("layers", "left"),
            ("parameters per block", "right"),
            ("blocks", "right"),
            ("parameters", "right"),
        ],
        rows,
    )
    if plan.shared:
        shared = sum(sizes.get(layer, 0) for layer in plan.shared)
        show(f"shared by all paths: {', '.join(plan.shared)} ({shared:,} parameters)")
    show(f"paths: {format_cardinality(plan.num_blocks)}")


def plan_to_json(plan: Plan, layers: Sequence[LayerRow]) -> dict[str, Any]:
    """The plan with its numbers, as plain data."""
    sizes = {layer.name: layer.num_parameters for layer in layers}
    return {
        **plan.to_json(),
        "parameters_per_block": [sum(sizes[layer] for layer in bucket.layers) for bucket in plan.buckets],
        "cardinality": plan.paths.cardinality,
    }


def show_layers(layers: Sequence[LayerRow], plan: Plan, stages: Sequence[Sequence[str]]) -> None:
    """The layer table, with the natural stage of each layer, and the bucket that it would be in."""
    rows = []
    for layer in layers:
        bucket_index, stage = plan.bucket_of(layer.name), _stage_of(layer, stages)
        why = _why_shared(layer, plan)
        bucket = f"shared: {why}" if bucket_index is None else f"{bucket_index + 1} {plan.buckets[bucket_index].name}"
        name, size = layer.name or "(itself)", f"{layer.num_parameters:,}"
        rows.append([name, layer.kind, size, _output(layer), "" if stage is None else str(stage), bucket])
    total = sum(layer.num_parameters for layer in layers)
    show_table(
        [
            ("layer", "left"),
            ("kind", "left"),
            ("parameters", "right"),
            ("output", "left"),
            ("stage", "right"),
            ("bucket", "left"),
        ],
        rows,
        footer=["", "", f"{total:,}", "", "", ""],
    )


def layers_to_json(layers: Sequence[LayerRow], plan: Plan, stages: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """The layer table as plain data; `stage` and `bucket` count from 1, null is none."""
    listed = []
    for layer in layers:
        bucket_index = plan.bucket_of(layer.name)
        listed.append(
            {
                "name": layer.name,
                "kind": layer.kind,
                "parameters": layer.num_parameters,
                "output_shape": list(layer.output_shape),
                "stage": _stage_of(layer, stages),
                "bucket": None if bucket_index is None else bucket_index + 1,
                "shared_because": _why_shared(layer, plan),
            }
        )
    return listed


def _stage_of(layer: LayerRow, stages: Sequence[Sequence[str]]) -> int | None:
    return next((number for number, names in enumerate(stages, 1) if layer.name in names), None)


def _why_shared(layer: LayerRow, plan: Plan) -> str | None:
    if plan.bucket_of(layer.name) is not None:
        return None
    return "norm" if layer.is_norm and plan.norm == "shared" else "in no bucket"


def _output(layer: LayerRow) -> str:
    return format_shape(layer.output_shape[1:]) if layer.output_shape else ""
