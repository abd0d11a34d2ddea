"""The stretch of a generator between two linear layers, and whether one matrix can stand for it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from torch import fx

from rpganify.errors import ConversionError
from rpganify.routing.blueprint import Blueprint
from rpganify.surgery.graphs import operation_name, place_of

# Give back the values that they are given, where the shape stays the same.
_PASSING = frozenset("view reshape flatten contiguous clone squeeze unsqueeze identity".split())


@dataclass(frozen=True, slots=True)
class Chain:
    """Nodes that follow each other, each the only reader of the one before.

    Args:
        nodes: from the first linear layer to the last.
        layers: names of the linear layers and batch norms among them, in order.
    """

    nodes: tuple[fx.Node, ...]
    layers: tuple[str, ...]


def find_chain(graph: fx.Graph, blueprint: Blueprint, wanted: Collection[str]) -> Chain:
    """The chain that all wanted layers are on.

    Args:
        graph: one of the blueprint's.
        wanted: names of layers, one linear one among them at least; shared layers between them join the chain.
    Raises:
        ConversionError: one of them, or something between them, is no matrix times its input; or the way forks.
    """
    calls: dict[str, list[fx.Node]] = {name: [] for name in wanted}
    for node in graph.nodes:
        if node.op == "call_module" and str(node.target) in calls:
            calls[str(node.target)].append(node)
    for name, nodes in calls.items():
        config = blueprint.layer_configs.get(name)
        kind = config.kind if config is not None else "its own class"
        if kind not in ("Linear", "BatchNorm1d"):
            raise ConversionError(
                f"{name} is {kind}, and only fully connected layers (Linear), with batch norms between them, are multiplied "
                "into one. Name buckets that hold nothing else."
            )
        if len(nodes) != 1:
            raise ConversionError(
                f"{name} is called {len(nodes)} times in the forward pass, so one product cannot stand for it. Leave its "
                "bucket out."
            )
    order = {node: index for index, node in enumerate(graph.nodes)}
    ends = sorted((nodes[0] for nodes in calls.values()), key=order.__getitem__)
    first, last = ends[0], ends[-1]
    chain, layers = [first], [str(first.target)]
    while chain[-1] is not last:
        node = _next(chain[-1])
        chain.append(node)
        if node.op == "call_module":
            layers.append(str(node.target))
        _check(node, chain[-2], blueprint)
    if missing := [name for name in wanted if name not in layers]:
        raise ConversionError(
            f"{missing[0]} is not on the way from {layers[0]} to {layers[-1]}: the layers to merge have to follow each other."
        )
    return Chain(tuple(chain), tuple(layers))


def _next(node: fx.Node) -> fx.Node:
    users = list(node.users)
    if len(users) != 1:
        names = ", ".join(operation_name(user) for user in users)
        raise ConversionError(
            f"The result of {operation_name(node)}{place_of(node)} is used {len(users)} times ({names}): by a skip connection, "
            "or as an output. One matrix cannot give both. Merge buckets on one side of it."
        )
    return users[0]


def _check(node: fx.Node, before: fx.Node, blueprint: Blueprint) -> None:
    """Refuses what one matrix cannot stand for."""
    name = operation_name(node)
    if node.op == "call_module":
        config = blueprint.layer_configs.get(name)
        kind = config.kind if config is not None else ""
        if kind == "Linear":
            return
        if kind == "BatchNorm1d" and config is not None and config.config["track_running_stats"]:
            if len(node.meta.get("shape", ())) == 2:
                return
            raise ConversionError(
                f"{name} (BatchNorm1d) normalises what is no single vector per sample, so it is no part of a matrix. Merge "
                "buckets on one side of it."
            )
        why = "takes its statistics from each sample or batch" if "Norm" in kind else "is not linear"
        raise ConversionError(f"{name} ({kind}) is between {_span(before)} and {why}. Merge buckets on one side of it.")
    is_kept = node.meta.get("shape") == before.meta.get("shape")
    if node.op in ("call_function", "call_method") and name in _PASSING and is_kept:
        return
    raise ConversionError(
        f"Behind {_span(before)} is {name}{place_of(node)}, which no matrix can stand for. `rpganify linearize` replaces "
        "activations by the identity; train such a model, then merge."
    )


def _span(node: fx.Node) -> str:
    return operation_name(node)
