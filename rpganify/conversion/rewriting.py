"""Blueprint -> converted generator: routed layers for the layers of a bucket, everything else as it was.

The pass is a pure function of the blueprint, so a model file holds the plain graph and the plan, and opening it
runs this pass again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from rpganify.conversion.dependence import (
    BlockDependence,
    carries_batch,
    find_block_dependence,
    is_description,
    memory_of,
)
from rpganify.conversion.known import build_layer
from rpganify.errors import ConversionError
from rpganify.plan import Plan
from rpganify.routing.blueprint import Blueprint, TensorSpec
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator
from rpganify.routing.kernels import SAMPLES_FIRST, BatchAxis, gather_samples, route_samples
from rpganify.routing.layers import RoutedLayer
from rpganify.routing.program import Program
from rpganify.routing.region import (
    BatchSize,
    Operand,
    RoutedCall,
    block_values,
    first_value,
    working_copies,
    write_back,
)


def build_random_path_generator(blueprint: Blueprint) -> RandomPathGenerator:
    """The converted generator with memory for its tensors, which are not filled.

    Raises:
        PlanError: parameters of two buckets meet before they meet a sample, or are one tensor.
        ConversionError: an operation on a bucket's parameters cannot be run per block.
    """
    plan = blueprint.plan
    assert plan is not None
    dependence = find_block_dependence(blueprint, plan)
    tensors = _build_tensors(blueprint, dependence.tensors)
    programs: list[Program] = []
    for mode, graph in zip(("eval", "train"), blueprint.graphs(), strict=False):
        holder = nn.Module()
        programs.append(Program(_Rewriter(blueprint, plan, graph, dependence, f"routed_{mode}", holder).rewrite()))
        if holder._modules:
            tensors.add_module(f"routed_{mode}", holder)
    return RandomPathGenerator(blueprint, programs[0], programs[-1], tensors)


def model_tensors(blueprint: Blueprint) -> dict[str, TensorSpec]:
    """Every tensor of the model that a blueprint describes, with the shape it has there.

    Raises:
        PlanError, ConversionError: as `build_random_path_generator`.
    """
    if blueprint.plan is None:
        return dict(blueprint.tensors)
    stacked = find_block_dependence(blueprint, blueprint.plan).tensors
    blocks = blueprint.plan.num_blocks
    tensors = {
        name: replace(spec, shape=(blocks[stacked[name]], *spec.shape)) if name in stacked else spec
        for name, spec in blueprint.tensors.items()
    }
    latent = blueprint.latent
    return {**tensors, "Z": TensorSpec("parameter", (1, *latent.shape), latent.dtype, True)}


def actual_blueprint(model: RandomPathGenerator | StandardGenerator) -> Blueprint:
    """The model's blueprint with the types that its tensors have by now (`model.double()`)."""
    actual = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    tensors = {name: replace(spec, dtype=actual[name].dtype) for name, spec in model.blueprint.tensors.items()}
    inputs = model.blueprint.inputs
    if "Z" in actual:
        inputs = tuple(replace(spec, dtype=actual["Z"].dtype) if spec.is_latent else spec for spec in inputs)
    return replace(model.blueprint, tensors=tensors, inputs=inputs)


def build_standard_generator(blueprint: Blueprint) -> StandardGenerator:
    """The plain generator with memory for its tensors, which are not filled."""
    programs = [Program(graph) for graph in blueprint.graphs()]
    return StandardGenerator(blueprint, programs[0], programs[-1], _build_tensors(blueprint, {}))


