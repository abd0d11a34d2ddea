"""Stretches of a generator's graph that one bucket can run block by block, from end to end.

Running several layers for one block's samples before the next block's keeps what passes between them in the cache.
A segment takes the layers of one bucket that follow each other, and the operations between and around them that treat
each sample by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import fx, nn

from rpganify.conversion.dependence import carries_batch
from rpganify.conversion.nodes import map_nodes
from rpganify.conversion.samplewise import SamplewiseOperations, values_per_sample
from rpganify.routing.blueprint import LayerConfig
from rpganify.routing.program import Program
from rpganify.routing.region import RoutedCall
from rpganify.routing.segment import Kind, RoutedSegment, SegmentContent, call_layer


class Segment:
    """Nodes of one bucket that run together; they keep the order that they have in the graph.

    Args:
        bucket: whose blocks they use.
        nodes: in graph order.
    """

    def __init__(self, bucket: int, nodes: Iterable[fx.Node]) -> None:
        self.bucket = bucket
        self.nodes = list(nodes)
        members = set(self.nodes)
        operands = [operand for node in self.nodes for operand in node.all_input_nodes if operand not in members]
        self.inputs = list(dict.fromkeys(operands))
        self.outputs = [node for node in self.nodes if any(user not in members for user in node.users)]


def find_segments(
    graph: fx.Graph,
    routed: Mapping[fx.Node, int],
    operations: SamplewiseOperations,
) -> list[Segment]:
    """The segments of a graph that hold more than a layer by itself.

    Args:
        graph: a plain generator's program.
        routed: node -> bucket, of every operation that uses a bucket's blocks and keeps the samples first.
        operations: which others treat each sample by itself.
    """
    return _Search(graph, routed, operations).run()


class _Search:
    """Grows segments around the routed nodes.

    A segment runs where its last node stood. So no node outside may need one of its results before that, which also
    keeps the segments from needing each other in a circle and every write in its place.
    """

    def __init__(self, graph: fx.Graph, routed: Mapping[fx.Node, int], operations: SamplewiseOperations) -> None:
        self.nodes = list(graph.nodes)
        self.place = {node: place for place, node in enumerate(self.nodes)}
        self.routed, self.operations = routed, operations
        self.member: dict[fx.Node, set[fx.Node]] = {}
        self.bucket: dict[int, int] = {}

    def run(self) -> list[Segment]:
        for node in self.nodes:
            if node in self.routed:
                self._start(node)
            elif self._is_free(node):
                self._append(node)
        found = {id(members): members for members in self.member.values()}
        return [
            Segment(self.bucket[key], sorted(members, key=self.place.__getitem__))
            for key, members in found.items()
            if len(members) > 1
        ]

    def _start(self, node: fx.Node) -> None:
        members = {node}
        self.bucket[id(members)] = self.routed[node]
        self._own(members)
        self._draw_in(members)

    def _draw_in(self, members: set[fx.Node]) -> None:
        """Takes in what leads to a segment, where less enters it then, and joins it to its bucket's previous one."""
        changed = True
        while changed:
            changed = False
            for operand in _batched_inputs(members):
                other = self.member.get(operand)
                if other is not None:
                    is_same = self.bucket[id(other)] == self.bucket[id(members)]
                    if is_same and self._is_closed(members | other):
                        members |= other
                        self._own(members)
                        changed = True
                elif self._is_free(operand) and self._is_worth_drawing(operand, members):
                    members.add(operand)
                    self._own(members)
                    changed = True
                if changed:
                    break

    def _append(self, node: fx.Node) -> None:
        """Takes an operation into the segment whose result it uses up."""
        for operand in node.all_input_nodes:
            members = self.member.get(operand)
            if members is None or set(operand.users) - members != {node}:
                continue
            # With it comes what nobody else needs, so that a skip past the segment's end does not keep it open.
            beside = {one for one in node.all_input_nodes if self._is_free(one) and set(one.users) == {node}}
            is_small = values_per_sample(node) <= values_per_sample(operand)
            if is_small and self._is_closed(members | beside | {node}):
                members |= beside | {node}
                self._own(members)
                self._draw_in(members)
                return

    def _is_worth_drawing(self, operand: fx.Node, members: set[fx.Node]) -> bool:
        """Whether an operation that only this segment needs takes in no more than it gives."""
        if set(operand.users) - members:
            return False
        entering = _batched_inputs(members)
        new = [source for source in operand.all_input_nodes if carries_batch(source) and source not in entering]
        gain = values_per_sample(operand) - sum(values_per_sample(source) for source in new if source not in members)
        return gain >= 0 and self._is_closed(members | {operand})

    def _is_free(self, node: fx.Node) -> bool:
        return (
            node not in self.member
            and node not in self.routed
            and node.op in ("call_function", "call_method")
            and self.operations.is_separable(node)
            and not any(self.operations.is_written(one) for one in (node, *node.all_input_nodes))
        )

    def _is_closed(self, members: set[fx.Node]) -> bool:
        """Whether everything outside that uses a result comes after the last node."""
        last = max(self.place[node] for node in members)
        return all(self.place[user] > last for node in members for user in node.users if user not in members)

    def _own(self, members: set[fx.Node]) -> None:
        for node in members:
            self.member[node] = members


