"""What the operands of recorded calls are made of, and what can be read off them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from rpganify.conversion.inputs import DISTINCT
from rpganify.conversion.operators import MAYBE_VIEWS, METHODS, functions
from rpganify.conversion.record import Call, Ref

# Size of one dimension at batch size N: (a, b) stands for a * N + b.
Size = tuple[int, int]

LEGACY_TYPES = {
    "FloatTensor": torch.float32, "DoubleTensor": torch.float64, "HalfTensor": torch.float16,
    "BFloat16Tensor": torch.bfloat16, "LongTensor": torch.int64, "IntTensor": torch.int32,
    "ShortTensor": torch.int16, "CharTensor": torch.int8, "ByteTensor": torch.uint8, "BoolTensor": torch.bool,
}  # fmt: skip


def shares_memory(node: fx.Node) -> bool:
    """Whether a node's tensor may lie in the memory of another node's."""
    name = str(node.args[1]) if node.target is getattr else getattr(node.target, "__name__", str(node.target))
    return name in MAYBE_VIEWS


def result_number(call: Call) -> int | None:
    """Number of a call's result if that is one tensor."""
    return call.outputs.value if isinstance(call.outputs, Ref) else None


def is_inner(tensor: Tensor, axis: int, batch: int) -> bool:
    """Whether an axis of several entries per sample counts the samples fastest.

    Samples `DISTINCT` apart are equal in an example. The order of entries under which they look equal is the one.

    Args:
        tensor: of a record.
        axis: of several entries per sample.
        batch: samples of that record, more than `DISTINCT`.
    """
    if not tensor.is_floating_point() or tensor.shape[axis] % batch:
        return False
    values = tensor.detach().float()
    outer = values.unflatten(axis, (batch, -1)).movedim(axis, 0)
    inner = values.unflatten(axis, (-1, batch)).movedim(axis + 1, 0)
    apart_outer, apart_inner = (
        (order[:-DISTINCT] - order[DISTINCT:]).abs().nan_to_num().sum().item() for order in (outer, inner)
    )
    return bool(apart_inner < 0.5 * apart_outer)


def python_number(leaf: Any) -> Any:
    """numpy's numbers as Python's; generated code could not name them."""
    return leaf.item() if type(leaf).__module__ == "numpy" and hasattr(leaf, "item") and leaf.ndim == 0 else leaf


def flat(structure: Any) -> list[Any]:
    if isinstance(structure, (tuple, list)):
        return [leaf for part in structure for leaf in flat(part)]
    if isinstance(structure, dict):
        return [leaf for part in structure.values() for leaf in flat(part)]
    if isinstance(structure, slice):
        return [leaf for part in (structure.start, structure.stop, structure.step) for leaf in flat(part)]
    return [structure]


def has_ref(structure: Any) -> bool:
    return any(isinstance(leaf, Ref) for leaf in flat(structure))


def collect(structure: Any, into: set[int]) -> None:
    into.update(leaf.value for leaf in flat(structure) if isinstance(leaf, Ref))


def out_of_place(name: str, kind: str) -> str | None:
    """The function that gives a new tensor where `name` changes its operand: `div_` -> `div`; None if there is none."""
    plain = name.removesuffix("_")
    if plain == name or name.startswith("__"):
        return None
    known = METHODS if kind == "method" else functions().keys()
    return plain if plain in known else None