def _build_tensors(blueprint: Blueprint, stacked: Mapping[str, int]) -> nn.Module:
    """A tree of modules with the generator's tensors under their own names; nothing is filled."""
    root = nn.Module()
    made: dict[str, Tensor] = {}
    for name, spec in blueprint.tensors.items():
        shape = (
            (blueprint.plan.buckets[stacked[name]].num_blocks, *spec.shape)
            if name in stacked and blueprint.plan
            else spec.shape
        )
        tensor = torch.empty(shape, dtype=spec.dtype)
        made[name] = nn.Parameter(tensor, requires_grad=spec.is_trainable) if spec.role == "parameter" else tensor
    first = {**{name: name for name in made}, **blueprint.aliases}
    for layer_name, config in blueprint.layer_configs.items():
        plain = build_layer(config)
        local = {n: made[first[f"{layer_name}.{n}"]] for n, _ in [*plain.named_parameters(), *plain.named_buffers()]}
        bucket = next(
            (stacked[first[f"{layer_name}.{n}"]] for n in local if first[f"{layer_name}.{n}"] in stacked), None
        )
        if bucket is None or blueprint.plan is None:
            for name, tensor in local.items():
                if isinstance(tensor, nn.Parameter):
                    plain._parameters[name] = tensor
                else:
                    plain._buffers[name] = tensor
            layer: nn.Module = plain
        else:
            layer = RoutedLayer(config, blueprint.plan.buckets[bucket].num_blocks, local)
        _place(root, layer_name, layer)
    for name, tensor in made.items():
        parent = _parent(root, name)
        local_name = name.rpartition(".")[2]
        if local_name in parent._parameters or local_name in parent._buffers:
            continue
        if isinstance(tensor, nn.Parameter):
            parent.register_parameter(local_name, tensor)
        else:
            parent.register_buffer(local_name, tensor, persistent=blueprint.tensors[name].role == "buffer")
    return root


def _parent(root: nn.Module, name: str) -> nn.Module:
    """The module that holds `name`, made of empty modules where missing."""
    module = root
    for part in name.split(".")[:-1]:
        if part not in module._modules:
            module.add_module(part, nn.Module())
        module = module._modules[part]  # type: ignore[assignment]
    return module


def _place(root: nn.Module, name: str, module: nn.Module) -> None:
    _parent(root, name)._modules[name.rpartition(".")[2]] = module


