"""Which operations treat every sample by itself, so that a batch may be sorted, or cut, before them.

What is not listed here is no worse off: it runs on the whole batch in its original order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import fx

from rpganify.conversion.dependence import carries_batch
from rpganify.conversion.known import KNOWN
from rpganify.conversion.operators import MAYBE_VIEWS
from rpganify.routing.blueprint import LayerConfig

# One value from the values at the same place.
_ELEMENTWISE = frozenset(
    """
    abs add addcmul celu clamp clamp_max clamp_min clip cos div divide elu erf exp expm1 gelu hardshrink hardsigmoid
    hardswish hardtanh leaky_relu lerp log log1p logsigmoid maximum minimum mish mul multiply neg negative pow
    reciprocal relu relu6 rsqrt rsub selu sigmoid sign silu sin softplus softshrink softsign sqrt square sub subtract
    tanh tanhshrink threshold true_divide
    """.split()
)

# Pictures to pictures, features to features; what they take besides are weights.
_WEIGHTED = frozenset(
    """
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d avg_pool1d avg_pool2d avg_pool3d conv1d conv2d conv3d
    conv_transpose1d conv_transpose2d conv_transpose3d group_norm interpolate layer_norm linear pad pixel_shuffle
    pixel_unshuffle rms_norm upsample
    """.split()
)

# Where samples stay first, these have not mixed them: sums over other axes, other orders of axes, products per sample.
_SHAPED = frozenset("amax amin bmm cat concat contiguous mean permute std sum transpose unsqueeze var".split())

# Along one axis, which is the argument after the tensor, or `dim`.
_ALONG_AN_AXIS = frozenset("log_softmax softmax".split())

# Another shape of each sample.
_RESHAPES = frozenset("view reshape flatten".split())

# Built-in layers that mix the samples of a batch, at least in training.
_MIXING_LAYERS = ("BatchNorm", "InstanceNorm")


class SamplewiseOperations:
    """What may be done to the order of the samples around each operation of a plain generator's graph.

    Args:
        graph: the generator's program.
        layer_configs: the built-in layers that it calls, by name.
    """

    def __init__(self, graph: fx.Graph, layer_configs: Mapping[str, LayerConfig]) -> None:
        self._layer_configs = layer_configs
        roots = {_memory_of(target) for node in graph.nodes for target in node.meta.get("written", ())}
        self._written = {node for node in graph.nodes if _memory_of(node) in roots} if roots else set()

    def is_written(self, node: fx.Node) -> bool:
        """Whether some operation changes the memory that a node shows, or may show."""
        return node in self._written

    def is_separable(self, node: fx.Node) -> bool:
        """Whether each sample of the result comes from the same sample of the operands alone."""
        if not self._keeps_places(node):
            return False
        if node.op == "call_module":
            config = self._layer_configs.get(str(node.target))
            return config is not None and config.kind in KNOWN and not config.kind.startswith(_MIXING_LAYERS)
        if node.op not in ("call_function", "call_method"):
            return False
        name = _operation_name(node)
        if name in _RESHAPES:
            # The batch stays first, and nothing but its size may be computed.
            return all(operand.meta.get("size", (1, 0)) == (1, 0) for operand in node.all_input_nodes)
        if any("size" in operand.meta for operand in node.all_input_nodes):
            return False
        if name in _ELEMENTWISE:
            return all(_lies_along(operand, node) for operand in node.all_input_nodes)
        if name in _SHAPED:
            return all(carries_batch(operand) for operand in node.all_input_nodes)
        if name in _ALONG_AN_AXIS:
            axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
            return isinstance(axis, int) and axis % len(node.meta["shape"]) != 0
        given = node.args[0] if node.args else node.kwargs.get("input")
        return name in _WEIGHTED and all(
            operand is given or ("shape" in operand.meta and not carries_batch(operand))
            for operand in node.all_input_nodes
        )

    def is_reorderable(self, node: fx.Node) -> bool:
        """Whether the samples of the operands may lie in any order, and those of the result then lie so too."""
        if node.op == "call_module":
            config = self._layer_configs.get(str(node.target))
            return config is not None and config.kind in KNOWN and self._keeps_places(node)
        return self.is_separable(node)

    def call(self, node: fx.Node) -> tuple[str, Any, tuple[Any, ...], dict[str, Any]]:
        """Operation, target and arguments of a separable node, as they suit any part of the batch.

        Another shape is spelt without the batch size.
        """
        if _operation_name(node) in _RESHAPES:
            return "call_method", "reshape", (node.args[0], -1, *(size for _, size in node.meta["shape"][1:])), {}
        return node.op, node.target, node.args, dict(node.kwargs)

    def _keeps_places(self, node: fx.Node) -> bool:
        """Whether result and batched operands have the samples, and nothing else, as their first axis."""
        if node.meta.get("written"):
            return False
        operands = [operand for operand in node.all_input_nodes if carries_batch(operand)]
        return bool(operands) and has_samples_first(node) and all(map(has_samples_first, operands))


def has_samples_first(node: fx.Node) -> bool:
    """Whether a node is one tensor whose first axis, alone, is the batch."""
    shape = node.meta.get("shape", ())
    return shape[:1] == ((1, 0),) and not any(factor for factor, _ in shape[1:])


def values_per_sample(node: fx.Node) -> int:
    """Numbers in one sample of a node's tensor."""
    return math.prod(size for _, size in node.meta["shape"][1:])


def _operation_name(node: fx.Node) -> str:
    """`mul` for the method, the function and the operator of that name."""
    name = node.target if isinstance(node.target, str) else str(getattr(node.target, "__name__", ""))
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
    return "div" if name == "truediv" else name


def _memory_of(node: fx.Node) -> fx.Node:
    """The node whose memory a node shows, or may show."""
    while node.op in ("call_method", "call_function"):
        if node.meta.get("written"):
            node = node.meta["written"][0]
            continue
        name = str(node.args[1]) if node.target is getattr else getattr(node.target, "__name__", str(node.target))
        if name not in MAYBE_VIEWS or not node.args or not isinstance(node.args[0], fx.Node):
            break
        node = node.args[0]
    return node


def _lies_along(operand: fx.Node, node: fx.Node) -> bool:
    """Whether an operand's axes meet the result's one by one, so that its first, if it has as many, is the batch."""
    if "shape" not in operand.meta:
        return False
    rank, whole = len(operand.meta["shape"]), len(node.meta["shape"])
    if carries_batch(operand):
        return rank == whole
    return rank < whole or operand.meta["shape"][0] == (0, 1)
