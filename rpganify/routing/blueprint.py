"""What a converted generator is made of, without its tensors: the content of `graph.json`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx

from rpganify.plan import FIXED_INPUT, Plan


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One tensor that the forward pass takes.

    Args:
        name: as the user says it: `z`, `styles[0]`.
        argument: the argument of forward that it is, or is part of: `styles`.
        location: where in that argument; empty for the whole.
        shape: of one sample, without the batch axis.
        dtype: e.g. `torch.float32`.
        is_latent: whether the learned `Z` takes its place.
    """

    name: str
    argument: str
    location: tuple[int | str, ...]
    shape: tuple[int, ...]
    dtype: torch.dtype
    is_latent: bool

    @property
    def identifier(self) -> str:
        """The name as a Python identifier: `styles_0`."""
        return re.sub(r"\W+", "_", self.name).strip("_")


@dataclass(frozen=True, slots=True)
class Layer:
    """A parametric module of the traced generator.

    Args:
        name: dotted name in the generator; empty for parameters of the generator itself.
        kind: class name, e.g. `Conv2d`.
        parameters: names of its tensors that become blocks, in full (`block2.c1.weight`).
        num_parameters: values in them.
        output_shape: of its first result, batch axis as None; empty where it has none of its own.
        is_norm: a normalisation layer; shared by all paths unless asked otherwise.
    """

    name: str
    kind: str
    parameters: tuple[str, ...]
    num_parameters: int
    output_shape: tuple[int | None, ...]
    is_norm: bool


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """Kind and constructor values of a built-in layer that the graph calls as a whole."""

    kind: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor of the plain generator.

    Args:
        role: "parameter"; "buffer", in the state dict; or "hidden", a tensor that the state dict leaves out.
        shape, dtype: of one block.
        is_trainable: whether the author lets it require gradients.
    """

    role: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    is_trainable: bool = False


@dataclass(frozen=True, slots=True)
class Blueprint:
    """Everything but the tensors.

    Args:
        name: class of the original generator.
        inputs: the tensors that its forward takes, in order.
        eval_graph, train_graph: the plain generator's program in each mode; the same object where equal.
        layers: the layer table, in order of first use.
        layer_configs: built-in layers that the graphs call, by name.
        tensors: parameters, buffers and constants by name; each under its first name.
        aliases: further names of the same tensors in the original's state dict -> first name.
        image_location: where in the output the images are; empty for the output itself.
        image_shape: of one image, `(C, H, W)`, or whatever one sample of the output is.
        plan: buckets and blocks; None for a plain generator.
        provenance: where it came from and how it was made; plain JSON data.
    """

    name: str
    inputs: tuple[InputSpec, ...]
    eval_graph: fx.Graph
    train_graph: fx.Graph
    layers: tuple[Layer, ...]
    layer_configs: Mapping[str, LayerConfig]
    tensors: Mapping[str, TensorSpec]
    aliases: Mapping[str, str]
    image_location: tuple[int | str, ...]
    image_shape: tuple[int, ...]
    plan: Plan | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __deepcopy__(self, memo: dict[int, Any]) -> Blueprint:
        # Immutable, so copies of a model share it; and a copied graph's notes would speak of the nodes of the first.
        return self

    @property
    def latent(self) -> InputSpec:
        """The input that `Z` replaces."""
        return next(spec for spec in self.inputs if spec.is_latent)

    def with_plan(self, plan: Plan) -> Blueprint:
        """The blueprint under another plan; the fixed input is a layer where the plan has it in a bucket."""
        layers = tuple(layer for layer in self.layers if layer.name != FIXED_INPUT)
        if plan.bucket_of(FIXED_INPUT) is not None:
            shape = self.latent.shape
            layers = (Layer(FIXED_INPUT, "Input", (FIXED_INPUT,), math.prod(shape), (None, *shape), False), *layers)
        return replace(self, plan=plan, layers=layers)

    def graphs(self) -> tuple[fx.Graph, ...]:
        """The different programs, one or two."""
        return (self.eval_graph,) if self.train_graph is self.eval_graph else (self.eval_graph, self.train_graph)
