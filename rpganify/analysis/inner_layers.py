"""Where in a generator's graph a layer's output is, and what reaches the image past it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx

from rpganify.analysis.held_graph import HeldGraph
from rpganify.errors import AnalysisError, closest
from rpganify.routing.blueprint import Blueprint


def layer_names(blueprint: Blueprint) -> list[str]:
    """Every name that `layer_node` takes: layers, and modules that hold some, in the graph's order."""
    names: dict[str, None] = {}
    for node in blueprint.eval_graph.nodes:
        parts = str(node.meta.get("scope") or "").split(".")
        for length in range(1, len(parts) + 1):
            name = ".".join(parts[:length])
            if name and len(_outputs(blueprint.eval_graph, name)) == 1:
                names[name] = None
    return list(names)


def layer_node(graph: fx.Graph, layer: str, blueprint: Blueprint) -> fx.Node:
    """The node that gives a layer's output.

    Args:
        graph: of the generator.
        layer: dotted name of a layer, or of a module that holds some.
        blueprint: for the names in the message.
    Raises:
        AnalysisError: there is no such layer, it gives no tensor of samples, or it hands on several.
    """
    found = _outputs(graph, layer)
    if len(found) == 1:
        return found[0]
    known = layer_names(blueprint)
    shown = ", ".join(known[:12]) + (f" and {len(known) - 12} others" if len(known) > 12 else "")
    if not found:
        raise AnalysisError(
            f"This generator has no layer {layer!r} that gives a tensor of samples.{closest(layer, known)} "
            f"--layer takes one of: {shown}."
        )
    raise AnalysisError(
        f"{layer!r} hands on {len(found)} tensors, or is called that many times, so that it has no one output to move along. "
        f"--layer takes one of: {shown}."
    )


def values_around(graph: HeldGraph, node: fx.Node, given: Mapping[fx.Node, Any]) -> tuple[dict[fx.Node, Any], Tensor]:
    """At one latent: the values that what comes after a layer takes from elsewhere, and the layer's own output.

    Args:
        graph: the generator's, with its noise held.
        node: gives the layer's output.
        given: the inputs, of a batch of one.
    Raises:
        AnalysisError: the image does not depend on the layer.
    """
    after = _depending(graph.graph, node)
    if not any(one.op == "output" for one in after):
        raise AnalysisError(
            f"The image does not depend on {node.target}: there is nothing to move along. Choose another layer."
        )
    values: dict[fx.Node, Any] = dict(given)
    with torch.no_grad():
        for one in graph.graph.nodes:
            if one not in values and one not in after:
                values[one] = graph.value(one, values, 1)
    # Sizes that follow the batch are read anew, from the values that have one; and so are the generator's tensors.
    read = {one for one in values if "size" in one.meta or one.op == "get_attr"}
    users = after | read
    kept = {
        one: value
        for one, value in values.items()
        if one is not node and one not in read and (one.meta.get("written") or users & set(one.users))
    }
    output: Tensor = values[node]
    return kept, output


def _depending(graph: fx.Graph, start: fx.Node) -> set[fx.Node]:
    """All nodes whose value depends on that of `start`, without it; also through what is written in place."""
    reached, written = {start}, set[fx.Node]()
    for node in graph.nodes:
        if any(operand in reached or operand in written for operand in node.all_input_nodes):
            reached.add(node)
            written.update(node.meta.get("written", ()))
    return reached - {start}


def _outputs(graph: fx.Graph, layer: str) -> list[fx.Node]:
    """The tensors of samples that a layer or module hands on to others."""

    def is_inside(node: fx.Node) -> bool:
        scope = str(node.meta.get("scope") or "")
        return scope == layer or scope.startswith(f"{layer}.")

    return [
        node
        for node in graph.nodes
        if is_inside(node) and _has_samples(node) and any(not is_inside(user) for user in node.users)
    ]


def _has_samples(node: fx.Node) -> bool:
    sizes = node.meta.get("shape", ())
    return bool(sizes) and sizes[0] == (1, 0) and node.meta["dtype"].is_floating_point
