"""Copies a generator without touching it, also where `copy.deepcopy` refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rpganify.errors import ConversionError


class _CopyingComputedTensors(TorchFunctionMode):
    """Lets deepcopy take tensors that are results of a computation.

    Weight norm and the old spectral norm leave such a tensor as `module.weight`; torch's own `__deepcopy__`
    refuses it. It is recomputed before every use, so that its values are enough.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is Tensor.__deepcopy__ and not args[0].is_leaf:
            tensor, memo = args
            memo[id(tensor)] = tensor.detach().clone()
            return memo[id(tensor)]
        return func(*args, **(kwargs or {}))


def copy_generator(generator: nn.Module) -> nn.Module:
    """An independent copy: the same classes, hooks, parametrizations and values; no shared tensor.

    Raises:
        ConversionError: the module holds something that cannot be copied (an open file, a lock).
    """
    # Python modules kept as attributes (`self.F = torch.nn.functional`) are shared, not copied.
    memo: dict[int, Any] = {
        id(value): value
        for module in generator.modules()
        for value in vars(module).values()
        if isinstance(value, ModuleType)
    }
    try:
        with torch.no_grad(), _CopyingComputedTensors():
            return copy.deepcopy(generator, memo)
    except Exception as error:
        raise ConversionError(
            f"{type(generator).__name__} cannot be copied ({type(error).__name__}: {error}), and conversion works on a "
            "copy so that yours stays untouched. Remove that attribute from the generator before converting."
        ) from error
