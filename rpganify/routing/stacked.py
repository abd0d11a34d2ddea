"""Block values as one tensor: a call for all blocks present where one per block would be a launch each.

On a CPU, blocks go one after the other through its cache; on other devices, and where a kernel is pinned that takes whole
batches, operations on parameters alone (a spectral norm, an equalised weight) run once for all blocks, and a convolution or
linear layer by such weights runs by the kernels of built-in layers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import torch
import torch.nn.functional as F
from torch import Tensor

from rpganify.routing.blueprint import LayerConfig
from rpganify.routing.kernels import KERNELS, choose_kernel, is_pinned_to_layers, row_per_sample
from rpganify.routing.layout import rows_chosen
from rpganify.routing.routes import Route, rearranged


class StackedValues(Sequence[Tensor]):
    """One tensor per block present, `(num_present, ...)` in memory of one piece."""

    def __init__(self, stack: Tensor) -> None:
        self.stack = stack
        self._rows: dict[bool, tuple[Tensor, ...]] = {}

    def __len__(self) -> int:
        return len(self.stack)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Tensor]: ...

    def __getitem__(self, index: int | slice) -> Tensor | Sequence[Tensor]:
        has_gradients = torch.is_grad_enabled()
        if has_gradients not in self._rows:
            # At once: each row taken by itself would have a gradient of the size of all.
            self._rows[has_gradients] = self.stack.unbind(0)
        return self._rows[has_gradients][index]


def is_stacking(device: str) -> bool:
    """Whether block values are stacked on that type of device."""
    return device != "cpu" or is_pinned_to_layers()


def stacked_rows(stack: Tensor, route: Route) -> StackedValues:
    """The rows of the blocks present; `stack` itself, `(num_blocks, ...)`, where all are."""
    return StackedValues(stack if len(route.present) == route.num_blocks else rows_chosen(stack, present(stack, route)))


def present(stack: Tensor, route: Route) -> Tensor:
    """The blocks present as an index on the device of a stack."""
    return torch.tensor(route.present).to(stack.device, non_blocking=True)


# Operations that give the same for each of several values at once, none of which writes to what it is given.
_FOR_ALL: frozenset[Any] = frozenset(
    {
        *("reshape", "view", "flatten", "unflatten", "permute", "transpose", "t", "movedim", "squeeze", "unsqueeze"),
        *("detach", "clone", "contiguous", "expand", "add", "sub", "mul", "div", "neg", "abs", "pow", "square", "sqrt"),
        *("rsqrt", "exp", "log", "tanh", "sigmoid", "sum", "mean", "norm", "matmul", "mv", "mm", "dot"),
        *(torch.reshape, torch.flatten, torch.permute, torch.transpose, torch.t, torch.movedim, torch.squeeze),
        *(torch.unsqueeze, torch.detach, torch.clone, torch.add, torch.sub, torch.mul, torch.div, torch.true_divide),
        *(torch.neg, torch.abs, torch.pow, torch.square, torch.sqrt, torch.rsqrt, torch.exp, torch.log, torch.tanh),
        *(torch.sigmoid, torch.sum, torch.mean, torch.norm, torch.linalg.vector_norm, torch.matmul, torch.mv, torch.mm),
        *(torch.dot, torch.vdot, F.normalize, F.softplus, F.softmax),
    }
)


def for_all_form(function: Callable[..., Any] | str, args: Sequence[Any]) -> Callable[..., Any] | str | None:
    """By what an operation on block values alone runs once for all of them; None if for each by itself."""
    if function in _FOR_ALL or (function is getattr and args[1] in ("T", "H", "mT", "mH")):
        return function
    return _weight_norm if function is torch._weight_norm else None


def _weight_norm(direction: Tensor, length: Tensor, dim: int = 0) -> Tensor:
    """torch's fused operation in operations that vmap knows."""
    others = [axis for axis in range(direction.dim()) if axis != dim]
    scale: Tensor = length / torch.linalg.vector_norm(direction, dim=others, keepdim=True)
    return direction * scale


