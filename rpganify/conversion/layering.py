"""Trace -> blueprint: the layer table, the tensors and where the images are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, fx, nn

from rpganify.conversion.inputs import Example
from rpganify.conversion.known import is_norm, layer_config
from rpganify.conversion.record import state_tensors
from rpganify.conversion.tracing import Trace
from rpganify.errors import ConversionError
from rpganify.routing.blueprint import Blueprint, Layer, LayerConfig, TensorSpec
from rpganify.structure import leaves_with_location, location_text

_NORM_FUNCTIONS = ("batch_norm", "instance_norm", "layer_norm", "group_norm", "rms_norm")
_NORM_NAME = re.compile(r"(batch|layer|instance|group|rms)_?norm", re.IGNORECASE)
_PARAMETRIZED = re.compile(r"\.?parametrizations\.(\w+)\..*$")


def make_blueprint(
    generator: nn.Module, trace: Trace, example: Example, image: str | None, image_shape: tuple[int, ...] | None
) -> Blueprint:
    """Everything about the traced generator but its tensors' values.

    Args:
        image: where in the output the images are, as `[1]` or `['fake']`; None finds them.
        image_shape: shape of one image where the generator returns them flat.
    Raises:
        ConversionError: the output holds no images.
    """
    state = state_tensors(generator)
    first_names = {id(tensor): name for name, tensor in state.items()}
    graphs = (trace.eval_graph,) if trace.train_graph is trace.eval_graph else (trace.eval_graph, trace.train_graph)
    modules = dict(generator.named_modules(remove_duplicate=False))
    configs = {str(node.target): layer_config(modules[str(node.target)]) for node in _nodes(graphs, "call_module")}
    layers = _layer_table(generator, graphs, configs, modules, first_names)
    tensors = _tensor_specs(generator, state, trace.constants, graphs)
    aliases = {
        name: first_names[id(tensor)]
        for name, tensor in generator.state_dict(keep_vars=True).items()
        if isinstance(tensor, Tensor) and first_names.get(id(tensor), name) != name
    }
    if not layers:
        raise ConversionError(
            f"{type(generator).__name__} has no layer with parameters on the way from its latent to its images, so there is "
            "nothing to make blocks of. Name the class that holds the layers (`my_gan.py:Class`)."
        )
    location, shape = _find_images(generator, trace.eval_graph, image)
    return Blueprint(
        name=type(generator).__name__,
        inputs=example.specs,
        eval_graph=trace.eval_graph,
        train_graph=trace.train_graph,
        layers=layers,
        layer_configs=configs,
        tensors=tensors,
        aliases=aliases,
        image_location=location,
        image_shape=_reshaped(shape, image_shape),
        provenance={"notes": list(trace.notes)},
    )


def _nodes(graphs: tuple[fx.Graph, ...], op: str) -> Iterator[fx.Node]:
    for graph in graphs:
        yield from (node for node in graph.nodes if node.op == op)


def owner_of(tensor_name: str) -> str:
    """Name of the module that a tensor belongs to, seen through parametrizations: `fc.weight_orig` -> `fc`."""
    return _PARAMETRIZED.sub("", tensor_name) if _PARAMETRIZED.search(tensor_name) else tensor_name.rpartition(".")[0]


def _layer_table(
    generator: nn.Module,
    graphs: tuple[fx.Graph, ...],
    configs: Mapping[str, LayerConfig],
    modules: Mapping[str, nn.Module],
    first_names: Mapping[int, str],
) -> tuple[Layer, ...]:
    parameters = {name for name, p in state_tensors(generator).items() if isinstance(p, nn.Parameter)}
    sizes = {name: p.numel() for name, p in generator.named_parameters(remove_duplicate=False)}
    owned: dict[str, list[str]] = {}
    shapes: dict[str, tuple[int | None, ...]] = {}
    norms: set[str] = set()
    for graph in graphs:
        for node in graph.nodes:
            name = str(node.target)
            if node.op == "call_module":
                tensors = {local: p for local, p in modules[name].named_parameters() if p is not None}
                if tensors:
                    owned.setdefault(name, [first_names[id(p)] for p in tensors.values()])
                    shapes.setdefault(name, _shape_of(node))
                    if is_norm(configs[name].kind):
                        norms.add(name)
            elif node.op == "get_attr" and name in parameters:
                owner = owner_of(name)
                names = owned.setdefault(owner, [])
                if name not in names:
                    names.append(name)
                if _feeds_a_norm(node):
                    norms.add(owner)
            scope = node.meta.get("scope")
            if scope in owned and scope not in configs and "shape" in node.meta and node.op != "get_attr":
                shapes[scope] = _shape_of(node)
    table: list[Layer] = []
    for name, names in owned.items():
        kind = type(modules[name]).__name__.removeprefix("Parametrized") if name in modules else "Parameter"
        is_normalising = name in norms or (name not in configs and bool(_NORM_NAME.search(kind)))
        num = sum(sizes[one] for one in names)
        table.append(Layer(name, kind, tuple(names), num, shapes.get(name, ()), is_normalising))
    return tuple(table)


def _shape_of(node: fx.Node) -> tuple[int | None, ...]:
    return tuple(None if factor else rest for factor, rest in node.meta.get("shape", ()))


def _feeds_a_norm(node: fx.Node) -> bool:
    """Whether a parameter is the weight or bias of a normalisation function."""
    return any(
        user.op == "call_function" and getattr(user.target, "__name__", "") in _NORM_FUNCTIONS for user in node.users
    )


def _tensor_specs(
    generator: nn.Module, state: Mapping[str, Tensor], constants: Mapping[str, Tensor], graphs: tuple[fx.Graph, ...]
) -> dict[str, TensorSpec]:
    """All that the state dict holds, and of the rest what the graphs use."""
    in_state_dict = {id(t) for t in generator.state_dict(keep_vars=True).values()}
    used = {str(node.target) for node in _nodes(graphs, "get_attr")}
    layers = {str(node.target) for node in _nodes(graphs, "call_module")}
    specs: dict[str, TensorSpec] = {}
    for name, tensor in [*state.items(), *constants.items()]:
        if isinstance(tensor, nn.Parameter):
            role = "parameter"
        elif id(tensor) in in_state_dict:
            role = "buffer"
        elif name in used or name.rpartition(".")[0] in layers:
            role = "hidden"
        else:
            continue
        specs[name] = TensorSpec(role, tuple(tensor.shape), tensor.dtype, role == "parameter" and tensor.requires_grad)
    return specs


def _find_images(
    generator: nn.Module, graph: fx.Graph, image: str | None
) -> tuple[tuple[int | str, ...], tuple[int, ...]]:
    """Where the images are in the output, and the shape of one."""
    outputs = next(node for node in graph.nodes if node.op == "output").args[0]
    candidates: list[tuple[tuple[int | str, ...], tuple[int, ...]]] = []
    for location, leaf in leaves_with_location(outputs):
        shape: tuple[tuple[int, int], ...] = leaf.meta.get("shape", ()) if isinstance(leaf, fx.Node) else ()
        per_sample = len(shape) >= 2 and shape[0] == (1, 0) and all(factor == 0 for factor, _ in shape[1:])
        if per_sample and leaf.meta["dtype"].is_floating_point:
            candidates.append((location, tuple(rest for _, rest in shape[1:])))
    if not candidates:
        raise ConversionError(
            f"{type(generator).__name__} returns no image: among its outputs is no floating-point tensor of shape "
            "(N, …) with one entry per sample. Name the class or method that makes the images (`my_gan.py:Model.decode`)."
        )
    if image is not None:
        chosen = [candidate for candidate in candidates if location_text(candidate[0]) == image]
        if not chosen:
            offered = ", ".join(location_text(location) or "the output itself" for location, _ in candidates)
            raise ConversionError(f"There is no output {image!r}; images could be {offered}.")
        return chosen[0]
    return max(candidates, key=lambda candidate: _image_likeness(*candidate))


def _image_likeness(location: tuple[int | str, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    is_picture = len(shape) == 3 and shape[0] in (1, 3, 4)
    is_named = any(re.search(r"image|img|fake|rgb|sample", str(key)) for key in location)
    size = 1
    for extent in shape[1:]:
        size *= extent
    return (is_picture, len(shape) == 3, len(shape) >= 2, is_named, size)


def _reshaped(shape: tuple[int, ...], wanted: tuple[int, ...] | None) -> tuple[int, ...]:
    if wanted is None:
        return shape
    if torch.Size(wanted).numel() != torch.Size(shape).numel():
        raise ConversionError(
            f"The generator returns {torch.Size(shape).numel()} values per sample, shape {shape}; that is no image of "
            f"shape {wanted}."
        )
    return wanted
