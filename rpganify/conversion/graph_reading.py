"""JSON -> blueprint. Operators come from the closed list, identifiers are validated, nothing is evaluated."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx

from rpganify.conversion.graph_data import DTYPES, FORMAT, FORMAT_VERSION, MEMORY_FORMATS
from rpganify.conversion.known import is_layer
from rpganify.conversion.operators import METHODS, PROPERTIES, functions
from rpganify.errors import ModelFileError
from rpganify.plan import Plan
from rpganify.routing.blueprint import Blueprint, InputSpec, Layer, LayerConfig, TensorSpec

_DOTTED = re.compile(r"\w+(\.\w+)*")

# Finds a function outside the closed list by what a file calls it, `module:name`.
Resolver = Callable[[str], Callable[..., Any]]


def blueprint_from_json(data: Mapping[str, Any], resolve: Resolver | None = None) -> Blueprint:
    """The blueprint that was written.

    Args:
        resolve: imports the model's own functions, for models that a user trusts; None refuses them.
    Raises:
        ModelFileError: not such a file, from a newer rpganify, damaged, or holding what is not in the closed list.
    """
    if data.get("format") != FORMAT:
        raise ModelFileError(f"graph.json is not of an rpganify model: its format is {data.get('format')!r}.")
    version = data.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ModelFileError(
            f"The model is of format version {version}, and this rpganify reads up to {FORMAT_VERSION}: it was written by "
            "a newer one. `pip install -U rpganify`."
        )
    try:
        return _read(data, resolve)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"graph.json is damaged: {type(error).__name__}: {error}.") from error


def _read(data: Mapping[str, Any], resolve: Resolver | None) -> Blueprint:
    tensors = {
        _dotted(name): TensorSpec(
            str(spec["role"]), _extents(spec["shape"]), _dtype(spec["dtype"]), bool(spec["is_trainable"])
        )
        for name, spec in data["tensors"].items()
    }
    configs = {_dotted(name): _layer_config(spec) for name, spec in data["layer_configs"].items()}
    inputs = tuple(
        InputSpec(
            str(spec["name"]),
            _identifier(spec["argument"]),
            tuple(spec["location"]),
            _extents(spec["shape"]),
            _dtype(spec["dtype"]),
            bool(spec["is_latent"]),
        )
        for spec in data["inputs"]
    )
    graphs = [_GraphReader(graph, tensors, configs, resolve).read() for graph in data["graphs"]]
    layers = tuple(
        Layer(
            str(layer["name"]),
            str(layer["kind"]),
            tuple(_dotted(name) for name in layer["parameters"]),
            int(layer["num_parameters"]),
            tuple(None if extent is None else int(extent) for extent in layer["output_shape"]),
            bool(layer["is_norm"]),
        )
        for layer in data["layers"]
    )
    return Blueprint(
        name=_identifier(data["name"]),
        inputs=inputs,
        eval_graph=graphs[0],
        train_graph=graphs[-1],
        layers=layers,
        layer_configs=configs,
        tensors=tensors,
        aliases={_dotted(name): _dotted(first) for name, first in data["aliases"].items()},
        image_location=tuple(data["image"]["location"]),
        image_shape=_extents(data["image"]["shape"]),
        plan=None if data["plan"] is None else Plan.from_json(data["plan"]),
        provenance=dict(data["provenance"]),
    )


class _GraphReader:
    """Rebuilds one graph from its list of nodes."""

    def __init__(
        self,
        data: list[dict[str, Any]],
        tensors: Mapping[str, TensorSpec],
        layers: Mapping[str, LayerConfig],
        resolve: Resolver | None,
    ) -> None:
        self.data, self.tensors, self.layers, self.resolve = data, tensors, layers, resolve
        self.graph = fx.Graph()
        self.nodes: dict[str, fx.Node] = {}

    def read(self) -> fx.Graph:
        for entry in self.data:
            self._read_node(entry)
        self.graph.lint()
        return self.graph

    def _read_node(self, entry: Mapping[str, Any]) -> None:
        kind, target = entry["op"], entry["target"]
        args = tuple(self._value(part) for part in entry.get("args", ()))
        kwargs = {_identifier(key): self._value(part) for key, part in entry.get("kwargs", {}).items()}
        name = _identifier(entry["name"])
        if kind == "input":
            default = (None,) if target == "generator" else ()
            node = self.graph.create_node("placeholder", _identifier(target), default, {}, name)
        elif kind == "tensor" and target in self.tensors:
            node = self.graph.create_node("get_attr", target, (), {}, name)
        elif kind == "layer" and target in self.layers:
            node = self.graph.create_node("call_module", target, args, kwargs, name)
        elif kind == "method" and target in METHODS:
            node = self.graph.create_node("call_method", target, args, kwargs, name)
        elif kind == "property" and target in PROPERTIES:
            node = self.graph.create_node("call_function", getattr, (args[0], target), {}, name)
        elif kind == "function" and target in functions():
            node = self.graph.create_node("call_function", functions()[target], args, kwargs, name)
        elif kind == "foreign" and self.resolve is not None:
            node = self.graph.create_node("call_function", self.resolve(target), args, kwargs, name)
        elif kind == "foreign":
            raise ModelFileError(
                f"The model calls {target}, a function of its source. Opening it would run that code, so it is opened only on "
                "demand: `--trust-source`, or rpganify.load(…, trust_source=True)."
            )
        elif kind == "output":
            node = self.graph.output(args[0])
        else:
            raise ModelFileError(
                f"graph.json asks for the {kind} {target!r}, which is not among the operators that a model may hold. The "
                "file is damaged, or was not written by rpganify."
            )
        self.nodes[entry["name"]] = node
        self._read_meta(node, entry.get("meta", {}))

    def _read_meta(self, node: fx.Node, meta: Mapping[str, Any]) -> None:
        if "shape" in meta:
            node.meta["shape"] = _sizes(meta["shape"])
        if "shapes" in meta:
            node.meta["shapes"] = tuple(None if shape is None else _sizes(shape) for shape in meta["shapes"])
        if "size" in meta:
            factor, rest = meta["size"]
            node.meta["size"] = (int(factor), int(rest))
        if "is_inner" in meta:
            node.meta["is_inner"] = bool(meta["is_inner"])
        if "dtype" in meta:
            node.meta["dtype"] = _dtype(meta["dtype"])
        if "written" in meta:
            node.meta["written"] = tuple(self.nodes[name] for name in meta["written"])
        for key in ("scope", "place"):
            if key in meta:
                node.meta[key] = str(meta[key])

    def _value(self, data: Any) -> Any:
        if isinstance(data, list):
            return [self._value(part) for part in data]
        if not isinstance(data, dict):
            return data
        ((key, content),) = data.items()
        if key == "node":
            return self.nodes[content]
        if key == "tuple":
            return tuple(self._value(part) for part in content)
        if key == "dict":
            return {name: self._value(part) for name, part in content.items()}
        if key == "slice":
            return slice(*(self._value(part) for part in content))
        if key == "ellipsis":
            return ...
        if key == "dtype":
            return _dtype(content)
        if key == "memory_format":
            return MEMORY_FORMATS[content]
        if key == "float":
            return float(content)
        if key == "complex":
            return complex(*content)
        raise ModelFileError(f"graph.json holds a value of unknown kind {key!r}.")


def _sizes(data: Any) -> tuple[tuple[int, int], ...]:
    return tuple((int(factor), int(rest)) for factor, rest in data)


def _extents(data: Any) -> tuple[int, ...]:
    extents = tuple(int(extent) for extent in data)
    if any(extent < 0 for extent in extents):
        raise ModelFileError(f"graph.json holds an impossible shape {extents}.")
    return extents


def _layer_config(spec: Mapping[str, Any]) -> LayerConfig:
    if not isinstance(spec["kind"], str) or not is_layer(spec["kind"]):
        raise ModelFileError(
            f"graph.json asks for a layer {spec['kind']!r}, which is neither built in nor offered by a plugin that is "
            "installed. If the model was made with a plugin, install that first (`rpganify plugins` lists them)."
        )
    return LayerConfig(spec["kind"], {_identifier(name): value for name, value in spec["config"].items()})


def _identifier(name: Any) -> str:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ModelFileError(f"graph.json holds {name!r} where a name is needed.")
    return name


def _dotted(name: Any) -> str:
    if not isinstance(name, str) or not _DOTTED.fullmatch(name):
        raise ModelFileError(f"graph.json holds {name!r} where the name of a layer or tensor is needed.")
    return name


def _dtype(name: Any) -> torch.dtype:
    if name not in DTYPES:
        raise ModelFileError(f"graph.json names a type {name!r}, which a model cannot hold.")
    return DTYPES[name]
