"""Blueprint -> JSON: the graph as data, operators by the names of the closed list."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx
from torch.overrides import resolve_name

from rpganify.conversion.operators import function_name
from rpganify.errors import ModelFileError
from rpganify.routing.blueprint import Blueprint

FORMAT = "rpganify model"
FORMAT_VERSION = 1

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
        torch.uint8, torch.bool, torch.complex64, torch.complex128,
    )
}  # fmt: skip
MEMORY_FORMATS = {
    str(form).removeprefix("torch."): form
    for form in (torch.contiguous_format, torch.channels_last, torch.channels_last_3d, torch.preserve_format)
}


def blueprint_to_json(blueprint: Blueprint) -> dict[str, Any]:
    """Plain JSON data; `blueprint_from_json` gives an equal blueprint.

    Raises:
        ModelFileError: the graph calls a function outside the closed list, or holds a value that is no data.
    """
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": blueprint.name,
        "plan": None if blueprint.plan is None else blueprint.plan.to_json(),
        "inputs": [
            {
                "name": spec.name,
                "argument": spec.argument,
                "location": list(spec.location),
                "shape": list(spec.shape),
                "dtype": _dtype_name(spec.dtype),
                "is_latent": spec.is_latent,
            }
            for spec in blueprint.inputs
        ],
        "image": {"location": list(blueprint.image_location), "shape": list(blueprint.image_shape)},
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "parameters": list(layer.parameters),
                "num_parameters": layer.num_parameters,
                "output_shape": list(layer.output_shape),
                "is_norm": layer.is_norm,
            }
            for layer in blueprint.layers
        ],
        "layer_configs": {
            name: {"kind": layer.kind, "config": dict(layer.config)} for name, layer in blueprint.layer_configs.items()
        },
        "tensors": {
            name: {
                "role": spec.role,
                "shape": list(spec.shape),
                "dtype": _dtype_name(spec.dtype),
                "is_trainable": spec.is_trainable,
            }
            for name, spec in blueprint.tensors.items()
        },
        "aliases": dict(blueprint.aliases),
        "graphs": [_graph_to_json(graph) for graph in blueprint.graphs()],
        "provenance": dict(blueprint.provenance),
    }


def foreign_functions(blueprint: Blueprint) -> tuple[str, ...]:
    """The functions in the graphs that are outside the closed list, as `module:name`.

    A model with such functions is written with a pointer to them, and opened only by who trusts its source.
    """
    names = {
        foreign_name(node.target)
        for graph in blueprint.graphs()
        for node in graph.nodes
        if node.op == "call_function" and node.target is not getattr and function_name(node.target) is None
    }
    return tuple(sorted(names))


def foreign_name(function: Any) -> str:
    """Where a function outside the closed list comes from, `module:name`.

    Raises:
        ModelFileError: it is defined inside another function, so that nothing can point to it.
    """
    owner = function.__dict__.get("custom_function", function) if hasattr(function, "__dict__") else function
    full = resolve_name(function)
    if full is not None and full.startswith("torch."):
        return f"torch:{full.removeprefix('torch.')}"
    name, module = getattr(owner, "__qualname__", repr(owner)), getattr(owner, "__module__", None)
    if "<locals>" in name or not module:
        raise ModelFileError(
            f"The generator calls {name}, which is outside the operators that a model file may hold, and which nothing can "
            "point to: it is made inside another function. Define it at the top of its file."
        )
    return f"{module}:{name}"


def _graph_to_json(graph: fx.Graph) -> list[dict[str, Any]]:
    return [_node_to_json(node) for node in graph.nodes]


def _node_to_json(node: fx.Node) -> dict[str, Any]:
    kind, target = _operator_of(node)
    data: dict[str, Any] = {"name": node.name, "op": kind, "target": target}
    if node.op != "placeholder":
        args = node.args[:1] if kind == "property" else node.args
        data["args"] = [_value_to_json(arg, node) for arg in args]
        if node.kwargs:
            data["kwargs"] = {key: _value_to_json(value, node) for key, value in node.kwargs.items()}
    meta = {
        key: node.meta[key] for key in ("shape", "shapes", "size", "scope", "place", "is_inner") if node.meta.get(key)
    }
    if "dtype" in node.meta:
        meta["dtype"] = _dtype_name(node.meta["dtype"])
    if "shape" in node.meta:
        meta["shape"] = node.meta["shape"]
    if "written" in node.meta:
        meta["written"] = [operand.name for operand in node.meta["written"]]
    if meta:
        data["meta"] = meta
    return data


def _operator_of(node: fx.Node) -> tuple[str, str]:
    if node.op == "call_function":
        if node.target is getattr:
            return "property", str(node.args[1])
        name = function_name(node.target)  # type: ignore[arg-type]
        return ("function", name) if name is not None else ("foreign", foreign_name(node.target))
    kinds = {"call_method": "method", "call_module": "layer", "get_attr": "tensor", "placeholder": "input"}
    return kinds.get(node.op, node.op), str(node.target)


def _value_to_json(value: Any, node: fx.Node) -> Any:
    if isinstance(value, fx.Node):
        return {"node": value.name}
    if isinstance(value, tuple):
        return {"tuple": [_value_to_json(part, node) for part in value]}
    if isinstance(value, list):
        return [_value_to_json(part, node) for part in value]
    if isinstance(value, dict):
        return {"dict": {str(key): _value_to_json(part, node) for key, part in value.items()}}
    if isinstance(value, slice):
        return {"slice": [_value_to_json(part, node) for part in (value.start, value.stop, value.step)]}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, torch.dtype):
        return {"dtype": _dtype_name(value)}
    if isinstance(value, torch.memory_format):
        return {"memory_format": str(value).removeprefix("torch.")}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ModelFileError(
        f"The generator passes a {type(value).__name__} to {node.target} ({node.meta.get('place') or node.name}); a model "
        "file holds numbers, strings and tensors only."
    )


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
