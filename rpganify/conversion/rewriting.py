"""The graph of a converted generator: routed layers for the layers of a bucket, everything else as it was."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from torch import fx, nn

from rpganify.conversion.dependence import BlockDependence, carries_batch, is_description, memory_of
from rpganify.conversion.nodes import map_nodes
from rpganify.conversion.orders import ORIGINAL, SAME, Order, OrderSteps, common_order, each_of, sorted_by
from rpganify.conversion.samplewise import SamplewiseOperations, has_samples_first, values_per_sample
from rpganify.conversion.segments import Segment, build_segment, find_segments
from rpganify.errors import ConversionError
from rpganify.plan import FIXED_INPUT, Plan
from rpganify.routing.blueprint import Blueprint
from rpganify.routing.region import (
    BatchSize,
    Operand,
    RoutedCall,
    block_values,
    block_views,
    first_value,
    working_copies,
    write_back,
)
from rpganify.routing.routes import SAMPLES_FIRST, BatchAxis, gather_samples, rows_present


class Rewriter:
    """Writes one graph anew with routed layers.

    Args:
        calls_name: where in the model the modules of routed operations are.
        calls: the module that they are added to.
        takes_latents: whether the new graph takes a latent per sample, after the paths, in the place of Z.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        plan: Plan,
        graph: fx.Graph,
        dependence: BlockDependence,
        calls_name: str,
        calls: nn.Module,
        *,
        takes_latents: bool = False,
    ) -> None:
        self.blueprint, self.plan, self.source, self.dependence = blueprint, plan, graph, dependence
        self.calls_name, self.calls, self.takes_latents = calls_name, calls, takes_latents
        self.graph = fx.Graph()
        self.operations = SamplewiseOperations(graph, blueprint.layer_configs)
        self.made: dict[fx.Node, dict[Order, fx.Node]] = {}
        self.home: dict[fx.Node, Order] = {}

    def rewrite(self) -> fx.Graph:
        """The graph over `paths`, the conditions and the generator of random draws."""
        self._emit_inputs()
        segments = find_segments(self.source, self._routed_in_place(), self.operations)
        segment_of = {node: segment for segment in segments for node in segment.nodes}
        for node in self.source.nodes:
            segment = segment_of.get(node)
            if node.op == "placeholder" or (segment is not None and node is not segment.nodes[-1]):
                continue
            if segment is not None:
                self._emit_segment(segment)
            elif node.op == "output":
                self._write_back()
                self.graph.output(self._ordinary(node.args[0]))
            elif node.op == "get_attr" and node in self.dependence.nodes:
                make = self._maker_of_block_values(str(node.target))
                stack = self.graph.get_attr(str(node.target))
                self._put(node, self._call(make, stack, self._route_of(node)), ORIGINAL)
            elif node.op == "call_module":
                self._emit_layer(node)
            elif any(operand in self.dependence.nodes for operand in node.all_input_nodes):
                self._emit_routed_call(node)
            else:
                self._emit_shared(node)
        self.graph.lint()
        return self.graph

    def _emit_inputs(self) -> None:
        paths = self.graph.placeholder("paths")
        by_name = {str(node.target): node for node in self.source.nodes if node.op == "placeholder"}
        latent = self.blueprint.latent.identifier
        if self.takes_latents:
            self._put(by_name[latent], self.graph.placeholder(latent), ORIGINAL)
        for spec in self.blueprint.inputs:
            if not spec.is_latent:
                self._put(by_name[spec.identifier], self.graph.placeholder(spec.identifier), ORIGINAL)
        self._put(by_name["generator"], self.graph.placeholder("generator", default_value=None), ORIGINAL)
        self.steps = OrderSteps(self.graph, paths, self.plan)
        if not self.takes_latents:
            self._emit_fixed_input(by_name[latent])

    def _emit_fixed_input(self, latent: fx.Node) -> None:
        """Z in the place of the latent: one row for all samples, or one for each of its blocks in the batch."""
        bucket = self.plan.bucket_of(FIXED_INPUT)
        fixed = self.graph.get_attr(FIXED_INPUT)
        if bucket is None:
            self._put(latent, fixed, SAME)
        else:
            self._put(latent, self._call(rows_present, fixed, self.steps.route(bucket)), each_of(bucket))

    def _routed_in_place(self) -> dict[fx.Node, int]:
        """The operations on a bucket's blocks that a segment may hold: samples first, nothing written."""
        found: dict[fx.Node, int] = {}
        for node in self.source.nodes:
            bucket = self._bucket_of(node)
            batched = [operand for operand in node.all_input_nodes if carries_batch(operand)]
            if (
                bucket is not None
                and batched
                and all(has_samples_first(one) for one in (node, *batched))
                and not any(self.operations.is_written(one) for one in (node, *node.all_input_nodes))
                and not node.meta.get("written")
            ):
                found[node] = bucket
        return found

    def _bucket_of(self, node: fx.Node) -> int | None:
        """The bucket whose blocks an operation uses on samples."""
        if node.op == "call_module":
            return self.plan.bucket_of(str(node.target))
        if node.op not in ("call_function", "call_method") or node in self.dependence.nodes or is_description(node):
            return None
        return next((self.dependence.nodes[n] for n in node.all_input_nodes if n in self.dependence.nodes), None)

    def _emit_shared(self, node: fx.Node) -> None:
        """What is the same for all blocks: in any order where it may be, else in the original one."""
        if not self.operations.is_reorderable(node):
            self._put(node, self.graph.node_copy(node, lambda n: self._at(n, ORIGINAL)), ORIGINAL)
            return
        order = self._common_order(node)
        if order.kind in ("same", "each") and not self.operations.is_separable(node):
            order = ORIGINAL if order == SAME else sorted_by(order.bucket)
        op, target, args, kwargs = self.operations.call(node)

        def place(operand: fx.Node) -> fx.Node:
            return self._at(operand, order if carries_batch(operand) else ORIGINAL)

        self._put(node, self.graph.create_node(op, target, map_nodes(args, place), map_nodes(kwargs, place)), order)

    def _emit_layer(self, node: fx.Node) -> None:
        name = str(node.target)
        bucket = self.plan.bucket_of(name)
        sources = list(node.args)
        if any(source in self.dependence.nodes for source in sources):
            given = self._ordinary(tuple(sources))
            route = () if bucket is None else (self.steps.route(bucket),)
            self._put(node, self.graph.call_module(name, (*route, *given)), ORIGINAL)
        elif bucket is None:
            self._emit_shared(node)
        elif all(has_samples_first(one) for one in (node, *node.all_input_nodes)):
            order = self._routed_order(node.all_input_nodes, bucket, self.operations.is_separable(node))
            inputs = (self._at(source, order) for source in node.all_input_nodes)
            self._put(node, self.graph.call_module(name, (self.steps.route(bucket, order), *inputs)), order)
        elif len(sources) > 1:
            raise self._refusal(node, "takes an input that does not have the samples first")
        else:
            axes = (self._batch_axis(node.all_input_nodes[0], node) or SAMPLES_FIRST, self._result_axes(node))
            places: dict[str, Any] = dict(zip(("batch", "result"), map(self._constant, axes), strict=True))
            operands = (self.steps.route(bucket), self._at(node.all_input_nodes[0], ORIGINAL))
            self._put(node, self.graph.call_module(name, operands, places), ORIGINAL)

    def _emit_routed_call(self, node: fx.Node) -> None:
        bucket = next(self.dependence.nodes[n] for n in node.all_input_nodes if n in self.dependence.nodes)
        if is_description(node):
            value = self._call(first_value, self._at(node.args[0], ORIGINAL))  # type: ignore[arg-type]
            self._put(node, self._call(getattr, value, node.args[1]), ORIGINAL)
            return
        call, operands = self._routed_call(node)
        name = f"call_{len(self.calls._modules)}"
        self.calls.add_module(name, call)
        batched = [operand for operand in operands if carries_batch(operand) and operand not in self.dependence.nodes]
        order = ORIGINAL
        if (
            batched
            and has_samples_first(node)
            and all(map(has_samples_first, batched))
            and not node.meta.get("written")
        ):
            order = self._routed_order(batched, bucket, self.operations.is_separable(node))
        given = (self._at(operand, order if operand in batched else ORIGINAL) for operand in operands)
        new = self.graph.call_module(f"{self.calls_name}.{name}", (self.steps.route(bucket, order), *given))
        self._put(node, new, order)

    def _routed_call(self, node: fx.Node) -> tuple[RoutedCall, list[fx.Node]]:
        """An operation on a bucket's parameters as a module, and the nodes that it is called with."""
        gives_blocks = node in self.dependence.nodes
        meets_batch = not gives_blocks or any(carries_batch(operand) for operand in node.all_input_nodes)
        operands: dict[fx.Node, int] = {}

        def place(operand: fx.Node) -> Any:
            if "size" in operand.meta and meets_batch:
                return BatchSize(*operand.meta["size"])
            index = operands.setdefault(operand, len(operands))
            is_block = operand in self.dependence.nodes
            batch = None if is_block else self._batch_axis(operand, node)
            return Operand(index, batch, is_block, operand in node.meta.get("written", ()))

        call = RoutedCall(
            node.target,
            map_nodes(node.args, place),
            map_nodes(dict(node.kwargs), place),
            None if gives_blocks else self._result_axes(node),
        )
        return call, list(operands)

    def _emit_segment(self, segment: Segment) -> None:
        """A module that runs the segment, and the call of it."""
        bucket = segment.bucket
        configs, block_values = self.blueprint.layer_configs, self.dependence.nodes
        module, operands = build_segment(segment, configs, self.operations, block_values, self._routed_call)
        name = f"segment_{len(self.calls._modules)}"
        self.calls.add_module(name, module)
        batched = [one for one in operands if isinstance(one, fx.Node) and carries_batch(one)]
        is_separable = all(self.operations.is_separable(node) for node in segment.nodes)
        order = self._routed_order(batched, bucket, is_separable)
        given = [
            self.graph.get_attr(operand)
            if isinstance(operand, str)
            else self._at(operand, order if operand in batched else ORIGINAL)
            for operand in operands
        ]
        result = self.graph.call_module(f"{self.calls_name}.{name}", (self.steps.route(bucket, order), *given))
        for index, node in enumerate(segment.outputs):
            part = result if len(segment.outputs) == 1 else self._call(operator.getitem, result, index)
            self._put(node, part, order)

    def _routed_order(self, operands: Sequence[fx.Node], bucket: int, is_separable: bool) -> Order:
        """How the samples lie for an operation on a bucket's blocks: a row per block if nothing else tells them apart."""
        is_shared = all(self.home[operand] in (SAME, each_of(bucket)) for operand in operands)
        return each_of(bucket) if is_separable and is_shared else sorted_by(bucket)

    def _common_order(self, node: fx.Node) -> Order:
        operands = [operand for operand in node.all_input_nodes if carries_batch(operand)]
        return common_order((self.home[operand], values_per_sample(operand)) for operand in operands)

    def _put(self, node: fx.Node, new: fx.Node, order: Order) -> None:
        """Notes what stands for a node. What is written in place exists in one order only, the original."""
        if order != ORIGINAL and self.operations.is_written(node):
            new, order = self.steps.change(new, order, ORIGINAL), ORIGINAL
        self.made[node], self.home[node] = {order: new}, order

    def _at(self, node: fx.Node, order: Order) -> fx.Node:
        """What stands for a node, its samples in that order."""
        made = self.made[node]
        if order in made:
            return made[order]
        new = self.steps.change(made[self.home[node]], self.home[node], order)
        if not self.operations.is_written(node):
            made[order] = new
        return new

    def _constant(self, axis: BatchAxis) -> fx.Node:
        return self._call(BatchAxis, axis.axis, axis.factor, axis.is_inner)

    def _result_axes(self, node: fx.Node) -> Any:
        if "shape" in node.meta:
            return self._axis_of(node.meta["shape"], node, node.meta.get("is_inner", False))
        return tuple(
            None if shape is None else self._axis_of(shape, node, False) for shape in node.meta.get("shapes", ())
        )

    def _batch_axis(self, operand: fx.Node, node: fx.Node) -> BatchAxis | None:
        if not carries_batch(operand) or "shape" not in operand.meta:
            return None
        return self._axis_of(operand.meta["shape"], node, operand.meta.get("is_inner", False))

    def _axis_of(self, shape: tuple[tuple[int, int], ...], node: fx.Node, is_inner: bool) -> BatchAxis:
        axes = [axis for axis, (factor, _) in enumerate(shape) if factor]
        if len(axes) != 1 or shape[axes[0]][1] != 0:
            raise self._refusal(node, "mixes samples while it uses a parameter of a bucket")
        return BatchAxis(axes[0], shape[axes[0]][0], is_inner and shape[axes[0]][0] > 1)

    def _ordinary(self, structure: Any) -> Any:
        """Operands for what knows no block values: those become one value per sample."""

        def spread(operand: fx.Node) -> fx.Node:
            if operand not in self.dependence.nodes:
                return self._at(operand, ORIGINAL)
            shape = operand.meta.get("shape", ())
            if not shape or shape[0] != (0, 1):
                raise self._refusal(operand, "passes a parameter of a bucket on without a batch axis")
            return self._call(gather_samples, self._route_of(operand), self._at(operand, ORIGINAL))

        return map_nodes(structure, spread)

    def _maker_of_block_values(self, name: str) -> Any:
        if self._is_changed(name):
            return working_copies
        return block_views if self._is_written_to(name) else block_values

    def _is_changed(self, name: str) -> bool:
        return self._is_written_to(name) and not self.blueprint.tensors[name].is_trainable

    def _is_written_to(self, name: str) -> bool:
        return any(
            memory_of(target).op == "get_attr" and str(memory_of(target).target) == name
            for node in self.source.nodes
            for target in node.meta.get("written", ())
        )

    def _write_back(self) -> None:
        for node in self.source.nodes:
            if node.op == "get_attr" and node in self.dependence.nodes and self._is_changed(str(node.target)):
                values = self._at(node, ORIGINAL)
                self._call(write_back, self.graph.get_attr(str(node.target)), values, self._route_of(node))

    def _route_of(self, node: fx.Node) -> fx.Node:
        return self.steps.route(self.dependence.nodes[node])

    def _call(self, function: Any, *args: Any) -> fx.Node:
        return self.graph.call_function(function, args)

    def _refusal(self, node: fx.Node, what: str) -> ConversionError:
        where = node.meta.get("place") or node.meta.get("scope") or node.name
        return ConversionError(
            f"The step at {where} {what}, so it cannot be run per block. Leave that layer out of the buckets (it is then "
            "shared by all paths)."
        )
