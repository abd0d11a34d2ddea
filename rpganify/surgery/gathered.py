"""The whole routed model as one plain program: every sample gathers its own blocks' tensors.

Slower than the routed layers, which take samples of the same block together, but without a decision that depends on the
paths, so that torch.export, ONNX and torch.compile take it whole, for any batch size.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from rpganify.conversion.building import actual_blueprint
from rpganify.conversion.dependence import BlockDependence, carries_batch, find_block_dependence, is_description
from rpganify.conversion.samplewise import has_samples_first
from rpganify.errors import ConversionError, RpganifyError
from rpganify.plan import FIXED_INPUT
from rpganify.routing.blueprint import LayerConfig
from rpganify.routing.generator import RandomPathGenerator
from rpganify.routing.layers import layer_call
from rpganify.surgery.graphs import operation_name, place_of

_NUM_CHECKED = 7
_TOLERANCE = 1e-4  # of the largest value: sums in another order


def gathered(model: RandomPathGenerator) -> fx.GraphModule:
    """A module `forward(paths, *conditions)` that gives what the model gives in eval mode.

    Args:
        model: not changed, nothing is shared with it; put into eval mode for the comparison of both, and back.
    Returns:
        In eval mode, on the model's device. `paths` is int64 `(N, num_buckets)`, there too; it is not checked.
    Raises:
        ConversionError: an operation cannot be written so, the generator draws noise, or images differ.
    """
    module = _Gatherer(model).write()
    was_training = model.training
    try:
        _check(module, model.eval())
    finally:
        model.train(was_training)
    return module


class _Gatherer:
    """Writes the plain eval program anew with a gathered operand wherever a block's tensor stood."""

    def __init__(self, model: RandomPathGenerator) -> None:
        self.model, self.blueprint = model, actual_blueprint(model)
        self.dependence: BlockDependence = find_block_dependence(self.blueprint, model.plan)
        self.graph = fx.Graph()
        self.made: dict[fx.Node, fx.Node] = {}
        self.rows: dict[str, fx.Node] = {}

    def write(self) -> fx.GraphModule:
        self.paths = self.graph.placeholder("paths")
        by_identifier = {spec.identifier: spec for spec in self.blueprint.inputs}
        for node in self.blueprint.eval_graph.nodes:
            spec = by_identifier.get(str(node.target)) if node.op == "placeholder" else None
            if spec is not None and not spec.is_latent:
                self.made[node] = self.graph.placeholder(spec.identifier)
        for node in self.blueprint.eval_graph.nodes:
            self._write(node)
        self.graph.lint()
        module = fx.GraphModule(self.model._tensors, self.graph, class_name=f"Routed{self.blueprint.name}")
        return copy.deepcopy(module).eval()

    def _write(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self._write_input(node)
        elif node.op == "get_attr" and str(node.target) in self.dependence.tensors:
            self.made[node] = self._row(str(node.target))
        elif node.op == "call_module" and self.model.plan.bucket_of(str(node.target)) is not None:
            self._write_layer(node)
        elif node.op in ("call_function", "call_method") and any(
            operand in self.dependence.nodes for operand in node.all_input_nodes
        ):
            self._write_per_sample(node)
        else:
            self.made[node] = self.graph.node_copy(node, lambda n: self.made[n])

    def _write_input(self, node: fx.Node) -> None:
        if node in self.made:
            return
        if str(node.target) == self.blueprint.latent.identifier:
            self.made[node] = self._row(FIXED_INPUT)
        elif node.users:
            user = next(iter(node.users))
            raise ConversionError(
                f"This generator draws noise inside its forward pass ({operation_name(user)}{place_of(user)}), which a program "
                "of the whole model would draw unseeded. Convert with --freeze-noise, or export one path."
            )

    def _row(self, name: str) -> fx.Node:
        """Each sample's own tensor `(N, ...)`; of one Z for all, the same for each."""
        if name not in self.rows:
            stack = self.graph.get_attr(name)
            bucket = self.dependence.tensors.get(name)
            column = self.graph.call_function(torch.select, (self.paths, 1, 0 if bucket is None else bucket))
            if bucket is None:
                column = self.graph.call_function(torch.zeros_like, (column,))
            self.rows[name] = self.graph.call_function(torch.index_select, (stack, 0, column))
        return self.rows[name]

    def _write_layer(self, node: fx.Node) -> None:
        name = str(node.target)
        config = self.blueprint.layer_configs[name]
        if any(operand in self.dependence.nodes for operand in node.all_input_nodes) or not all(
            map(has_samples_first, (node, *node.all_input_nodes))
        ):
            raise _refusal(node, "does not have the samples first")
        aliases, tensors = self.blueprint.aliases, self.blueprint.tensors
        local = [full for full in (*tensors, *aliases) if full.startswith(f"{name}.")]
        rows = {full[len(name) + 1 :]: self._row(aliases.get(full, full)) for full in sorted(local)}
        inputs = [self.made[operand] for operand in node.args if isinstance(operand, fx.Node)]
        self.made[node] = self.graph.call_function(_layer_function(config), (*inputs,), {**rows})

    def _write_per_sample(self, node: fx.Node) -> None:
        """An operation on block tensors, once per sample by `torch.vmap`."""
        if is_description(node):
            self.made[node] = self.graph.node_copy(node, lambda n: self.made[n])
            return
        operands = list(dict.fromkeys(node.all_input_nodes))
        gives_blocks = node in self.dependence.nodes
        batched = [one for one in operands if carries_batch(one) and one not in self.dependence.nodes]
        if not all(map(has_samples_first, batched)) or not (gives_blocks or has_samples_first(node)):
            raise _refusal(node, "does not have the samples first")
        kinds: list[str | int] = [
            "sample" if one in batched else "row" if one in self.dependence.nodes else "other" for one in operands
        ]
        for index, one in enumerate(operands):
            if "size" in one.meta:  # of a batch of one, factor * 1 + rest
                kinds[index] = sum(one.meta["size"])
        call = _PerSample(node, operands, kinds, has_batch=not gives_blocks)
        self.made[node] = self.graph.call_function(call, tuple(self.made[one] for one in operands))


class _PerSample:
    """A node's operation, vectorised over samples.

    Args:
        node: a function or method.
        operands: its nodes, each once.
        kinds: of each, "sample" (samples first), "row" (a block's tensor for each sample), "other", or what it is for a
            batch of one sample, where it is a size.
        has_batch: whether the result has the samples first, rather than being a block's tensor for each.
    """

    def __init__(self, node: fx.Node, operands: list[fx.Node], kinds: list[str | int], has_batch: bool) -> None:
        self.op, self.target, self.args, self.kwargs = node.op, node.target, node.args, dict(node.kwargs)
        self.operands, self.kinds, self.has_batch = operands, kinds, has_batch
        self.__name__ = f"per_sample_{operation_name(node)}"

    def __call__(self, *values: Any) -> Any:
        dims = tuple(
            0 if kind in ("sample", "row") and isinstance(v, Tensor) else None for kind, v in self._pairs(values)
        )
        return torch.vmap(self._one, in_dims=dims)(*values)

    def _pairs(self, values: tuple[Any, ...]) -> list[tuple[str | int, Any]]:
        return list(zip(self.kinds, values, strict=True))

    def _one(self, *values: Any) -> Any:
        given = [
            kind if isinstance(kind, int) else value[None] if kind == "sample" else value
            for kind, value in self._pairs(values)
        ]
        of = dict(zip(self.operands, given, strict=True))
        args, kwargs = fx.node.map_arg((self.args, self.kwargs), lambda n: of[n])
        if self.op == "call_method":
            result = getattr(args[0], str(self.target))(*args[1:], **kwargs)
        else:
            assert callable(self.target)
            result = self.target(*args, **kwargs)
        return result[0] if self.has_batch else result


def _layer_function(config: LayerConfig) -> Callable[..., Tensor]:
    """A layer as a function of its input and of one row of each of its tensors per sample."""
    if config.kind == "Linear":
        return _linear
    plain = config.config.get("padding_mode") == "zeros" and not isinstance(config.config.get("padding"), str)
    if config.kind == "Conv2d" and plain and config.config["groups"] == 1:
        return _Convolution(config)
    if config.kind == "ConvTranspose2d" and config.config["groups"] == 1:
        return _TransposedConvolution(config)
    return _AnyLayer(config)


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    flat = x.flatten(1, -2) if x.dim() > 2 else x[:, None]  # (N, places, in)
    result = torch.bmm(flat, weight.transpose(1, 2))
    result = result if bias is None else result + bias[:, None]
    return result.unflatten(1, x.shape[1:-1]) if x.dim() > 2 else result[:, 0]


class _Convolution:
    """A convolution by its patches, `(N, C·k·k, places)`."""

    def __init__(self, config: LayerConfig) -> None:
        names = ("kernel_size", "dilation", "padding", "stride")
        self.kernel, self.dilation, self.padding, self.stride = (_pair(config.config[name]) for name in names)
        self.__name__ = "convolution"

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        patches = F.unfold(x, self.kernel, self.dilation, self.padding, self.stride)
        result = torch.bmm(weight.flatten(2), patches)
        result = result if bias is None else result + bias[..., None]
        sizes = [
            (x.shape[axis + 2] + 2 * self.padding[axis] - self.dilation[axis] * (self.kernel[axis] - 1) - 1)
            // self.stride[axis]
            + 1
            for axis in (0, 1)
        ]
        shaped: Tensor = result.unflatten(2, sizes)
        return shaped


class _TransposedConvolution:
    """A transposed convolution: what each place gives to its neighbours, summed up."""

    def __init__(self, config: LayerConfig) -> None:
        names = ("kernel_size", "dilation", "padding", "stride", "output_padding")
        pairs = (_pair(config.config[name]) for name in names)
        self.kernel, self.dilation, self.padding, self.stride, self.extra = pairs
        self.__name__ = "transposed_convolution"

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        parts = torch.bmm(weight.flatten(2).transpose(1, 2), x.flatten(2))  # (N, O·k·k, places)
        size = [
            (x.shape[axis + 2] - 1) * self.stride[axis]
            - 2 * self.padding[axis]
            + self.dilation[axis] * (self.kernel[axis] - 1)
            + self.extra[axis]
            + 1
            for axis in (0, 1)
        ]
        result = F.fold(parts, (size[0], size[1]), self.kernel, self.dilation, self.padding, self.stride)
        return result if bias is None else result + bias[..., None, None]


class _AnyLayer:
    """Any layer, once per sample by `torch.vmap`."""

    def __init__(self, config: LayerConfig) -> None:
        self.call = layer_call(config)
        self.__name__ = config.kind.lower()

    def __call__(self, *inputs: Tensor, **rows: Tensor) -> Tensor:
        def one(inputs: tuple[Tensor, ...], rows: Mapping[str, Tensor]) -> Tensor:
            return self.call(tuple(x[None] for x in inputs), rows, False)[0]

        result = torch.vmap(one)(inputs, dict(rows))
        assert isinstance(result, Tensor)
        return result


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, (list, tuple)):
        return int(value[0]), int(value[1])
    return int(value), int(value)


