"""The stretch of a generator from one linear layer to another, and whether all on it is linear."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NoReturn

from torch import fx

from rpganify.conversion.samplewise import has_samples_first
from rpganify.errors import ConversionError
from rpganify.routing.blueprint import Blueprint, LayerConfig
from rpganify.surgery.graphs import operation_name, place_of

# Give back the values that they are given, in whatever shape.
RESHAPING = frozenset("view reshape flatten unflatten contiguous clone squeeze unsqueeze identity".split())
# Sums of the values of one sample, with weights that are not learned.
MIXING = frozenset("interpolate upsample pixel_shuffle pixel_unshuffle avg_pool1d avg_pool2d avg_pool3d".split())
_WEIGHTED = ("Linear", *(f"{kind}{n}d" for kind in ("Conv", "ConvTranspose", "BatchNorm") for n in (1, 2, 3)))
_WEIGHTED_FUNCTIONS = frozenset(
    "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d batch_norm".split()
)


@dataclass(frozen=True, slots=True)
class Step:
    """One node of a chain.

    Args:
        node: a layer's, or a function's.
        name: of the layer or the function.
        layer: of a layer, None of a function.
        shape_in, shape_out: of one sample.
        has_samples: whether input and result have the samples, and nothing else, as their first axis.
    """

    node: fx.Node
    name: str
    layer: LayerConfig | None
    shape_in: tuple[int, ...]
    shape_out: tuple[int, ...]
    has_samples: bool

    @property
    def does_nothing(self) -> bool:
        """Whether it gives back its input as it is."""
        (before,) = self.node.all_input_nodes[:1]
        is_same = before.meta.get("shape") == self.node.meta.get("shape")
        return self.layer is None and self.name in RESHAPING and is_same

    def is_like(self, other: Step) -> bool:
        """Whether the other, of another program of the same generator, does the same."""
        fixed = [[arg for arg in step.node.args if not isinstance(arg, fx.Node)] for step in (self, other)]
        options = [{k: v for k, v in step.node.kwargs.items() if not isinstance(v, fx.Node)} for step in (self, other)]
        return (
            (self.name, self.shape_in, self.shape_out) == (other.name, other.shape_in, other.shape_out)
            and fixed[0] == fixed[1]
            and options[0] == options[1]
        )


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps that follow each other, each the only reader of the one before; the first and the last are layers."""

    steps: tuple[Step, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers on it, in order."""
        return tuple(step.name for step in self.steps if step.layer is not None)

    @property
    def start(self) -> fx.Node:
        """What enters the first step."""
        return self.steps[0].node.all_input_nodes[0]


def find_chain(graph: fx.Graph, blueprint: Blueprint, wanted: Collection[str]) -> Chain:
    """The chain that all wanted layers are on.

    Args:
        graph: one of the blueprint's.
        wanted: names of layers; shared layers between them join the chain.
    Raises:
        ConversionError: one of them, or something between them, is not linear; or the way forks.
    """
    _check_wanted(blueprint, wanted)
    _check_called_once(graph, wanted)
    ends = [node for node in graph.nodes if node.op == "call_module" and str(node.target) in wanted]
    nodes = [ends[0]]
    while nodes[-1] is not ends[-1]:
        nodes.append(_next(nodes[-1]))
        _check(nodes[-1], nodes[-2], blueprint)
    _check_called_once(graph, [str(node.target) for node in nodes if node.op == "call_module"])
    names = [str(node.target) for node in nodes]
    if missing := [name for name in wanted if name not in names]:
        raise ConversionError(
            f"{missing[0]} is not on the way from {names[0]} to {names[-1]}: the layers to merge have to follow each other."
        )
    return Chain(tuple(_step(node, blueprint) for node in nodes))


def check_alike(chain: Chain, others: Sequence[Chain]) -> None:
    """Refuses a chain that is another one in train mode, as one new layer could not stand for both.

    Raises:
        ConversionError: they differ.
    """
    for other in others:
        is_alike = len(chain.steps) == len(other.steps) and all(
            one.is_like(two) for one, two in zip(chain.steps, other.steps, strict=True)
        )
        if not is_alike:
            raise ConversionError(
                f"Between {chain.layers[0]} and {chain.layers[-1]} the generator does something else in train mode than in "
                "eval mode, so one layer cannot stand for both. Merge buckets on one side of it."
            )


def _check_wanted(blueprint: Blueprint, wanted: Collection[str]) -> None:
    for name in wanted:
        config = blueprint.layer_configs.get(name)
        if config is None:
            raise ConversionError(
                f"{name} is computed by functions, such as those of a spectral norm or of a class of its own, and not by a "
                "built-in layer whose weight could be multiplied. Leave its bucket out."
            )
        _check_layer(name, config, "Leave its bucket out.")


def _check_called_once(graph: fx.Graph, layers: Collection[str]) -> None:
    for name in layers:
        count = sum(node.op == "call_module" and str(node.target) == name for node in graph.nodes)
        if count != 1:
            raise ConversionError(
                f"{name} is called {count} times in the forward pass, so one product cannot stand for it. Leave its bucket out."
            )


def _next(node: fx.Node) -> fx.Node:
    users = list(node.users)
    if len(users) != 1:
        names = ", ".join(operation_name(user) for user in users)
        raise ConversionError(
            f"The result of {operation_name(node)}{place_of(node)} is used {len(users)} times ({names}): by a skip connection, "
            "or as an output. One layer cannot give both. Merge buckets on one side of it."
        )
    return users[0]


def _check(node: fx.Node, before: fx.Node, blueprint: Blueprint) -> None:
    """Refuses what is not linear in one value, or not told by a layer."""
    name, others = operation_name(node), [one for one in node.all_input_nodes if one is not before]
    if node.op == "call_module" and name in blueprint.layer_configs:
        _check_layer(name, blueprint.layer_configs[name], "Merge buckets on one side of it.")
        return
    is_call = node.op in ("call_function", "call_method")
    if is_call and name in RESHAPING and all("size" in one.meta for one in others):
        is_same = node.meta.get("shape") == before.meta.get("shape")
        if is_same or (has_samples_first(node) and has_samples_first(before)):
            return
        _refuse(node, before, "which mixes the samples with other axes", "Merge buckets on one side of it.")
    if is_call and name in MIXING and not others and has_samples_first(node) and has_samples_first(before):
        return
    if name in _WEIGHTED_FUNCTIONS:
        _refuse(
            node, before, "whose weight is computed in the forward pass (a spectral norm does that), not a layer's",
            "Merge buckets on one side of it.",
        )  # fmt: skip
    _refuse(
        node, before, "which no matrix can stand for",
        "`rpganify linearize` replaces activations by the identity; train such a model, then merge.",
    )  # fmt: skip


def _check_layer(name: str, config: LayerConfig, way_out: str) -> None:
    if config.kind not in _WEIGHTED:
        if "Norm" in config.kind:
            why = "takes its statistics from each sample, so that it is no matrix"
        else:
            why = "is none of those that can be multiplied: linear layers, convolutions, and batch norms between them"
        raise ConversionError(f"{name} ({config.kind}) {why}. {way_out}")
    if "BatchNorm" in config.kind and not config.config["track_running_stats"]:
        raise ConversionError(
            f"{name} ({config.kind}) takes its statistics from each batch, so that it is no matrix. {way_out}"
        )


def _refuse(node: fx.Node, before: fx.Node, why: str, way_out: str) -> NoReturn:
    raise ConversionError(
        f"Behind {operation_name(before)} is {operation_name(node)}{place_of(node)}, {why}. {way_out}"
    )


def _step(node: fx.Node, blueprint: Blueprint) -> Step:
    before = node.all_input_nodes[0]
    shapes = [tuple(rest for _, rest in one.meta.get("shape", ())[1:]) for one in (before, node)]
    layer = blueprint.layer_configs.get(str(node.target)) if node.op == "call_module" else None
    has_samples = has_samples_first(before) and has_samples_first(node)
    return Step(node, operation_name(node), layer, shapes[0], shapes[1], has_samples)
