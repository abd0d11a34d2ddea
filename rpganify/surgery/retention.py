"""The proof that nothing old has changed: old blocks, everything shared, running statistics, and Z."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.conversion.replication import tensors_by_name
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.restack import new_rows


@dataclass(frozen=True, slots=True)
class Retention:
    """What became of a model's old values.

    Args:
        num_values: how many old values were compared.
        num_tensors: in how many tensors they are.
        changed: names of the tensors in which one is not bit for bit as it was.
        num_new_values: values of new blocks.
        num_new_changed: of these, how many are not as they were.
        gathered: names of the buffers, such as running statistics, of which new blocks' values changed.
    """

    num_values: int
    num_tensors: int
    changed: tuple[str, ...]
    num_new_values: int
    num_new_changed: int
    gathered: tuple[str, ...] = ()


def compare_old(before: RandomPathGenerator, after: RandomPathGenerator, *, is_average: bool = False) -> Retention:
    """Compares all that is old of a grown model, bit for bit, with another state of it.

    Args:
        before: as it had grown.
        after: the same model, trained on; may have grown further or be on another device.
        is_average: whether `after` is a moving average, which makes 0 of -0 and keeps all other values.
    """
    first_row, later = new_rows(before), tensors_by_name(after)
    num_values = num_tensors = num_new = num_new_changed = 0
    changed, gathered = [], []
    buffers = dict(before.named_buffers())
    for name, tensor in tensors_by_name(before).items():
        one, two = tensor.detach().cpu(), later[name].detach().cpu()
        first = first_row.get(name)
        if first is not None:
            fresh, trained = one[first:], two[first : len(one)]
            num_new += fresh.numel()
            num_differing = int((fresh != trained).sum())
            num_new_changed += num_differing
            if num_differing and name in buffers:
                gathered.append(name)
            one, two = one[:first], two[:first]
        elif two.dim() == one.dim() and two.dim() and len(two) > len(one):  # grown further
            two = two[: len(one)]
        num_values += one.numel()
        num_tensors += 1
        if is_average and one.is_floating_point():
            one, two = one + 0.0, two + 0.0
        if not _is_same(one, two):
            changed.append(name)
    return Retention(num_values, num_tensors, tuple(changed), num_new, num_new_changed, tuple(gathered))


def _is_same(one: Tensor, two: Tensor) -> bool:
    """Whether two tensors hold the same bits; a NaN is then the same as itself, and 0 is not -0."""
    if one.shape != two.shape or one.dtype != two.dtype:
        return False
    return one.numel() == 0 or torch.equal(_bytes(one), _bytes(two))


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)