def _refusal(node: fx.Node, why: str) -> ConversionError:
    return ConversionError(
        f"{operation_name(node)}{place_of(node)} {why}, so the whole model cannot be written as one program. Export one path "
        "(--path)."
    )


@torch.no_grad()
def _check(module: nn.Module, model: RandomPathGenerator) -> None:
    """Compares both on a few random paths.

    Raises:
        ConversionError: they differ, or the module does not run.
    """
    draws = torch.Generator().manual_seed(0)
    paths, device = model.draw(_NUM_CHECKED, draws), model.Z.device
    inputs = {}
    for spec in model.blueprint.inputs:
        if not spec.is_latent:
            shape = (_NUM_CHECKED, *spec.shape)
            values = torch.randn(shape, generator=draws) if spec.dtype.is_floating_point else torch.zeros(shape)
            inputs[spec.name] = (spec.identifier, values.to(device, spec.dtype))
    expected = model(paths, **{name: value for name, (_, value) in inputs.items()})
    try:
        found = module(paths.to(device), **dict(inputs.values()))
    except RpganifyError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0][:300]
        raise ConversionError(
            f"The whole model does not run as one program: {type(error).__name__}: {reason} Export one path (--path)."
        ) from error
    ours, theirs = (torch.utils._pytree.tree_leaves(outputs) for outputs in (found, expected))
    for one, two in zip(ours, theirs, strict=True):
        if isinstance(two, Tensor) and not torch.allclose(one, two, rtol=_TOLERANCE, atol=_TOLERANCE):
            raise ConversionError(
                f"As one program the whole model draws images that differ by up to {(one - two).abs().max():.1e}. Export one "
                "path (--path)."
            )
