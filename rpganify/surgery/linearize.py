"""Nonlinearities replaced by the identity."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import fx

from rpganify.conversion.building import actual_blueprint
from rpganify.errors import ConversionError
from rpganify.modelfile import Model
from rpganify.plan import Plan
from rpganify.routing.blueprint import Blueprint
from rpganify.surgery.graphs import mapped_graphs, operation_name, place_of, rebuilt, without_layers, written_anew
from rpganify.surgery.restack import SURGERY

# Functions of one value at a time; their first operand is what they are applied to.
ACTIVATIONS = frozenset(
    """
    relu relu_ relu6 leaky_relu leaky_relu_ rrelu elu elu_ selu selu_ celu celu_ gelu silu mish hardtanh hardtanh_
    hardswish hardsigmoid softplus softsign tanh tanh_ tanhshrink hardshrink softshrink threshold threshold_ logsigmoid
    sigmoid sigmoid_ prelu
    """.split()
)
# What mixes or bends values in another way than value by value, and so has no identity in its place.
OTHER_NONLINEAR = frozenset(
    """
    softmax log_softmax softmin max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d glu normalize
    scaled_dot_product_attention multi_head_attention_forward layer_norm group_norm instance_norm rms_norm
    """.split()
)
_STATISTICS_OF_SAMPLES = ("LayerNorm", "GroupNorm", "InstanceNorm")


@dataclass(frozen=True, slots=True)
class Linearization:
    """A linearized model, and what was found.

    Args:
        model: the new one.
        replaced: what is the identity now, in the order of the forward pass.
        kept: activations behind the last layer, which bring images into their range.
        remaining: what is not linear and stays as it is, since no identity could take its place.
    """

    model: Model
    replaced: tuple[str, ...]
    kept: tuple[str, ...]
    remaining: tuple[str, ...]


def linearize(model: Model, *, is_output_too: bool = False) -> Linearization:
    """A new model whose activations do nothing; batch norms in eval mode are linear, and stay.

    Args:
        model: converted or standard; not changed.
        is_output_too: replace the activations behind the last layer as well.
    Raises:
        ConversionError: there is no activation to replace.
    Source:
        RPGAN, section 4.4. Its images are those of a model that is trained so; those of one that was trained with
        activations are of little use until it is trained on.
    """
    blueprint = actual_blueprint(model)
    found: dict[str, list[str]] = {"replaced": [], "kept": [], "remaining": []}
    prelus: set[str] = set()

    def change(graph: fx.Graph) -> fx.Graph:
        parts = _Parts.of(graph, blueprint)
        gone = [*parts.within, *(parts.behind if is_output_too else ())]
        prelus.update(str(node.target) for node in gone if node.op == "call_module")
        for key, nodes in (
            ("replaced", gone),
            ("kept", () if is_output_too else parts.behind),
            ("remaining", parts.other),
        ):
            found[key] += [text for text in map(_described, nodes) if text not in found[key]]
        return written_anew(graph, {node: node.all_input_nodes[0] for node in gone})

    changed = mapped_graphs(blueprint, change)
    if not found["replaced"]:
        rest = f" What is not linear is {', '.join(found['kept'] + found['remaining'])}." if any(found.values()) else ""
        raise ConversionError(
            f"This generator has no activation that the identity could replace.{rest} It can be merged as it is where its "
            "buckets are linear: `rpganify merge`."
        )
    changed = without_layers(changed, prelus)
    record = {"operation": "linearize", "replaced": found["replaced"], "kept": found["kept"]}
    changed = replace(
        changed,
        plan=None if changed.plan is None else _without(changed.plan, prelus),
        provenance={**changed.provenance, SURGERY: [*changed.provenance.get(SURGERY, ()), record]},
    )
    return Linearization(rebuilt(model, changed), *(tuple(found[key]) for key in ("replaced", "kept", "remaining")))


@dataclass(frozen=True, slots=True)
class _Parts:
    """The nodes of a graph that are not linear: activations before and behind the last layer, and others."""

    within: tuple[fx.Node, ...]
    behind: tuple[fx.Node, ...]
    other: tuple[fx.Node, ...]

    @classmethod
    def of(cls, graph: fx.Graph, blueprint: Blueprint) -> _Parts:
        layers = {name for layer in blueprint.layers for name in (layer.name, *layer.parameters)}
        last = max(
            (
                index
                for index, node in enumerate(graph.nodes)
                if node.op in ("call_module", "get_attr") and str(node.target) in layers
            ),
            default=-1,
        )
        within: list[fx.Node] = []
        behind: list[fx.Node] = []
        other: list[fx.Node] = []
        for index, node in enumerate(graph.nodes):
            config = blueprint.layer_configs.get(str(node.target)) if node.op == "call_module" else None
            kind = config.kind if config is not None else ""
            is_call = node.op in ("call_function", "call_method")
            if (is_call and operation_name(node) in ACTIVATIONS and _is_tensor(node)) or kind == "PReLU":
                (behind if index > last else within).append(node)
            elif (is_call and operation_name(node) in OTHER_NONLINEAR) or kind.startswith(_STATISTICS_OF_SAMPLES):
                other.append(node)
        return cls(tuple(within), tuple(behind), tuple(other))


def _is_tensor(node: fx.Node) -> bool:
    return bool(node.args) and isinstance(node.args[0], fx.Node)


def _described(node: fx.Node) -> str:
    return f"{operation_name(node)}{place_of(node)}"


def _without(plan: Plan, layers: set[str]) -> Plan:
    """The plan without layers that are gone.

    Raises:
        ConversionError: a bucket holds nothing else.
    """
    buckets = []
    for bucket in plan.buckets:
        left = tuple(layer for layer in bucket.layers if layer not in layers)
        if not left:
            raise ConversionError(
                f"Bucket {bucket.name!r} holds nothing but activations with parameters ({', '.join(bucket.layers)}), which "
                "would be gone. Convert with these layers in another bucket."
            )
        buckets.append(replace(bucket, layers=left))
    return replace(plan, buckets=tuple(buckets), shared=tuple(name for name in plan.shared if name not in layers))
