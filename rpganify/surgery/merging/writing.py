"""Graph, layer table and plan with one layer in the place of a chain."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import fx

from rpganify.plan import BucketSpec, Plan
from rpganify.routing.blueprint import Blueprint, Layer, TensorSpec
from rpganify.surgery.graphs import written_anew
from rpganify.surgery.merging.chain import Chain
from rpganify.surgery.merging.multiplying import Product


def new_name(blueprint: Blueprint, chain: Chain) -> str:
    """A name that no layer has: `l3_to_l5`."""
    name = re.sub(r"\W", "_", f"{chain.layers[0]}_to_{chain.layers[-1]}")
    while any(one == name or one.startswith(f"{name}.") for one in (*blueprint.tensors, *blueprint.layer_configs)):
        name += "_"
    return name


def shortened(graph: fx.Graph, chain: Chain, product: Product, name: str) -> fx.Graph:
    """The graph with the new layer in the place of the chain, and what stays of the chain behind it."""
    start, last = chain.start, chain.steps[-1]

    def new_nodes(new: fx.Graph, made: Mapping[fx.Node, fx.Node]) -> fx.Node:
        def noted(node: fx.Node, shape: Sequence[int]) -> fx.Node:
            node.meta = {**last.node.meta, "shape": ((1, 0), *((0, size) for size in shape))}
            return node

        given = made[start]
        if not product.is_flat:
            result = new.call_module(name, (given,))
            if product.kept:
                noted(result, product.shape_out)
            for place in product.kept:
                step = chain.steps[place]
                before = result
                result = new.node_copy(step.node, lambda _, before=before: before)  # type: ignore[misc]
                noted(result, (product.shape_out[0], *step.shape_out[1:]))
            return result
        if len(chain.steps[0].shape_in) > 1:
            given = noted(new.call_method("flatten", (given, 1)), (product.layer.config["in_features"],))
        result = new.call_module(name, (given,))
        if len(last.shape_out) > 1:
            noted(result, product.shape_out)
            result = new.call_method("reshape", (result, -1, *last.shape_out))
        return result

    # The others are read by nobody but each other.
    return written_anew(graph, {step.node: start for step in chain.steps[:-1]}, {last.node: new_nodes})


def with_layer(
    changed: Blueprint, before: Blueprint, chain: Chain, product: Product, name: str, dtype: torch.dtype
) -> Blueprint:
    """The blueprint with the new layer in its table, where the chain began.

    Args:
        changed: without the layers of the chain.
        before: with them.
    """
    place = next(i for i, layer in enumerate(before.layers) if layer.name in chain.layers)
    shapes = {f"{name}.weight": tuple(product.weight.shape[1:])}
    if product.bias is not None:
        shapes[f"{name}.bias"] = tuple(product.bias.shape[1:])
    shape_out = (None, *product.shape_out)
    layer = Layer(name, product.layer.kind, tuple(shapes), product.num_values, shape_out, False)
    specs = {full: TensorSpec("parameter", shape, dtype, True) for full, shape in shapes.items()}
    return replace(
        changed,
        layers=(*changed.layers[:place], layer, *changed.layers[place:]),
        layer_configs={**changed.layer_configs, name: product.layer},
        tensors={**changed.tensors, **specs},
    )


def merged_plan(plan: Plan, buckets: Sequence[int], chain: Chain, name: str, num_blocks: int) -> Plan:
    """The plan with one bucket for several."""
    first, last = buckets[0], buckets[-1]
    return replace(
        plan,
        buckets=(*plan.buckets[:first], BucketSpec(name, (name,), num_blocks), *plan.buckets[last + 1 :]),
        shared=tuple(layer for layer in plan.shared if layer not in chain.layers),
    )
