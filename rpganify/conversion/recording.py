"""Records one forward pass as it runs: every torch function and every known layer, with their operands.

Python itself is not interpreted: whatever control flow did for these inputs is what the record shows.
`tracing` makes a graph of two such records taken at different batch sizes.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils.checkpoint import CheckpointFunction

from rpganify.conversion.operators import IGNORES_CONTENT, RANDOM
from rpganify.conversion.record import Call, Place, Recording, Ref, Value, state_tensors
from rpganify.structure import map_leaves

# Frames of these files are ours or the library's; the first other one is the line of the user's code.
_LIBRARY = (str(Path(torch.__file__).parent), str(Path(__file__).parent), "<frozen", "<string>", "<eval_with_key>")


def _python_numbers(module: nn.Module) -> dict[str, Any]:
    """Plain numbers and truth values that submodules keep as attributes."""
    return {
        f"{prefix}.{name}" if prefix else name: value
        for prefix, child in module.named_modules()
        for name, value in vars(child).items()
        if isinstance(value, (int, float)) and not name.startswith("_")
    }


class Recorder(TorchFunctionMode):
    """Watches one forward pass.

    Args:
        module: the generator; its state tensors and submodules get their names from it.
        is_leaf: `(module, args, kwargs)`; whether such a call of a layer is recorded as one step.
        keeps_functions: whether a custom autograd.Function is one call, with its own backward, or the operations of
            its forward, whose derivative it should be.
    """

    def __init__(
        self,
        module: nn.Module,
        is_leaf: Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], bool],
        keeps_functions: bool = False,
    ) -> None:
        super().__init__()
        self.record = Recording()
        self._is_leaf = is_leaf
        self._keeps_functions = keeps_functions
        self._numbers: dict[int, int] = {}
        # Alive as long as the record, so that their identities are not given to other tensors.
        self._aliases: list[Tensor] = []
        self._is_paused = False
        self._scopes = [""]
        self._codes = _function_codes()
        self._module_names: dict[int, str] = {}
        for name, child in module.named_modules():
            self._module_names.setdefault(id(child), name)
        for name, tensor in state_tensors(module).items():
            self._add(Value(tensor, "state", name))
        self._numbers_before = _python_numbers(module)

    def add_input(self, name: str, tensor: Tensor) -> None:
        """Declares a tensor that the forward pass is called with."""
        self._add(Value(tensor, "input", name, is_tainted=True))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Records inside the block."""
        original = nn.Module.__call__

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            return self._call_module(original, module, args, kwargs)

        def apply(cls: type[torch.autograd.Function], *args: Any, **kwargs: Any) -> Any:
            return self._call_function(cls, args, kwargs)

        with ExitStack() as patches:
            patches.enter_context(mock.patch.object(nn.Module, "__call__", call))
            if self._keeps_functions:
                patches.enter_context(mock.patch.object(torch.autograd.Function, "apply", classmethod(apply)))
            patches.enter_context(seen_by_python())
            patches.enter_context(self)
            yield

    def finish(self, module: nn.Module, outputs: Any) -> Recording:
        """The record, once the forward pass has returned `outputs`."""
        self.record.outputs = map_leaves(outputs, self._ref)
        before = {v.name: i for i, v in enumerate(self.record.values) if v.kind == "state"}
        for name, tensor in state_tensors(module).items():
            number = self._numbers.get(id(tensor))
            # By identity: an operation that returned the state tensor itself gave it another number.
            if name in before and number is not None and self.record.values[before[name]].tensor is not tensor:
                self.record.rebound[name] = number
        for name, after in _python_numbers(module).items():
            known = self._numbers_before.get(name, after)
            if known != after and known == known:
                self.record.changed_numbers.append((name, known, after))
        return self.record

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._is_paused:
            return func(*args, **kwargs)
        references, refs_kwargs, tensors = self._operands(args, kwargs)
        versions = [tensor._version for tensor in tensors]
        outputs = func(*args, **kwargs)
        written = tuple(
            self._numbers[id(t)] for t, version in zip(tensors, versions, strict=True) if t._version != version
        )
        if is_data_assignment(func):
            # `u.data = v` leaves no trace in the version; for the record it is a write like any other.
            written = (self._numbers[id(args[0])],)
        self._note(func, None, references, refs_kwargs, tensors, outputs, written)
        return outputs

    def _call_module(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        name = self._module_names.get(id(module))
        if self._is_paused or name is None:
            return original(module, *args, **kwargs)
        self._scopes.append(name)
        try:
            if not self._is_leaf(module, args, kwargs):
                return original(module, *args, **kwargs)
            references, refs_kwargs, tensors = self._operands(args, kwargs)
            self._is_paused = True
            try:
                outputs = original(module, *args, **kwargs)
            finally:
                self._is_paused = False
            self._note(None, name, references, refs_kwargs, tensors, outputs, ())
            return outputs
        finally:
            self._scopes.pop()

    def _custom_function(self) -> str | None:
        """Name of the autograd.Function whose forward is running; None outside of one.

        Inside one, autograd is off by construction, not by the author's wish. Looking at the stack finds it
        also where `apply` was bound to another name before anybody could replace it.
        """
        return next((self._codes[f.f_code] for f in _user_frames() if f.f_code in self._codes), None)

    def _call_function(self, cls: type[torch.autograd.Function], args: Any, kwargs: Any) -> Any:
        original = super(torch.autograd.Function, cls).apply  # type: ignore[misc]
        if self._is_paused:
            return original(*args, **kwargs)
        references, refs_kwargs, tensors = self._operands(args, kwargs)
        self._is_paused = True
        try:
            outputs = original(*args, **kwargs)
        finally:
            self._is_paused = False
        self._note(custom_call(cls), None, references, refs_kwargs, tensors, outputs, ())
        return outputs

    def _operands(self, args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any], list[Tensor]]:
        tensors: list[Tensor] = []

        def refer(leaf: Any) -> Any:
            if isinstance(leaf, Tensor):
                tensors.append(leaf)
            return self._ref(leaf)

        return map_leaves(tuple(args), refer), map_leaves(dict(kwargs), refer), tensors

    def _note(
        self,
        function: Callable[..., Any] | None,
        layer: str | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        tensors: list[Tensor],
        outputs: Any,
        written: tuple[int, ...],
    ) -> None:
        made: list[Tensor] = []
        map_leaves(outputs, lambda leaf: made.append(leaf) if isinstance(leaf, Tensor) else leaf)
        values = self.record.values
        is_tainted = any(values[self._numbers[id(t)]].is_tainted for t in tensors)
        if not made and not written:
            self._note_read(function, tensors, outputs, is_tainted)
            return
        place = user_place()
        is_grad = torch.is_grad_enabled()
        if not is_grad:
            owner = self._custom_function()
            if owner is not None:
                is_grad = True
                if owner not in self.record.custom_functions:
                    self.record.custom_functions.append(owner)
        name = getattr(function, "__name__", "")
        is_tainted = (is_tainted and name not in IGNORES_CONTENT) or name in RANDOM
        for tensor in made:
            known = self._numbers.get(id(tensor))
            if known is None or known not in written:
                self._add(Value(tensor, "made", is_tainted=is_tainted))
        for number in written:
            values[number].is_tainted |= is_tainted
        recorded = map_leaves(outputs, self._ref)
        drawn = made[0].detach().clone() if name in RANDOM and len(made) == 1 else None
        self.record.calls.append(
            Call(function, layer, args, kwargs, recorded, written, is_grad, self._scopes[-1], place, drawn)
        )

    def _note_read(
        self, function: Callable[..., Any] | None, tensors: list[Tensor], outputs: Any, is_tainted: bool
    ) -> None:
        """Content that leaves the tensors becomes a constant of the record; remember where."""
        name = getattr(function, "__name__", "")
        if name not in ("__bool__", "item", "__int__", "__float__", "__index__", "tolist", "numpy", "__array__"):
            return
        place = user_place()
        if place is not None and place.text.startswith(("assert", "print")):
            return
        if is_tainted:
            self.record.content_reads.append((place, name))
        else:
            names = [self.record.values[self._numbers[id(t)]].name for t in tensors]
            self.record.state_reads.append((place, ", ".join(n for n in names if n)))

    def _ref(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        number = self._numbers.get(id(leaf))
        if number is None:
            number = self._alias_of(leaf)
            if number is not None:
                self._numbers[id(leaf)] = number
                self._aliases.append(leaf)
            else:
                content = leaf.detach().clone()
                number = self._add(Value(leaf, "constant", content=content))
        return Ref(number)

    def _alias_of(self, tensor: Tensor) -> int | None:
        """A known tensor over exactly the same memory: the same value under another Python object."""
        if tensor.numel() == 0 or tensor.layout != torch.strided:
            return None
        for number in range(len(self.record.values) - 1, -1, -1):
            known = self.record.values[number].tensor
            if (
                known.layout == torch.strided
                and known.data_ptr() == tensor.data_ptr()
                and known.shape == tensor.shape
                and known.stride() == tensor.stride()
                and known.dtype == tensor.dtype
            ):
                return number
        return None

    def _add(self, value: Value) -> int:
        number = len(self.record.values)
        self.record.values.append(value)
        self._numbers[id(value.tensor)] = number
        return number


@contextmanager
def seen_by_python() -> Iterator[None]:
    """Runs what torch hides from Python as the Python that it was made of; the values are the same.

    A scripted function (`@torch.jit.script`) runs as the function that was decorated, a checkpointed part without its
    checkpoint: the reentrant one runs outside autograd, and gives its parameters no gradient where no input has one.
    """
    scripted = torch.jit.ScriptFunction.__call__

    def call(function: Any, *args: Any, **kwargs: Any) -> Any:
        plain = getattr(function, "_torchdynamo_inline", None)
        return scripted(function, *args, **kwargs) if plain is None else plain(*args, **kwargs)

    def run(function: Callable[..., Any], preserve_random_state: bool, *args: Any) -> Any:
        return function(*args)

    with (
        mock.patch.object(torch.jit.ScriptFunction, "__call__", call),
        mock.patch.object(CheckpointFunction, "apply", run),
    ):
        yield


def is_data_assignment(function: Callable[..., Any] | None) -> bool:
    """Whether a recorded function is `tensor.data = value`."""
    return function is not None and (resolve_name(function) or "") == "torch.Tensor.data.__set__"


@cache
def custom_call(cls: type[torch.autograd.Function]) -> Callable[..., Any]:
    """A plain function that applies a custom autograd.Function; the same object for the same class."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return cls.apply(*args, **kwargs)

    call.__name__ = call.__qualname__ = re.sub(r"\W", "_", cls.__qualname__)
    call.__dict__["custom_function"] = cls
    return call


def _user_frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def user_place() -> Place | None:
    """The line of the user's code that is running."""
    for frame in _user_frames():
        if not frame.f_code.co_filename.startswith(_LIBRARY):
            return Place(frame.f_code.co_filename, frame.f_lineno)
    return None


def _function_codes() -> dict[CodeType, str]:
    """Code of the forward of every autograd.Function that is defined by now -> its name."""
    codes: dict[CodeType, str] = {}
    todo = list(torch.autograd.Function.__subclasses__())
    while todo:
        function = todo.pop()
        todo += function.__subclasses__()
        code = getattr(inspect.unwrap(function.forward), "__code__", None)
        if code is not None:
            codes[code] = function.__qualname__
    return codes
