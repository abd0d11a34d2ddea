"""Two records of one forward pass, at two batch sizes -> one graph in which the batch stays symbolic."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from rpganify.conversion.inputs import Example
from rpganify.conversion.matching import Matcher
from rpganify.conversion.operands import (
    collect,
    flat,
    has_ref,
    out_of_place,
    result_number,
    shares_memory,
)
from rpganify.conversion.operators import (
    FACTORIES,
    LIKE_DRAWS,
    RANDOM,
    TAKES_GENERATOR,
    classify,
    functions,
)
from rpganify.conversion.record import Call, Recording, Ref
from rpganify.conversion.recording import is_data_assignment
from rpganify.errors import ConversionError

_DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d")


def emit_graph(
    first: Recording,
    second: Recording,
    batches: tuple[int, int],
    example: Example,
    constants: dict[str, Tensor],
    freezes_noise: bool = False,
    is_training: bool = False,
) -> fx.Graph:
    """The graph that both records are instances of.

    Every node that stands for a tensor has `meta["shape"]` (a `Size` per dimension) and `meta["dtype"]`; every node
    that changes operands in place has `meta["written"]`, their nodes; `meta["place"]` is the user's line.

    Args:
        constants: tensors that the graph needs besides the generator's own are added here.
        freezes_noise: noise is drawn now, once, the same for every sample and call.
        is_training: whether the records are of train mode.
    Raises:
        ConversionError: the records differ in more than the batch size.
    """
    return _Emitter(first, second, batches, example, constants, freezes_noise, is_training).emit()


class _Emitter:
    def __init__(
        self,
        first: Recording,
        second: Recording,
        batches: tuple[int, int],
        example: Example,
        constants: dict[str, Tensor],
        freezes_noise: bool,
        is_training: bool,
    ) -> None:
        self.first, self.second, self.batches = first, second, batches
        self.example, self.freezes_noise, self.is_training = example, freezes_noise, is_training
        self.graph = fx.Graph()
        self.operands = Matcher(self.graph, first, second, batches, constants)
        self.nodes = self.operands.nodes
        self.detached: dict[fx.Node, fx.Node] = {}
        self.gradless: set[fx.Node] = set()
        self.generator: fx.Node | None = None

    def emit(self) -> fx.Graph:
        self._check_aligned()
        numbers = {v.name: i for i, v in enumerate(self.first.values) if v.kind == "input"}
        for spec in self.example.specs:
            node = self.graph.placeholder(spec.identifier)
            self.nodes[numbers[spec.name]] = self.operands.describe(node, numbers[spec.name])
        self.generator = self.graph.placeholder("generator", default_value=None)
        self.operands.start(next(node for node in self.graph.nodes if node.op == "placeholder"))
        needed = self._needed_calls()
        for index, (one, two) in enumerate(zip(self.first.calls, self.second.calls, strict=True)):
            if needed[index]:
                self._emit_call(one, two)
        self.operands.place = None
        outputs = self.operands.match(self.first.outputs, self.second.outputs)
        self._emit_rebound()
        self.graph.output(outputs)
        for node in reversed(list(self.graph.nodes)):
            unused_helper = node in (self.operands.batch, self.operands.device) or node.op == "get_attr"
            if unused_helper and not node.users:
                self.graph.erase_node(node)
        self.graph.lint()
        return self.graph

    def _check_aligned(self) -> None:
        for one, two in zip(self.first.calls, self.second.calls, strict=False):
            same = one.layer == two.layer and (one.function is two.function or one.name == two.name)
            if not same:
                raise ConversionError(
                    f"At batch size {self.batches[0]} the forward pass runs {one.name} at {one.place}, at batch size "
                    f"{self.batches[1]} it runs {two.name} at {two.place}: the program depends on the batch size (a Python "
                    "loop over the samples?). Write that step for the whole batch."
                )
        if len(self.first.calls) != len(self.second.calls):
            longer = max(self.first.calls, self.second.calls, key=len)
            extra = longer[min(len(self.first.calls), len(self.second.calls))]
            raise ConversionError(
                f"The forward pass runs {len(self.first.calls)} operations at batch size {self.batches[0]} and "
                f"{len(self.second.calls)} at {self.batches[1]} (first extra one: {extra.name} at {extra.place}): a Python "
                "loop over the samples. Write that step for the whole batch."
            )

    def _needed_calls(self) -> list[bool]:
        """Which calls the result, a state tensor or the random sequence depends on."""
        used: set[int] = set()
        collect(self.first.outputs, used)
        used.update(self._rebound().values())
        needed = [False] * len(self.first.calls)
        for index in range(len(self.first.calls) - 1, -1, -1):
            call = self.first.calls[index]
            made: set[int] = set()
            collect(call.outputs, made)
            is_draw = getattr(call.function, "__name__", "") in RANDOM
            if made & used or call.written or is_draw or call.layer is not None:
                needed[index] = True
                collect((call.args, call.kwargs), used)
        return needed

    def _rebound(self) -> dict[str, int]:
        """State that the forward pass replaced by a new tensor, where that tensor carries over to the next call."""
        read: set[int] = set()
        for call in self.first.calls:
            collect((call.args, call.kwargs), read)
        state = {v.name: i for i, v in enumerate(self.first.values) if v.kind == "state"}
        # What is recomputed before every use (weight norm's `weight`) was never read in its old value.
        return {name: number for name, number in self.first.rebound.items() if state[name] in read}

    def _emit_rebound(self) -> None:
        for name, number in self._rebound().items():
            state = next(i for i, v in enumerate(self.first.values) if v.kind == "state" and v.name == name)
            if self.first.values[number].tensor.shape != self.first.values[state].tensor.shape:
                raise ConversionError(
                    f"The forward pass replaces {name!r} by a tensor of another shape; what it leaves for the next call "
                    "cannot be kept. Register it with its final shape."
                )
            target = self._without_grad(self.operands.node(state))
            value = self._without_grad(self.operands.node(number))
            self._annotate(self.graph.call_method("copy_", (target, value)), None, (state,), number)

    def _emit_call(self, one: Call, two: Call) -> None:
        self.operands.place = one.place
        if is_data_assignment(one.function):
            self._emit_data_assignment(one, two)
            return
        if one.function is not None:
            for number in one.written:
                self.operands.adopt_overwritten(number, one.function)
        args, kwargs = self.operands.match(one.args, two.args), self.operands.match(one.kwargs, two.kwargs)
        if not one.is_grad:
            args, kwargs = (fx.node.map_arg(part, self._without_grad) for part in (args, kwargs))
        if one.layer is not None:
            node = self.graph.call_module(one.layer, args, kwargs)
            if not one.is_grad:
                # Its operands came without gradients, its parameters did not.
                self._annotate(node, one, (), result_number(one))
                node = self.graph.call_method("detach", (node,))
        elif self._is_needless_in_place(one):
            # The memory is the author's concern, not the graph's; and backward may need what was there.
            node = self._emit_out_of_place(one, args, kwargs)
            assert isinstance(one.outputs, Ref)
            self.nodes[one.outputs.value] = self.operands.describe(node, one.outputs.value)
            self._annotate(node, one, (), one.outputs.value)
            return
        else:
            node = self._emit_function(one, args, kwargs)
        self._annotate(node, one, one.written, result_number(one))
        if not one.is_grad:
            self.gradless.add(node)
        self._bind(one.outputs, node, one)

    def _emit_data_assignment(self, one: Call, two: Call) -> None:
        """`u.data = v`: the state keeps v, and what reads it from now on reads v itself, as autograd would."""
        (number, source), (_, other) = (tuple(ref.value for ref in call.args) for call in (one, two))
        if source != other or self.operands.shape(number) != self.operands.shape(source):
            raise ConversionError(
                f"The forward pass at {one.place} replaces a tensor's data by one of another shape or origin at each batch "
                "size; what it leaves for the next call cannot be kept."
            )
        target, value = (self._without_grad(self.operands.node(n)) for n in (number, source))
        self._annotate(self.graph.call_method("copy_", (target, value)), one, (number,), number)
        self.nodes[number] = value

    def _is_needless_in_place(self, call: Call) -> bool:
        """Whether an in-place operation may as well give a new tensor: nothing else sees its operand's memory."""
        if not isinstance(call.outputs, Ref) or not call.is_grad or call.function is None or not call.args:
            return False
        number = call.outputs.value
        if call.written not in ((), (number,)) or call.args[0] != Ref(number):
            return False
        kind, name = classify(call.function)
        if call.kwargs.get("inplace") is not True and out_of_place(name, kind) is None:
            return False
        values = self.first.values
        types = {values[ref.value].tensor.dtype for ref in flat((call.args, call.kwargs)) if isinstance(ref, Ref)}
        node = self.nodes.get(number)
        is_own = values[number].kind in ("made", "input") and len(types) == 1
        return is_own and node is not None and not shares_memory(node) and not any(shares_memory(u) for u in node.users)

    def _emit_out_of_place(self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> fx.Node:
        if call.kwargs.get("inplace") is True:
            return self._emit_function(call, args, {**kwargs, "inplace": False})
        assert call.function is not None
        kind, name = classify(call.function)
        plain = out_of_place(name, kind)
        assert plain is not None
        if kind == "method":
            return self.graph.call_method(plain, args, kwargs)
        return self.graph.call_function(functions()[plain], args, kwargs)

    def _emit_function(self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> fx.Node:
        assert call.function is not None
        kind, name = classify(call.function)
        short = name.rpartition(".")[2]
        is_noise = short in TAKES_GENERATOR or short in LIKE_DRAWS
        if self.freezes_noise and is_noise and call.drawn is not None and not _has_parameters(short, call):
            return self._emit_frozen(call, call.drawn, args, is_in_place=kind == "method")
        if self.freezes_noise and short in _DROPOUTS and self._is_active_dropout(call):
            return self._emit_frozen_dropout(call, short, args, kwargs)
        if short in LIKE_DRAWS and kind == "function":
            return self._emit_like_draw(LIKE_DRAWS[short], call, args, kwargs)
        if short in TAKES_GENERATOR and kwargs.get("generator") is None:
            kwargs = {**kwargs, "generator": self.generator}
        if short.removesuffix("_") == "squeeze" and len(args) == 1 and not {"dim", "axis"} & set(kwargs):
            # A batch of one sample has another axis of size 1, which is not meant.
            sizes = args[0].meta["shape"]
            args = (args[0], tuple(axis for axis, size in enumerate(sizes) if size == (0, 1)))
        if kind == "property":
            return self.graph.call_function(getattr, (args[0], name))
        if kind == "method":
            if short == "type" and len(args) == 2:
                return self.graph.call_method("to", (args[0], args[1]))
            return self.graph.call_method(name, args, kwargs)
        if kind == "foreign":
            node = self.graph.call_function(call.function, args, kwargs)
            node.meta["foreign"] = name
            return node
        if short in FACTORIES and kwargs.get("device") is None and not any(isinstance(a, Ref) for a in flat(call.args)):
            kwargs = {**kwargs, "device": self.operands.device}
        return self.graph.call_function(functions()[name], args, kwargs)

    def _emit_frozen(self, call: Call, drawn: Tensor, args: tuple[Any, ...], is_in_place: bool) -> fx.Node:
        """A draw of the recording in place of the random function: its first sample's, for every sample."""
        noise = self._repeated(call, drawn)
        return self.graph.call_method("copy_", (args[0], noise)) if is_in_place else noise

    def _emit_frozen_dropout(self, call: Call, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> fx.Node:
        """Dropout that is on in eval mode, with the mask of one draw."""
        assert call.drawn is not None
        share = kwargs["p"] if "p" in kwargs else args[1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(len(self.graph.nodes))
            mask = getattr(torch.nn.functional, name)(torch.ones_like(call.drawn), float(share), training=True)
        return self.graph.call_method("mul", (args[0], self._repeated(call, mask)))

    def _is_active_dropout(self, call: Call) -> bool:
        # In train mode dropout is a part of training, not of the images.
        if self.is_training or call.drawn is None or not isinstance(call.args[0], Ref):
            return False
        return not torch.equal(call.drawn, self.first.values[call.args[0].value].tensor)

    def _repeated(self, call: Call, content: Tensor) -> fx.Node:
        """The first sample of a recorded result as a constant, for every sample."""
        assert isinstance(call.outputs, Ref)
        shape = self.operands.shape(call.outputs.value)
        repeats: list[Any] = [1] * len(shape)
        for axis, (factor, _) in enumerate(shape):
            if factor:
                content, repeats[axis] = content.narrow(axis, 0, factor), self.operands.size((1, 0))
        constant = self.operands.lift(content)
        if not any(factor for factor, _ in shape):
            return constant
        node = self.graph.call_method("repeat", (constant, *repeats))
        node.meta["shape"], node.meta["dtype"] = shape, content.dtype
        return node

    def _emit_like_draw(self, draw: str, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> fx.Node:
        """`randn_like(x)` as `randn(x.shape)`, the same numbers, because only that takes a generator."""
        source = args[0]
        shape = [self.operands.size(size) for size in source.meta["shape"]]
        options = {k: v for k, v in kwargs.items() if k in ("dtype", "device", "requires_grad") and v is not None}
        options.setdefault("dtype", self.graph.call_function(getattr, (source, "dtype")))
        options.setdefault("device", self.graph.call_function(getattr, (source, "device")))
        function = functions()[f"torch.{draw}"]
        return self.graph.call_function(function, (shape,), {**options, "generator": self.generator})

    def _bind(self, outputs: Any, node: fx.Node, call: Call) -> None:
        """Gives the numbers of a call's results their nodes; parts of a tuple by item access."""
        if isinstance(outputs, Ref):
            # The result of an in-place call is the operand itself, which has its node.
            if outputs.value not in call.written and not self._is_bound_operand(outputs.value):
                self.nodes[outputs.value] = node
        elif isinstance(outputs, (tuple, list)):
            for index, part in enumerate(outputs):
                if has_ref(part):
                    item = self.graph.call_function(functions()["operator.getitem"], (node, index))
                    self._annotate(item, None, (), part.value if isinstance(part, Ref) else None)
                    if node in self.gradless:
                        self.gradless.add(item)
                    self._bind(part, item, call)
        elif isinstance(outputs, dict):
            for key, part in outputs.items():
                item = self.graph.call_function(functions()["operator.getitem"], (node, key))
                self._annotate(item, None, (), part.value if isinstance(part, Ref) else None)
                self._bind(part, item, call)

    def _is_bound_operand(self, number: int) -> bool:
        return number in self.nodes and self.first.values[number].kind in ("input", "state")

    def _annotate(self, node: fx.Node, call: Call | None, written: tuple[int, ...], number: int | None) -> None:
        if call is not None:
            node.meta["scope"] = call.scope
            node.meta["place"] = str(call.place) if call.place else ""
        if written:
            node.meta["written"] = tuple(self.operands.node(n) for n in written)
        if number is not None:
            self.operands.describe(node, number)
        elif call is not None and isinstance(call.outputs, (tuple, list)) and node.op != "placeholder":
            node.meta["shapes"] = tuple(
                self.operands.shape(part.value) if isinstance(part, Ref) else None for part in call.outputs
            )

    def _without_grad(self, node: fx.Node) -> fx.Node:
        """The node's tensor, invisible to autograd but over the same memory: how a no_grad block sees it."""
        if "shape" not in node.meta or not node.meta["dtype"].is_floating_point or node in self.gradless:
            return node
        if node not in self.detached:
            alias = self.graph.call_method("detach", (node,))
            alias.meta.update({k: v for k, v in node.meta.items() if k != "written"})
            alias.meta["alias_of"] = node
            self.detached[node] = alias
            self.detached[alias] = alias
        return self.detached[node]


def _has_parameters(name: str, call: Call) -> bool:
    """Whether a draw depends on tensors (`torch.normal(mean, std)`), so that it is no plain noise."""
    operands = call.args[1:] if name.endswith(("_", "_like")) else call.args
    return has_ref((operands, call.kwargs))
