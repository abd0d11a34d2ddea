"""Graphs written anew with parts left out, and models of changed blueprints with the tensors that they still have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx

from rpganify.conversion.building import build_random_path_generator, build_standard_generator
from rpganify.conversion.replication import tensors_by_name
from rpganify.modelfile import Model
from rpganify.routing.blueprint import Blueprint
from rpganify.routing.generator import RandomPathGenerator


def operation_name(node: fx.Node) -> str:
    """What a node calls, as people know it: `relu`, `view`; of a layer its dotted name."""
    if callable(node.target):
        return str(getattr(node.target, "__name__", node.target))
    return str(node.target)


def place_of(node: fx.Node) -> str:
    """Where in the author's source a node comes from, for messages; empty if it is not known."""
    place = node.meta.get("place")
    return f" ({place})" if place else ""


def written_anew(
    graph: fx.Graph,
    leave_out: Mapping[fx.Node, fx.Node],
    instead: Mapping[fx.Node, Callable[[fx.Graph, Mapping[fx.Node, fx.Node]], fx.Node]] | None = None,
) -> fx.Graph:
    """A copy of a graph; the graph stays as it is.

    Args:
        graph: with the notes that conversion keeps in its nodes.
        leave_out: node -> the earlier node that takes its place.
        instead: node -> what writes another in its place, given the new graph and the new nodes so far.
    """
    new = fx.Graph()
    made: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if instead is not None and node in instead:
            made[node] = instead[node](new, made)
            made[node].meta = dict(node.meta)
        elif node in leave_out:
            made[node] = made[leave_out[node]]
        else:
            made[node] = new.node_copy(node, lambda n: made[n])
            made[node].meta = dict(node.meta)
    for node in new.nodes:
        if "written" in node.meta:  # it names nodes
            node.meta["written"] = type(node.meta["written"])(made[one] for one in node.meta["written"])
    new.lint()
    return new


def mapped_graphs(blueprint: Blueprint, change: Callable[[fx.Graph], fx.Graph]) -> Blueprint:
    """The blueprint with both programs changed; one that serves both modes still does."""
    eval_graph = change(blueprint.eval_graph)
    is_one = blueprint.train_graph is blueprint.eval_graph
    return replace(
        blueprint, eval_graph=eval_graph, train_graph=eval_graph if is_one else change(blueprint.train_graph)
    )


def without_layers(blueprint: Blueprint, names: Iterable[str]) -> Blueprint:
    """The blueprint without some layers and their tensors, which its graphs do not use any more; the plan stays."""
    gone = set(names)

    def is_gone(tensor: str) -> bool:
        return any(tensor.startswith(f"{name}.") for name in gone)

    return replace(
        blueprint,
        layers=tuple(layer for layer in blueprint.layers if layer.name not in gone),
        layer_configs={name: config for name, config in blueprint.layer_configs.items() if name not in gone},
        tensors={name: spec for name, spec in blueprint.tensors.items() if not is_gone(name)},
        aliases={name: first for name, first in blueprint.aliases.items() if not is_gone(name)},
    )


def rebuilt(model: Model, blueprint: Blueprint, values: Mapping[str, Tensor] | None = None) -> Model:
    """A model of another blueprint: tensors that are in `values` from there, all others from the model.

    Returns:
        On the same device and in the same mode; shares nothing with the model.
    """
    made: Model = (
        build_standard_generator(blueprint) if blueprint.plan is None else build_random_path_generator(blueprint)
    )
    source: dict[str, Tensor] = {**tensors_by_name(model), **(values or {})}
    trained: dict[str, Any] = dict(model.named_parameters())
    with torch.no_grad():
        for name, target in tensors_by_name(made).items():
            target.copy_(source[name])
    for name, parameter in made.named_parameters():
        if name in trained:
            parameter.requires_grad_(trained[name].requires_grad)
    device = model.Z.device if isinstance(model, RandomPathGenerator) else next(model.parameters()).device
    return made.to(device).train(model.training)
