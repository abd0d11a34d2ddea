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


def show_layers(layers: Sequence[LayerRow], plan: Plan) -> None:
    """The layer table, with the bucket that each layer would be in."""
    rows = []
    for layer in layers:
        bucket_index = plan.bucket_of(layer.name)
        bucket = "shared" if bucket_index is None else f"{bucket_index + 1} {plan.buckets[bucket_index].name}"
        rows.append([layer.name or "(itself)", layer.kind, f"{layer.num_parameters:,}", _output(layer), bucket])
    total = sum(layer.num_parameters for layer in layers)
    show_table(
        [("layer", "left"), ("kind", "left"), ("parameters", "right"), ("output", "left"), ("bucket", "left")],
        rows,
        footer=["", "", f"{total:,}", "", ""],
    )


def layers_to_json(layers: Sequence[LayerRow], plan: Plan) -> list[dict[str, Any]]:
    """The layer table as plain data; `bucket` counts from 1, null is shared."""
    listed = []
    for layer in layers:
        bucket_index = plan.bucket_of(layer.name)
        listed.append(
            {
                "name": layer.name,
                "kind": layer.kind,
                "parameters": layer.num_parameters,
                "output_shape": list(layer.output_shape),
                "bucket": None if bucket_index is None else bucket_index + 1,
            }
        )
    return listed


def _output(layer: LayerRow) -> str:
    return format_shape(layer.output_shape[1:]) if layer.output_shape else ""
