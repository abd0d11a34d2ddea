"""A generator's graph, run with all noise that it draws itself held fixed: the same for every call and every sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from rpganify.conversion.operators import OVERWRITES, RANDOM
from rpganify.errors import AnalysisError
from rpganify.structure import map_leaves

# Of all draws these keep or drop values by a mask that does not depend on them.
_MASKS = frozenset({"dropout", "dropout1d", "dropout2d", "dropout3d"})
# Drawn only where the argument `training` says so.
_SWITCHED = _MASKS | {"dropout_", "alpha_dropout", "feature_alpha_dropout", "rrelu"}


@dataclass(frozen=True, slots=True)
class HeldGraph:
    """Runs a generator's graph in eval mode on batches of any size, in one floating-point type.

    Args:
        module: has the tensors and layers that the graph names.
        graph: with the notes that conversion keeps in its nodes; `shape` tells where a tensor's samples lie.
        dtype: of the tensors; constants of the graph that say float32 follow it.
        held: what draws give, of a batch of one; of a dropout its mask.
    """

    module: nn.Module
    graph: fx.Graph
    dtype: torch.dtype
    held: Mapping[fx.Node, Any] = field(default_factory=dict)

    def run(self, given: Mapping[fx.Node, Any], batch: int, until: fx.Node | None = None) -> Any:
        """What the graph returns, or what one of its nodes gives.

        Args:
            given: values of nodes, which are not computed; enough of them that nothing else is needed.
            batch: samples in them.
            until: the node; None is the end.
        """
        (end,) = (node for node in self.graph.nodes if node.op == "output")
        needed = _needed(self.graph, end if until is None else until, given)
        last = {operand: node for node in self.graph.nodes if node in needed for operand in node.all_input_nodes}
        values = dict(given)
        for node in self.graph.nodes:
            if node is end:
                return self._operands(node, values)[0][0]
            if node in needed:
                values[node] = self.value(node, values, batch)
            if until is not None and node is until:
                return values[node]
            for operand in node.all_input_nodes:
                if last.get(operand) is node and operand is not until:
                    del values[operand]
        raise AssertionError("a graph without output")

    def value(self, node: fx.Node, values: Mapping[fx.Node, Any], batch: int) -> Any:
        """What one node gives, from those before it."""
        if node in self.held:
            held = for_batch(node, self.held[node], batch)
            if node.op == "call_method" and _short(node) in OVERWRITES:
                return values[node.all_input_nodes[0]].copy_(held)
            if _short(node) in _MASKS:
                return values[node.all_input_nodes[0]] * held
            return held
        if node.op == "placeholder":
            return None  # the generator of random draws: none is left that takes it
        args, kwargs = self._operands(node, values)
        if node.op == "get_attr":
            return _attribute(self.module, str(node.target))
        if node.op == "call_module":
            return self.module.get_submodule(str(node.target))(*args, **kwargs)
        if node.op == "call_method":
            if node.target == "float":
                return args[0].to(self.dtype)
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        assert callable(node.target)
        return node.target(*args, **kwargs)

    def _operands(self, node: fx.Node, values: Mapping[fx.Node, Any]) -> Any:
        """The arguments of a call, in this graph's type."""

        def typed(argument: Any) -> Any:
            if isinstance(argument, fx.Node):
                return values[argument]
            return self.dtype if argument is torch.float32 else argument

        return map_leaves((node.args, node.kwargs), typed)


def hold_noise(graph: HeldGraph, given: Mapping[fx.Node, Any], seed: int) -> HeldGraph:
    """The graph with every draw replaced by what it gives now, for one sample and under a seed.

    Args:
        graph: holds nothing yet.
        given: a value of each input, of a batch of one.
        seed: of the noise; global random states stay as they are.
    Raises:
        AnalysisError: a draw depends on what the generator makes of its latent, such as a choice by probabilities.
    """
    held: dict[fx.Node, Any] = {}
    values: dict[fx.Node, Any] = dict(given)
    with torch.no_grad(), _seeded(seed, graph.module):
        for node in graph.graph.nodes:
            if node.op == "output":
                break
            if node in values:
                continue
            if not _draws(node):
                values[node] = graph.value(node, values, 1)
                continue
            _check_is_noise(node)
            if _short(node) in _MASKS:
                held[node] = _mask(node, values)
                values[node] = values[node.all_input_nodes[0]] * held[node]
            else:
                values[node] = graph.value(node, values, 1)
                held[node] = values[node].clone()
    return HeldGraph(graph.module, graph.graph, graph.dtype, held)


def for_batch(node: fx.Node, value: Any, batch: int) -> Any:
    """A node's value for one sample, repeated for every sample of a batch; a copy, which may be written to."""
    if not isinstance(value, Tensor):
        return value
    sizes = node.meta.get("shape", ())
    return value.repeat([batch if factor else 1 for factor, _ in sizes]) if sizes else value.clone()


def _needed(graph: fx.Graph, end: fx.Node, given: Mapping[fx.Node, Any]) -> set[fx.Node]:
    """What has to be computed for a node: what it uses, and all that writes in place before it."""
    needed: set[fx.Node] = set()
    wanted, is_before = {end}, False
    for node in reversed(graph.nodes):
        is_before = is_before or node is end
        if is_before and node not in given and (node in wanted or node.meta.get("written")):
            needed.add(node)
            wanted.update(node.all_input_nodes)
    return needed


def _short(node: fx.Node) -> str:
    target = node.target
    return str(target if isinstance(target, str) else getattr(target, "__name__", target)).rpartition(".")[2]


def _draws(node: fx.Node) -> bool:
    if node.op not in ("call_function", "call_method") or _short(node) not in RANDOM:
        return False
    return _short(node) not in _SWITCHED or bool(_argument(node, 2, ("training", "train"), False))


def _argument(node: fx.Node, place: int, names: tuple[str, ...], default: Any) -> Any:
    """An argument that is passed by its place or under one of its names."""
    named = [node.kwargs[name] for name in names if name in node.kwargs]
    return named[0] if named else node.args[place] if len(node.args) > place else default


def _check_is_noise(node: fx.Node) -> None:
    """Refuses draws that depend on values: they would change with the latent.

    Raises:
        AnalysisError: the operation and its line.
    """
    name = _short(node)
    ignored = node.args[0] if name.endswith(("_", "_like")) else None
    depends = any("shape" in operand.meta for operand in node.all_input_nodes if operand is not ignored)
    if name in _MASKS or not (depends or name in _SWITCHED):
        return
    place = node.meta.get("place")
    raise AnalysisError(
        f"The generator draws by {name}{f' ({place})' if place else ''} from values that may depend on its latent. Such "
        "noise cannot be held fixed while the latent moves, and without that images are no function of it. Write it as "
        "fixed noise that is scaled and shifted (mean + std * torch.randn_like(mean)), and convert anew."
    )


def _mask(node: fx.Node, values: Mapping[fx.Node, Any]) -> Tensor:
    share = float(_argument(node, 1, ("p",), 0.5))
    like = torch.ones_like(values[node.all_input_nodes[0]])
    mask: Tensor = getattr(nn.functional, _short(node).removesuffix("_"))(like, share, training=True)
    return mask


def _attribute(module: nn.Module, name: str) -> Any:
    parent, _, last = name.rpartition(".")
    return getattr(module.get_submodule(parent), last)


@contextmanager
def _seeded(seed: int, module: nn.Module) -> Iterator[None]:
    """Inside, torch's global random states come from the seed; afterwards they are what they were."""
    device = next((tensor.device for tensor in (*module.parameters(), *module.buffers())), torch.device("cpu"))
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        if gpus:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