def _batched_inputs(members: set[fx.Node]) -> list[fx.Node]:
    operands = (operand for node in members for operand in node.all_input_nodes)
    return list(dict.fromkeys(operand for operand in operands if operand not in members and carries_batch(operand)))


def build_segment(
    segment: Segment,
    layer_configs: Mapping[str, LayerConfig],
    operations: SamplewiseOperations,
    block_values: Mapping[fx.Node, int],
    routed_call: Callable[[fx.Node], tuple[RoutedCall, list[fx.Node]]],
) -> tuple[RoutedSegment, list[fx.Node | str]]:
    """A segment as a module of its own.

    Args:
        segment: what it runs.
        layer_configs: the built-in layers, by name.
        operations: how its other operations are called.
        block_values: the nodes that give block values.
        routed_call: makes the module of an operation on block values.
    Returns:
        The module, and what it is called with after the route: nodes of the plain graph, and names of layers.
    """
    calls = nn.Module()
    steps: list[tuple[fx.Node, tuple[Any, ...]]] = []
    operands: dict[fx.Node | str, None] = {}
    for node in segment.nodes:
        if node.op == "call_module":
            used: list[fx.Node | str] = [str(node.target), *node.all_input_nodes]
            steps.append((node, (str(node.target), *node.args)))
        elif any(operand in block_values for operand in node.all_input_nodes):
            call, nodes = routed_call(node)
            name = f"call_{len(calls._modules)}"
            calls.add_module(name, call)
            used = list(nodes)
            steps.append((node, (name, *used)))
        else:
            own = operations.call(node)
            used = []
            map_nodes(own[2:], used.append)
            steps.append((node, own))
        operands |= dict.fromkeys(one for one in used if one not in segment.nodes)

    graph = fx.Graph()
    route = graph.placeholder("route")
    made: dict[fx.Node | str, fx.Node] = {
        operand: graph.placeholder(f"input_{index}") for index, operand in enumerate(operands)
    }
    for node, step in steps:
        if node.op == "call_module":
            layer, *given = (made[one] for one in step)
            made[node] = graph.call_function(call_layer, (layer, route, *given))
        elif any(operand in block_values for operand in node.all_input_nodes):
            made[node] = graph.call_module(step[0], (route, *(made[one] for one in step[1:])))
        else:
            op, target, args, kwargs = step
            args, kwargs = map_nodes((args, kwargs), made.__getitem__)
            made[node] = graph.create_node(op, target, args, kwargs)
    results = tuple(made[node] for node in segment.outputs)
    graph.output(results if len(results) > 1 else results[0])
    graph.lint()
    kinds = [_kind(operand, block_values) for operand in operands]
    return RoutedSegment(Program(graph), kinds, calls, _content(segment, layer_configs)), list(operands)


def _kind(operand: fx.Node | str, block_values: Mapping[fx.Node, int]) -> Kind:
    if isinstance(operand, str):
        return "as it is"
    if operand in block_values:
        return "block values"
    return "batch" if carries_batch(operand) else "as it is"


def _content(segment: Segment, layer_configs: Mapping[str, LayerConfig]) -> SegmentContent:
    layers = tuple(
        (layer_configs[str(node.target)], tuple(size for _, size in node.all_input_nodes[0].meta["shape"][1:]))
        for node in segment.nodes
        if node.op == "call_module"
    )
    return SegmentContent(layers, max(map(values_per_sample, segment.nodes)), len(segment.nodes))
