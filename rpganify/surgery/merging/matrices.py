"""A chain of linear steps as one matrix over all values of a sample: exact for every border, and as large as maps are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, fx

from rpganify.conversion.nodes import map_nodes
from rpganify.routing.layers import layer_call
from rpganify.surgery.merging.chain import RESHAPING, Chain, Step
from rpganify.surgery.merging.tensors import ChosenTensors


def matrix_size(chain: Chain) -> tuple[int, int]:
    """Rows and columns that the matrix would have: values of a sample behind and before the chain."""
    return math.prod(chain.steps[-1].shape_out), math.prod(chain.steps[0].shape_in)


def matrices_of(chain: Chain, chosen: ChosenTensors, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The matrix and the bias of each product: what becomes of every unit vector, and of zero.

    Args:
        chain: all steps have the samples first.
        chosen: tensors of its layers.
        dtype: of the result; it is computed in float64.
    Returns:
        `(num_products, values out, values in)` and `(num_products, values out)`, on the model's device.
    """
    rows, columns = matrix_size(chain)
    weight = torch.empty(chosen.num_products, rows, columns, dtype=dtype, device=chosen.device)
    bias = torch.empty(chosen.num_products, rows, dtype=dtype, device=chosen.device)
    unit = torch.eye(columns, dtype=torch.float64, device=chosen.device).view(-1, *chain.steps[0].shape_in)
    for product in range(chosen.num_products):
        images, offset = unit, torch.zeros_like(unit[:1])
        one = chosen.only(product)
        for step in chain.steps:
            stacked = one.of_layer(step.name) if step.layer is not None else {}
            tensors = {name: value[0] for name, value in stacked.items()}
            images, offset = _without_offset(step, images, tensors), through(step, offset, tensors)
        weight[product].copy_(images.flatten(1).T)
        bias[product].copy_(offset.flatten())
    return weight, bias


def _without_offset(step: Step, x: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
    """What a step makes of differences of two samples."""
    without = {name: value for name, value in tensors.items() if name != "bias"}
    if "running_mean" in without:
        without["running_mean"] = torch.zeros_like(without["running_mean"])
    return through(step, x, without)


def through(step: Step, x: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
    """What a step makes of `(N, *shape_in)`, in eval mode.

    Args:
        tensors: of a layer, by their names in it; none of a function.
    """
    if step.layer is not None:
        return layer_call(step.layer)((x,), tensors, False)
    if step.name in RESHAPING:
        return x.reshape(len(x), *step.shape_out)
    node = step.node

    def placed(one: fx.Node) -> Tensor:
        return x

    args, options = map_nodes(node.args, placed), map_nodes(dict(node.kwargs), placed)
    if node.op == "call_method":
        return cast(Tensor, getattr(args[0], str(node.target))(*args[1:], **options))
    assert callable(node.target)
    return cast(Tensor, node.target(*args, **options))
