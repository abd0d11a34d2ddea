"""Path -> the original architecture with that path's weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from rpganify.conversion.operators import functions
from rpganify.conversion.replication import tensors_by_name
from rpganify.conversion.rewriting import build_standard_generator, find_block_dependence
from rpganify.routing.blueprint import Blueprint, InputSpec
from rpganify.routing.generator import RandomPathGenerator


def extract_tensors(model: RandomPathGenerator, path: Tensor | Sequence[int]) -> dict[str, Tensor]:
    """One path's tensors under the plain generator's names: copies, without the block axis.

    Raises:
        PathError: no such path.
    """
    chosen = model.paths.check(torch.as_tensor(path)[None])[0].tolist()
    stacked = find_block_dependence(model.blueprint, model.plan).tensors
    tensors = tensors_by_name(model)
    return {
        name: (tensors[name][chosen[stacked[name]]] if name in stacked else tensors[name]).detach().clone()
        for name in model.blueprint.tensors
    }


def extract(model: RandomPathGenerator, path: Tensor | Sequence[int]) -> nn.Module:
    """The plain generator of one path: built-in torch modules and a traced forward, no rpganify in it.

    `extract(rp, path)(rp.Z)` equals `rp(path[None])`. Where the original behaves differently in train mode, the module
    holds the program of the mode that `model` is in.

    Args:
        model: the converted generator; not changed, nothing is shared with it.
        path: one block per bucket.
    Raises:
        PathError: no such path.
    """
    blueprint = model.blueprint
    plain = build_standard_generator(blueprint)
    with torch.no_grad():
        values = extract_tensors(model, path)
        for name, tensor in tensors_by_name(plain).items():
            tensor.copy_(values[name])
    graph = blueprint.train_graph if model.training else blueprint.eval_graph
    module = fx.GraphModule(plain, _with_original_signature(blueprint, graph), class_name=blueprint.name)
    _adopt_rest(module, plain)
    return module.to(model.Z.device).train(model.training)


def _with_original_signature(blueprint: Blueprint, graph: fx.Graph) -> fx.Graph:
    """The graph with the arguments that the original's forward had, lists unpacked.

    A tensor inside a list may also be passed by its own name (`**{"styles[0]": z}`).
    """
    new = fx.Graph()
    by_identifier = {spec.identifier: spec for spec in blueprint.inputs}
    mapping: dict[fx.Node, fx.Node] = {}
    nested: dict[str, list[InputSpec]] = {}
    for spec in blueprint.inputs:
        if spec.location:
            nested.setdefault(spec.argument, []).append(spec)
    arguments: dict[str, fx.Node] = {}
    for spec in blueprint.inputs:
        if not spec.location:
            arguments[spec.argument] = new.placeholder(spec.argument)
    for argument, specs in nested.items():
        arguments[argument] = new.placeholder(argument, default_value=_empty_like([s.location for s in specs]))
    rest = new.placeholder("**named") if nested else None
    for node in graph.nodes:
        if node.op == "placeholder" and str(node.target) in by_identifier:
            spec = by_identifier[str(node.target)]
            value = arguments[spec.argument]
            for key in spec.location:
                value = new.call_function(functions()["operator.getitem"], (value, key))
            if spec.location and rest is not None:
                value = new.call_method("get", (rest, spec.name, value))
            mapping[node] = value
        elif node.op == "placeholder":
            # Noise of an extracted generator comes from torch's global random state.
            continue
        else:
            mapping[node] = (
                new.node_copy(node, lambda n: mapping[n]) if not _uses(node, graph) else _without(new, node, mapping)
            )
    new.lint()
    return new


def _uses(node: fx.Node, graph: fx.Graph) -> bool:
    return any(n.op == "placeholder" and n.target == "generator" for n in node.all_input_nodes)


def _without(new: fx.Graph, node: fx.Node, mapping: dict[fx.Node, fx.Node]) -> fx.Node:
    """The node without its `generator` operand."""
    kwargs = {k: v for k, v in node.kwargs.items() if not (isinstance(v, fx.Node) and v.target == "generator")}
    args, kwargs = fx.node.map_arg((node.args, kwargs), lambda n: mapping[n])
    return new.create_node(node.op, node.target, args, kwargs)


def _empty_like(locations: list[tuple[int | str, ...]]) -> Any:
    """A nest of None with these places, the default of a list argument whose parts come by name."""
    if any(isinstance(location[0], str) for location in locations):
        return {}
    return (None,) * (1 + max(int(location[0]) for location in locations))


def _adopt_rest(module: fx.GraphModule, plain: nn.Module) -> None:
    """Tensors that the program does not use belong to the original's state dict all the same."""
    have = set(tensors_by_name(module))
    groups = ((plain.named_parameters(), True), (plain.named_buffers(), False))
    for named, is_parameter in groups:
        for name, tensor in named:
            if name in have:
                continue
            parent: nn.Module = module
            *parts, last = name.split(".")
            for part in parts:
                if part not in parent._modules:
                    parent.add_module(part, nn.Module())
                parent = parent.get_submodule(part)
            if is_parameter:
                parent.register_parameter(last, tensor)  # type: ignore[arg-type]
            else:
                parent.register_buffer(last, tensor)
