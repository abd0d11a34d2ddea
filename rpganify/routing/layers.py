"""Built-in layers with a block axis: the same arithmetic, each sample with its own block's parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from rpganify.errors import PathError
from rpganify.routing.blueprint import LayerConfig
from rpganify.routing.kernels import KERNELS, choose_kernel
from rpganify.routing.kinds import kind_named
from rpganify.routing.layout import laid_out
from rpganify.routing.routes import SAMPLES_FIRST, BatchAxis, Route, in_order, join, rearranged, rows_of, split

# One block's call: its samples (n, ...), its tensors by name, whether in train mode -> (n, ...).
BlockCall = Callable[[tuple[Tensor, ...], Mapping[str, Tensor], bool], Tensor]
_OneInput = Callable[[Tensor, Mapping[str, Tensor], bool], Tensor]


class RoutedLayer(nn.Module):
    """A built-in layer of which every block has its own parameters and running statistics.

    Args:
        layer: kind and constructor values of the plain layer.
        num_blocks: blocks of its bucket.
        tensors: names of the plain layer's tensors -> stacked, `(num_blocks, ...)`; parameters as `nn.Parameter`.

    Attributes:
        first_trained: in train mode blocks before this one behave as in eval mode; 0 for a layer that is trained as a whole.
    """

    def __init__(self, layer: LayerConfig, num_blocks: int, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.layer, self.num_blocks = LayerConfig(layer.kind, dict(layer.config)), num_blocks
        self._call = layer_call(layer)
        self.first_trained = 0
        for name, tensor in tensors.items():
            parent, local = _parent_of(self, name)
            if isinstance(tensor, nn.Parameter):
                tensor.data = laid_out(tensor.data, layer)
                parent.register_parameter(local, tensor)
            else:
                parent.register_buffer(local, tensor)

    def forward(
        self, route: Route, *inputs: Tensor, batch: BatchAxis = SAMPLES_FIRST, result: BatchAxis = SAMPLES_FIRST
    ) -> Tensor:
        """Sample by sample what the plain layer with its block's parameters gives.

        Args:
            route: the samples of each block.
            inputs: `(N, ...)`; one, of a built-in layer, may carry the samples as `batch` says.
            batch, result: where the input and the result carry the samples; a layer may be fed tokens, `(N * T, C)`.
        """
        parameters, buffers = self._stacks()
        if len(route.counts) > 1 and batch == result == SAMPLES_FIRST:
            kernel = KERNELS.get(choose_kernel(self.layer, tuple(inputs[0].shape[1:]), inputs[0].device.type))
            if kernel is not None:
                sorted_result = kernel(self.layer, in_order(route), rearranged(inputs[0], route.order), parameters)
                return rearranged(sorted_result, route.inverse)
        rows = {name: rows_of(tensor, route) for name, tensor in parameters.items()}
        parts = [split(x, batch, route) for x in inputs]
        results = []
        for position, block in enumerate(route.present):
            tensors = {name: row[position] for name, row in rows.items()}
            # Views of the stacked buffer: what a norm writes into them is kept.
            tensors |= {name: tensor[block] for name, tensor in buffers.items()}
            is_training = self.training and block >= self.first_trained
            results.append(self._call(tuple(part[position] for part in parts), tensors, is_training))
        return join(results, result, route)

    def _stacks(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Parameters and buffers by name."""
        if self._modules:
            nested: dict[str, Tensor] = dict(self.named_parameters(remove_duplicate=False))
            return nested, dict(self.named_buffers(remove_duplicate=False))
        # Layers are called often, and most have no modules within.
        parameters: dict[str, Tensor] = {n: tensor for n, tensor in self._parameters.items() if tensor is not None}
        return parameters, {name: tensor for name, tensor in self._buffers.items() if tensor is not None}

    def __getstate__(self) -> dict[str, Any]:
        """What pickle takes: everything but the function, which kind and options give back."""
        return {name: value for name, value in vars(self).items() if name != "_call"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._call = layer_call(self.layer)

    def extra_repr(self) -> str:
        options = ", ".join(f"{name}={value}" for name, value in self.layer.config.items())
        return f"{self.layer.kind}, num_blocks={self.num_blocks}, {options}"


def _parent_of(module: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The module within another that holds a tensor, made of empty ones where missing, and its name there."""
    *parents, local = name.split(".")
    for parent in parents:
        if parent not in module._modules:
            module.add_module(parent, nn.Module())
        module = module.get_submodule(parent)
    return module, local


def layer_call(layer: LayerConfig) -> BlockCall:
    """The layer as a function of its inputs and tensors, which it does not hold."""
    maker = _MAKERS.get(layer.kind.rstrip("123d") if layer.kind[-1] == "d" else layer.kind)
    if maker is None:
        kind = kind_named(layer.kind)
        return lambda inputs, tensors, is_training: kind.call(layer.config, tensors, inputs, is_training)
    call = maker(layer.kind, layer.config)
    return lambda inputs, tensors, is_training: call(inputs[0], tensors, is_training)


def _linear(kind: str, config: Mapping[str, Any]) -> _OneInput:
    return lambda x, tensors, is_training: F.linear(x, tensors["weight"], tensors.get("bias"))


def _conv(kind: str, config: Mapping[str, Any]) -> _OneInput:
    function: Callable[..., Tensor] = {"Conv1d": F.conv1d, "Conv2d": F.conv2d, "Conv3d": F.conv3d}[kind]
    stride, dilation, groups = _sizes(config["stride"]), _sizes(config["dilation"]), config["groups"]
    padding: Any = config["padding"] if isinstance(config["padding"], str) else _sizes(config["padding"])
    mode = config["padding_mode"]
    if mode == "zeros":
        return lambda x, tensors, is_training: function(
            x, tensors["weight"], tensors.get("bias"), stride, padding, dilation, groups
        )
    around = _padding_around(padding, _sizes(config["kernel_size"]), dilation)

    def padded(x: Tensor, tensors: Mapping[str, Tensor], is_training: bool) -> Tensor:
        x = F.pad(x, around, mode=mode)
        return function(x, tensors["weight"], tensors.get("bias"), stride, 0, dilation, groups)

    return padded


def _padding_around(padding: Any, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> list[int]:
    """Padding before and after, last dimension first, as `F.pad` takes it."""
    around: list[int] = []
    for axis in reversed(range(len(kernel))):
        if padding == "valid":
            around += [0, 0]
        elif padding == "same":
            total = dilation[axis] * (kernel[axis] - 1)
            around += [total // 2, total - total // 2]
        else:
            around += [padding[axis], padding[axis]]
    return around


def _conv_transpose(kind: str, config: Mapping[str, Any]) -> _OneInput:
    functions: dict[str, Callable[..., Tensor]] = {
        "ConvTranspose1d": F.conv_transpose1d,
        "ConvTranspose2d": F.conv_transpose2d,
        "ConvTranspose3d": F.conv_transpose3d,
    }
    function = functions[kind]
    options = [_sizes(config["stride"]), _sizes(config["padding"]), _sizes(config["output_padding"])]
    groups, dilation = config["groups"], _sizes(config["dilation"])
    return lambda x, tensors, is_training: function(
        x, tensors["weight"], tensors.get("bias"), *options, groups, dilation
    )


def _batch_norm(kind: str, config: Mapping[str, Any]) -> _OneInput:
    eps, momentum = config["eps"], config["momentum"]

    def call(x: Tensor, tensors: Mapping[str, Tensor], is_training: bool) -> Tensor:
        mean, var, tracked = (tensors.get(n) for n in ("running_mean", "running_var", "num_batches_tracked"))
        # One value per channel has no variance: such a block is normalised by what it has seen so far.
        has_variance = x.numel() > x.shape[1] or x.numel() == 0
        use_batch = (is_training and has_variance) or mean is None
        if mean is None and not has_variance:
            raise PathError(
                "A block has a single sample in this batch, and its batch norm keeps no running statistics "
                "(track_running_stats=False) to normalise one value per channel by. Draw larger batches, or let all "
                'paths share the norm layers (norm="shared").'
            )
        factor = 0.0 if momentum is None else momentum
        if use_batch and is_training and tracked is not None:
            tracked += 1
            factor = 1.0 / float(tracked) if momentum is None else momentum
        return F.batch_norm(x, mean, var, tensors.get("weight"), tensors.get("bias"), use_batch, factor, eps)

    return call


def _instance_norm(kind: str, config: Mapping[str, Any]) -> _OneInput:
    eps, momentum = config["eps"], config["momentum"]

    def call(x: Tensor, tensors: Mapping[str, Tensor], is_training: bool) -> Tensor:
        mean, var = tensors.get("running_mean"), tensors.get("running_var")
        use_input = is_training or mean is None
        weight, bias = tensors.get("weight"), tensors.get("bias")
        return F.instance_norm(x, mean, var, weight, bias, use_input, 0.0 if momentum is None else momentum, eps)

    return call


def _layer_norm(kind: str, config: Mapping[str, Any]) -> _OneInput:
    shape, eps = _sizes(config["normalized_shape"]), config["eps"]
    return lambda x, tensors, is_training: F.layer_norm(x, shape, tensors.get("weight"), tensors.get("bias"), eps)


def _group_norm(kind: str, config: Mapping[str, Any]) -> _OneInput:
    groups, eps = config["num_groups"], config["eps"]
    return lambda x, tensors, is_training: F.group_norm(x, groups, tensors.get("weight"), tensors.get("bias"), eps)


def _embedding(kind: str, config: Mapping[str, Any]) -> _OneInput:
    padding_index = config["padding_idx"]
    return lambda x, tensors, is_training: F.embedding(x, tensors["weight"], padding_index)


def _prelu(kind: str, config: Mapping[str, Any]) -> _OneInput:
    return lambda x, tensors, is_training: F.prelu(x, tensors["weight"])


def _sizes(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (int(value),)


_MAKERS: dict[str, Callable[[str, Mapping[str, Any]], _OneInput]] = {
    "Linear": _linear,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "BatchNorm": _batch_norm,
    "InstanceNorm": _instance_norm,
    "LayerNorm": _layer_norm,
    "GroupNorm": _group_norm,
    "Embedding": _embedding,
    "PReLU": _prelu,
}
