"""Path -> the original architecture with that path's weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor, fx, nn

from rpganify.conversion.building import actual_blueprint, build_standard_generator
from rpganify.conversion.dependence import find_block_dependence
from rpganify.conversion.operators import functions
from rpganify.conversion.replication import fill_tensors, tensors_by_name
from rpganify.routing.blueprint import Blueprint, InputSpec
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator


def extract_tensors(model: RandomPathGenerator, path: Tensor | Sequence[int]) -> dict[str, Tensor]:
    """One path's state dict: it loads, strictly, into the original class.

    Args:
        model: the converted generator.
        path: one block per bucket.
    Returns:
        Copies of the path's parameters and buffers under the original's names, without the block axis.
    Raises:
        PathError: no such path.
    """
    blueprint, values = model.blueprint, _path_tensors(model, path)
    state = {name: values[name] for name, spec in blueprint.tensors.items() if spec.role != "hidden"}
    return state | {alias: values[first] for alias, first in blueprint.aliases.items()}


def _refuse_pickle(module: nn.Module) -> NoReturn:
    raise TypeError(
        "An extracted generator cannot be pickled as a whole. Save its state_dict(), which loads into the original class, or "
        "`rpganify.save` the model it came from."
    )


def _path_tensors(model: RandomPathGenerator, path: Tensor | Sequence[int]) -> dict[str, Tensor]:
    """All tensors of one path, also those that the original's state dict leaves out."""
    chosen = model.paths.check(torch.as_tensor(path)[None])[0].tolist()
    stacked = find_block_dependence(model.blueprint, model.plan).tensors
    tensors = tensors_by_name(model)
    return {
        name: (tensors[name][chosen[stacked[name]]] if name in stacked else tensors[name]).detach().clone()
        for name in model.blueprint.tensors
    }


def extract(model: RandomPathGenerator, path: Tensor | Sequence[int]) -> nn.Module:
    """The plain generator of one path: built-in torch modules and a traced forward, no rpganify in it.

    `extract(rp, path)(rp.latent_of(path))` equals `rp(path[None])`; with one Z, `latent_of` gives `rp.Z`. Where the original
    behaves differently in train mode, the module holds the program of the mode that `model` is in.

    Args:
        model: the converted generator; not changed, nothing is shared with it.
        path: one block per bucket.
    Raises:
        PathError: no such path.
    """
    module = _as_module(actual_blueprint(model), _path_tensors(model, path), model.training)
    return module.to(model.Z.device)


def unwrap(model: StandardGenerator) -> nn.Module:
    """The generator inside a standard one, as `extract` gives that of a path: no rpganify in it.

    `unwrap(model)(z)` equals `model(z)`.

    Args:
        model: not changed, nothing is shared with it.
    """
    tensors = {name: tensor.detach() for name, tensor in tensors_by_name(model).items()}
    device = next((tensor.device for tensor in tensors.values()), torch.device("cpu"))
    return _as_module(actual_blueprint(model), tensors, model.training).to(device)


def _as_module(blueprint: Blueprint, tensors: Mapping[str, Tensor], is_training: bool) -> nn.Module:
    """Built-in torch modules with these tensors, and the traced forward of one mode."""
    plain = build_standard_generator(blueprint)
    fill_tensors(plain, tensors)
    graph = blueprint.train_graph if is_training else blueprint.eval_graph
    module = fx.GraphModule(plain._tensors, _with_original_signature(blueprint, graph), class_name=blueprint.name)
    _complete_state(module, plain, blueprint)
    # torch pickles a graph module by tracing its code anew, which loses what it writes in place.
    type(module).__reduce__ = _refuse_pickle  # type: ignore[method-assign,assignment]
    return module.train(is_training)


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


def _complete_state(module: fx.GraphModule, plain: nn.Module, blueprint: Blueprint) -> None:
    """Gives the module the original's state dict: what the program does not use, further names, nothing hidden."""
    tensors, have = tensors_by_name(plain), set(tensors_by_name(module))
    named = {name: name for name in blueprint.tensors if name not in have} | dict(blueprint.aliases)
    for name, first in named.items():
        parent, last = _parent_of(module, name), name.rpartition(".")[2]
        if last in parent._parameters or last in parent._buffers:
            continue
        tensor = tensors[first]
        if isinstance(tensor, nn.Parameter):
            parent.register_parameter(last, tensor)
        else:
            parent.register_buffer(last, tensor)
    for name, spec in blueprint.tensors.items():
        if spec.role == "hidden":
            _parent_of(module, name)._non_persistent_buffers_set.add(name.rpartition(".")[2])


def _parent_of(module: nn.Module, name: str) -> nn.Module:
    for part in name.split(".")[:-1]:
        if part not in module._modules:
            module.add_module(part, nn.Module())
        module = module.get_submodule(part)
    return module