def for_all(
    run: Callable[..., Any], operands: Sequence[Any], blocks: set[int], written: Tensor | None
) -> StackedValues:
    """An operation once for all blocks.

    Args:
        run: the operation on one block's operands.
        operands: `StackedValues` at the places `blocks`, the same for all blocks elsewhere.
        written: what the result is written to, as by `out`: `(num_present, ...)`.
    """
    axes = tuple(0 if i in blocks else None for i in range(len(operands)))
    given = [operand.stack if i in blocks else operand for i, operand in enumerate(operands)]
    result = torch.vmap(lambda *chosen: run(chosen), in_dims=axes)(*given)
    return StackedValues(result if written is None else written.copy_(result))


_ELEMENTWISE: frozenset[Any] = frozenset(
    {
        *("add", "sub", "mul", "div", torch.add, torch.sub, torch.mul, torch.div, torch.true_divide),
        *(operator.add, operator.sub, operator.mul, operator.truediv),
    }
)


def is_elementwise(function: Callable[..., Any] | str) -> bool:
    """Whether an operation of a batch and block values can take one value per sample in their place."""
    return function in _ELEMENTWISE


def per_sample(values: StackedValues, route: Route, x: Tensor) -> Tensor | None:
    """Block values that meet a batch `(N, ...)` number by number, `(N, ...)` in its order; None where they would not fit."""
    shape = values.stack.shape[1:]
    if len(shape) == x.dim() and shape[0] == 1:
        shape = shape[1:]
    if len(shape) >= x.dim():
        return None
    rows = row_per_sample(values.stack, _over_stack(route))
    return rearranged(rows.reshape(-1, *(1,) * (x.dim() - 1 - len(shape)), *shape), route.inverse)


def _over_stack(route: Route) -> Route:
    """The route of a sorted batch over the rows of stacked values, which are those of the blocks present alone."""
    num_present = len(route.present)
    return Route(num_present, tuple(range(num_present)), route.counts, None, None)


_CONVOLUTIONS: Mapping[Any, str] = {torch.conv2d: "Conv2d", torch.conv_transpose2d: "ConvTranspose2d"}
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "Linear": {},
    "Conv2d": {"stride": 1, "padding": 0, "dilation": 1, "groups": 1},
    "ConvTranspose2d": {"stride": 1, "padding": 0, "output_padding": 0, "groups": 1, "dilation": 1},
}


def runs_as_layer(function: Callable[..., Any] | str) -> bool:
    """Whether an operation is that of a built-in layer with a kernel."""
    return function is F.linear or function in _CONVOLUTIONS


def as_layer(
    function: Callable[..., Any] | str,
    route: Route,
    x: Tensor,
    weight: StackedValues,
    rest: Sequence[Any],
    named: Mapping[str, Any],
) -> Tensor | None:
    """A linear layer or convolution by weights that were computed; None where no kernel takes it.

    Args:
        route: of the batch, which may be in any order.
        x: `(N, ...)`.
        weight: of each block present.
        rest, named: what follows the weight: the bias, and options.
    """
    layer, bias = _layer_of(function, weight.stack, rest, named)
    if not (bias is None or isinstance(bias, StackedValues)):
        return None
    kernel = KERNELS.get(choose_kernel(layer, tuple(x.shape[1:]), x.device.type))
    if kernel is None:
        return None
    tensors = {"weight": weight.stack} | ({} if bias is None else {"bias": bias.stack})
    return rearranged(kernel(layer, _over_stack(route), rearranged(x, route.order), tensors), route.inverse)


def _layer_of(
    function: Callable[..., Any] | str, weight: Tensor, rest: Sequence[Any], named: Mapping[str, Any]
) -> tuple[LayerConfig, Any]:
    """The built-in layer that an operation is, and its bias."""
    kind = "Linear" if function is F.linear else _CONVOLUTIONS[function]
    options = _OPTIONS[kind]
    given = {**options, **dict(zip(("bias", *options), rest, strict=False)), **named}
    bias = given.pop("bias", None)
    if kind != "Linear":
        num_out = weight.shape[1] if kind == "Conv2d" else weight.shape[2] * given["groups"]
        given |= {"kernel_size": tuple(weight.shape[3:]), "out_channels": num_out, "padding_mode": "zeros"}
    return LayerConfig(kind, given), bias