class _Rewriter:
    """Writes one graph anew with routed layers.

    Args:
        calls_name: where in the model the `RoutedCall` modules are.
        calls: the module that they are added to.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        plan: Plan,
        graph: fx.Graph,
        dependence: BlockDependence,
        calls_name: str,
        calls: nn.Module,
    ) -> None:
        self.blueprint, self.plan, self.source, self.dependence = blueprint, plan, graph, dependence
        self.calls_name, self.calls = calls_name, calls
        self.graph = fx.Graph()
        self.new: dict[fx.Node, fx.Node] = {}
        self.routes: dict[int, fx.Node] = {}

    def rewrite(self) -> fx.Graph:
        """The graph over `paths`, the conditions and the generator of random draws."""
        self._emit_inputs()
        for node in self.source.nodes:
            if node.op == "placeholder":
                continue
            if node.op == "output":
                self._write_back()
                self.graph.output(self._ordinary(node.args[0]))
            elif node.op == "get_attr" and node in self.dependence.nodes:
                make = working_copies if self._is_changed(str(node.target)) else block_values
                self.new[node] = self._call(make, self.graph.get_attr(str(node.target)), self._route_of(node))
            elif node.op == "call_module":
                self._emit_layer(node)
            elif any(operand in self.dependence.nodes for operand in node.all_input_nodes):
                self._emit_routed_call(node)
            else:
                self.new[node] = self.graph.node_copy(node, lambda n: self.new[n])
        self.graph.lint()
        return self.graph

    def _emit_inputs(self) -> None:
        paths = self.graph.placeholder("paths")
        by_name = {str(node.target): node for node in self.source.nodes if node.op == "placeholder"}
        for spec in self.blueprint.inputs:
            if not spec.is_latent:
                self.new[by_name[spec.identifier]] = self.graph.placeholder(spec.identifier)
        self.new[by_name["generator"]] = self.graph.placeholder("generator", default_value=None)
        fixed = self.graph.get_attr("Z")
        device = self._call(getattr, fixed, "device")
        for index, bucket in enumerate(self.plan.buckets):
            self.routes[index] = self._call(route_samples, paths, index, bucket.num_blocks, device)
        batch = self.graph.call_method("size", (paths, 0))
        # Repeated, not expanded: the original may reshape or overwrite its latent.
        ones = (1,) * len(self.blueprint.latent.shape)
        self.new[by_name[self.blueprint.latent.identifier]] = self.graph.call_method("repeat", (fixed, batch, *ones))

    def _emit_layer(self, node: fx.Node) -> None:
        name = str(node.target)
        operand = self._ordinary(node.args[0])
        bucket = self.plan.bucket_of(name)
        if bucket is None:
            self.new[node] = self.graph.call_module(name, (operand,))
            return
        source = node.args[0]
        assert isinstance(source, fx.Node)
        axes = (self._batch_axis(source, node) or SAMPLES_FIRST, self._result_axes(node))
        # Samples first is what a layer expects; only where they are elsewhere it is told.
        places = () if axes == (SAMPLES_FIRST, SAMPLES_FIRST) else tuple(self._constant(axis) for axis in axes)
        self.new[node] = self.graph.call_module(name, (self.routes[bucket], operand, *places))

    def _emit_routed_call(self, node: fx.Node) -> None:
        bucket = next(self.dependence.nodes[n] for n in node.all_input_nodes if n in self.dependence.nodes)
        if is_description(node):
            value = self._call(first_value, self.new[node.args[0]])  # type: ignore[index]
            self.new[node] = self._call(getattr, value, node.args[1])
            return
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
            _mapped(node.args, place),
            _mapped(dict(node.kwargs), place),
            None if gives_blocks else self._result_axes(node),
        )
        name = f"call_{len(self.calls._modules)}"
        self.calls.add_module(name, call)
        self.new[node] = self.graph.call_module(
            f"{self.calls_name}.{name}", (self.routes[bucket], *(self.new[operand] for operand in operands))
        )

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
                return self.new[operand]
            shape = operand.meta.get("shape", ())
            if not shape or shape[0] != (0, 1):
                raise self._refusal(operand, "passes a parameter of a bucket on without a batch axis")
            return self._call(gather_samples, self._route_of(operand), self.new[operand])

        return _mapped(structure, spread)

    def _is_changed(self, name: str) -> bool:
        return (
            any(
                memory_of(target).op == "get_attr" and str(memory_of(target).target) == name
                for node in self.source.nodes
                for target in node.meta.get("written", ())
            )
            and not self.blueprint.tensors[name].is_trainable
        )

    def _write_back(self) -> None:
        for node in self.source.nodes:
            if node.op == "get_attr" and node in self.dependence.nodes and self._is_changed(str(node.target)):
                self._call(write_back, self.graph.get_attr(str(node.target)), self.new[node], self._route_of(node))

    def _route_of(self, node: fx.Node) -> fx.Node:
        return self.routes[self.dependence.nodes[node]]

    def _call(self, function: Any, *args: Any) -> fx.Node:
        return self.graph.call_function(function, args)

    def _refusal(self, node: fx.Node, what: str) -> ConversionError:
        where = node.meta.get("place") or node.meta.get("scope") or node.name
        return ConversionError(
            f"The step at {where} {what}, so it cannot be run per block. Leave that layer out of the buckets (it is then "
            "shared by all paths)."
        )


def _mapped(structure: Any, change: Any) -> Any:
    """A node's arguments with each node replaced, as plain tuples, lists and dicts."""
    if isinstance(structure, fx.Node):
        return change(structure)
    if isinstance(structure, tuple):
        return tuple(_mapped(part, change) for part in structure)
    if isinstance(structure, list):
        return [_mapped(part, change) for part in structure]
    if isinstance(structure, dict):
        return {key: _mapped(part, change) for key, part in structure.items()}
    if isinstance(structure, slice):
        return slice(*(_mapped(part, change) for part in (structure.start, structure.stop, structure.step)))
    return structure
