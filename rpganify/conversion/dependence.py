"""Which tensors and operations of a graph differ from block to block, under a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import fx

from rpganify.conversion.known import KNOWN, NORMS
from rpganify.conversion.operators import VIEWS
from rpganify.errors import ConversionError, PlanError
from rpganify.plan import Plan
from rpganify.routing.blueprint import Blueprint


@dataclass(frozen=True, slots=True)
class BlockDependence:
    """Which tensors and graph nodes differ from block to block.

    Args:
        tensors: name -> bucket, of every tensor with a block axis.
        nodes: node -> bucket, of every node that gives block values.
    """

    tensors: Mapping[str, int]
    nodes: Mapping[fx.Node, int]


def find_block_dependence(blueprint: Blueprint, plan: Plan) -> BlockDependence:
    """Follows the buckets' parameters through the graphs up to where they meet the samples.

    Raises:
        PlanError: parameters of two buckets meet there.
    """
    tensors: dict[str, int] = {}
    for layer in blueprint.layers:
        bucket = plan.bucket_of(layer.name)
        if bucket is None:
            continue
        for name in layer.parameters:
            if tensors.setdefault(name, bucket) != bucket:
                other = next(one for one in blueprint.layers if name in one.parameters and one is not layer)
                raise PlanError(
                    f"Layers {other.name!r} and {layer.name!r} share the parameter {name!r} but are in buckets "
                    f"{plan.buckets[tensors[name]].name!r} and {plan.buckets[bucket].name!r}. Put them into one bucket."
                )
        config = blueprint.layer_configs.get(layer.name)
        if config is not None and config.kind in NORMS:
            statistics = (f"{layer.name}.{n}" for n in ("running_mean", "running_var", "num_batches_tracked"))
            tensors.update({name: bucket for name in statistics if name in blueprint.tensors})
        elif config is not None and config.kind not in KNOWN:
            # A plugin's layer is given all its tensors from its block.
            tensors.update({name: bucket for name in blueprint.tensors if name.startswith(f"{layer.name}.")})
    for layer in blueprint.layers:
        if plan.bucket_of(layer.name) is None and (tied := [n for n in layer.parameters if n in tensors]):
            raise PlanError(
                f"Layer {layer.name!r} is shared by all paths, but its parameter {tied[0]!r} also belongs to bucket "
                f"{plan.buckets[tensors[tied[0]]].name!r}. Add {layer.name!r} to that bucket."
            )
    while True:
        nodes: dict[fx.Node, int] = {}
        written: dict[str, int] = {}
        for graph in blueprint.graphs():
            _follow(graph, blueprint, plan, tensors, nodes, written)
        if written.keys() <= tensors.keys():
            return BlockDependence(tensors, nodes)
        # A buffer that a block's values are written into becomes one per block, and its readers follow.
        tensors.update(written)


def find_ties(blueprint: Blueprint) -> tuple[frozenset[str], ...]:
    """Groups of layers that have to be in one bucket: their parameters meet before they meet a sample, or are one.

    Returns:
        Disjoint groups of two and more layers.
    """
    groups: list[set[str]] = []
    owners: dict[str, set[str]] = {}
    for layer in blueprint.layers:
        for name in layer.parameters:
            owners.setdefault(name, set()).add(layer.name)
    for layers in owners.values():
        _tie(layers, groups)
    for graph in blueprint.graphs():
        reached: dict[fx.Node, set[str]] = {}
        for node in graph.nodes:
            if node.op == "get_attr":
                reached[node] = set(owners.get(str(node.target), ()))
            elif node.op in ("call_function", "call_method"):
                layers = set().union(*(reached.get(operand, set()) for operand in node.all_input_nodes))
                _tie(layers, groups)
                reached[node] = set() if carries_batch(node) else layers
    return tuple(frozenset(group) for group in groups)


def find_unroutable(blueprint: Blueprint) -> frozenset[str]:
    """Layers whose parameters leave the generator, or enter a built-in layer, without having met a sample.

    Such a value (a learned variance beside the images) has no sample to follow; the layer stays shared.
    """
    owners = {name: layer.name for layer in blueprint.layers for name in layer.parameters}
    found: set[str] = set()
    for graph in blueprint.graphs():
        reached: dict[fx.Node, set[str]] = {}
        for node in graph.nodes:
            layers = set().union(*(reached.get(operand, set()) for operand in node.all_input_nodes))
            if node.op == "get_attr":
                reached[node] = {owners[str(node.target)]} if str(node.target) in owners else set()
            elif node.op in ("call_function", "call_method") and not carries_batch(node):
                reached[node] = layers
            elif node.op in ("output", "call_module"):
                for operand in node.all_input_nodes:
                    if operand.meta.get("shape", ())[:1] != ((0, 1),):
                        found |= reached.get(operand, set())
    return frozenset(found)


def _tie(layers: set[str], groups: list[set[str]]) -> None:
    if len(layers) < 2:
        return
    touched = [group for group in groups if group & layers]
    groups[:] = [group for group in groups if not group & layers] + [layers.union(*touched)]


def _follow(
    graph: fx.Graph,
    blueprint: Blueprint,
    plan: Plan,
    tensors: Mapping[str, int],
    nodes: dict[fx.Node, int],
    written: dict[str, int],
) -> None:
    for node in graph.nodes:
        if node.op == "get_attr" and str(node.target) in tensors:
            nodes[node] = tensors[str(node.target)]
        elif node.op in ("call_function", "call_method"):
            buckets = {nodes[operand] for operand in node.all_input_nodes if operand in nodes}
            if len(buckets) > 1:
                one, two = sorted(buckets)[:2]
                raise PlanError(
                    f"Parameters of buckets {plan.buckets[one].name!r} and {plan.buckets[two].name!r} are combined "
                    f"({node.meta.get('place') or node.name}) before they meet a sample. Put their layers into one bucket."
                )
            if not buckets:
                continue
            bucket = buckets.pop()
            if is_description(node):
                continue
            if not carries_batch(node):
                nodes[node] = bucket
            for target in node.meta.get("written", ()):
                root = memory_of(target)
                if root in nodes or carries_batch(root):
                    continue
                name = str(root.target)
                if root.op != "get_attr" or blueprint.tensors[name].is_trainable:
                    raise ConversionError(
                        f"Values of bucket {plan.buckets[bucket].name!r} are written into a tensor that all its blocks "
                        f"share ({node.meta.get('place') or node.name}). Make it a buffer of the module that writes it."
                    )
                written[name] = bucket


def is_description(node: fx.Node) -> bool:
    """Whether a node gives what is the same for all blocks of a tensor: its device or type."""
    return node.target is getattr and node.args[1] in ("device", "dtype")


def memory_of(node: fx.Node) -> fx.Node:
    """The node whose memory a view shows."""
    while node.op in ("call_method", "call_function"):
        name = str(node.args[1]) if node.target is getattr else getattr(node.target, "__name__", str(node.target))
        if name not in VIEWS or not isinstance(node.args[0], fx.Node):
            break
        node = node.args[0]
    return node


def carries_batch(node: fx.Node) -> bool | None:
    """Whether a node's tensors have a batch axis; None if it gives no tensor."""
    shapes = [node.meta["shape"]] if "shape" in node.meta else [s for s in node.meta.get("shapes", ()) if s is not None]
    if not shapes:
        return None
    return any(factor for shape in shapes for factor, _ in shape)
