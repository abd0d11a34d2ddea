"""Which operators keep a derivative from passing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# Piecewise constant, or cut off from what they were made of.
_FLAT = frozenset(
    """
    round floor ceil trunc sign sgn heaviside argmax argmin argsort bucketize searchsorted one_hot detach eq ne lt le
    gt ge floor_divide count_nonzero histc bincount bernoulli multinomial fake_quantize_per_tensor_affine
    """.split()
)


class _Listening(TorchDispatchMode):
    """Hears the names of all flat operators that are called inside."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.heard: dict[str, None] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        name = str(func.overloadpacket.__name__).removesuffix("_")
        is_cast = name == "_to_copy" and isinstance(made, torch.Tensor) and not made.is_floating_point()
        if name in _FLAT or is_cast:
            self.heard[f"a cast to {made.dtype}" if is_cast else name] = None
        return made


def find_culprits(run: Callable[[], Any]) -> list[str]:
    """Operators called by `run` whose derivative is 0 almost everywhere, or that cut it off, in their order."""
    with torch.no_grad(), _Listening() as listening:
        run()
    return list(listening.heard)


def operator_in(error: Exception) -> str:
    """The operator that an error of torch's differentiation is about; "An operator" where it does not say."""
    text = str(error)
    for pattern in (
        r"forward AD with (\w+)",
        r"derivative for '?(?:aten::)?(\w+)'?",
        r"(?:vmap|jvp)\b.*?(?:of|for) '?(?:aten::)?(\w+)",
        r"(\w+)Backward",
        r"Function (\w+)",
    ):
        found = re.search(pattern, text)
        if found:
            return f"The operator {found.group(1)}"
    return f"An operator ({text.splitlines()[0]})" if text else "An operator"
