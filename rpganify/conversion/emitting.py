"""Two records of one forward pass, at two batch sizes -> one graph in which the batch stays symbolic."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from rpganify.conversion.inputs import Example
from rpganify.conversion.operands import (
    LEGACY_TYPES,
    Size,
    collect,
    flat,
    has_ref,
    is_inner,
    out_of_place,
    python_number,
    result_number,
    shares_memory,
)
from rpganify.conversion.operators import (
    FACTORIES,
    LIKE_DRAWS,
    OVERWRITES,
    RANDOM,
    TAKES_GENERATOR,
    classify,
    functions,
)
from rpganify.conversion.recording import Call, Place, Recording, Ref, Value
from rpganify.errors import ConversionError

CONSTANTS = "lifted_constants"


def emit_graph(
    first: Recording,
    second: Recording,
    batches: tuple[int, int],
    example: Example,
    constants: dict[str, Tensor],
    freezes_noise: bool = False,
) -> fx.Graph:
    """The graph that both records are instances of.

    Every node that stands for a tensor has `meta["shape"]` (a `Size` per dimension) and `meta["dtype"]`; every node
    that changes operands in place has `meta["written"]`, their nodes; `meta["place"]` is the user's line.

    Args:
        constants: tensors that the graph needs besides the generator's own are added here.
        freezes_noise: noise is drawn now, once, the same for every sample and call.
    Raises:
        ConversionError: the records differ in more than the batch size.
    """
    return _Emitter(first, second, batches, example, constants, freezes_noise).emit()


class _Emitter:
    def __init__(
        self,
        first: Recording,
        second: Recording,
        batches: tuple[int, int],
        example: Example,
        constants: dict[str, Tensor],
        freezes_noise: bool,
    ) -> None:
        self.first, self.second, self.batches = first, second, batches
        self.example, self.constants, self.freezes_noise = example, constants, freezes_noise
        self.graph = fx.Graph()
        self.nodes: dict[int, fx.Node] = {}
        self.detached: dict[fx.Node, fx.Node] = {}
        self.gradless: set[fx.Node] = set()
        self.sizes: dict[Size, fx.Node] = {}
        self.place: Place | None = None
        self.generator: fx.Node | None = None

    def emit(self) -> fx.Graph:
        self._check_aligned()
        numbers = {v.name: i for i, v in enumerate(self.first.values) if v.kind == "input"}
        for spec in self.example.specs:
            node = self.graph.placeholder(spec.identifier)
            self.nodes[numbers[spec.name]] = self._describe(node, numbers[spec.name])
        self.generator = self.graph.placeholder("generator", default_value=None)
        self.like = next(node for node in self.graph.nodes if node.op == "placeholder")
        self.batch = self.graph.call_method("size", (self.like, 0))
        self.batch.meta["size"] = (1, 0)
        self.device = self.graph.call_function(getattr, (self.like, "device"))
        needed = self._needed_calls()
        for index, (one, two) in enumerate(zip(self.first.calls, self.second.calls, strict=True)):
            if needed[index]:
                self._emit_call(one, two)
        self.place = None
        outputs = self._match(self.first.outputs, self.second.outputs)
        self._emit_rebound()
        self.graph.output(outputs)
        for node in reversed(list(self.graph.nodes)):
            unused_helper = node in (self.batch, self.device) or node.op == "get_attr"
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
            target = self._without_grad(self._node(state))
            value = self._without_grad(self._node(number))
            self._annotate(self.graph.call_method("copy_", (target, value)), None, (state,), number)

    def _emit_call(self, one: Call, two: Call) -> None:
        self.place = one.place
        if one.function is not None:
            for number in one.written:
                self._adopt_overwritten(number, one.function)
        args, kwargs = self._match(one.args, two.args), self._match(one.kwargs, two.kwargs)
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
            self.nodes[one.outputs.value] = self._describe(node, one.outputs.value)
            self._annotate(node, one, (), one.outputs.value)
            return
        else:
            node = self._emit_function(one, args, kwargs)
        self._annotate(node, one, one.written, result_number(one))
        if not one.is_grad:
            self.gradless.add(node)
        self._bind(one.outputs, node, one)

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
        if short in LIKE_DRAWS and kind == "function":
            return self._emit_like_draw(LIKE_DRAWS[short], call, args, kwargs)
        if short in TAKES_GENERATOR and kwargs.get("generator") is None:
            kwargs = {**kwargs, "generator": self.generator}
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
            kwargs = {**kwargs, "device": self.device}
        return self.graph.call_function(functions()[name], args, kwargs)

    def _emit_frozen(self, call: Call, drawn: Tensor, args: tuple[Any, ...], is_in_place: bool) -> fx.Node:
        """A draw of the recording in place of the random function: its first sample's, for every sample."""
        assert isinstance(call.outputs, Ref)
        shape = self._shape(call.outputs.value)
        repeats: list[Any] = [1] * len(shape)
        for axis, (factor, _) in enumerate(shape):
            if factor:
                drawn, repeats[axis] = drawn.narrow(axis, 0, factor), self._size((1, 0))
        noise = self._lift(drawn)
        if any(factor for factor, _ in shape):
            noise = self.graph.call_method("repeat", (noise, *repeats))
        return self.graph.call_method("copy_", (args[0], noise)) if is_in_place else noise

    def _emit_like_draw(self, draw: str, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> fx.Node:
        """`randn_like(x)` as `randn(x.shape)`, the same numbers, because only that takes a generator."""
        source = args[0]
        shape = [self._size(size) for size in source.meta["shape"]]
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
            node.meta["written"] = tuple(self._node(n) for n in written)
        if number is not None:
            self._describe(node, number)
        elif call is not None and isinstance(call.outputs, (tuple, list)) and node.op != "placeholder":
            node.meta["shapes"] = tuple(
                self._shape(part.value) if isinstance(part, Ref) else None for part in call.outputs
            )

    def _describe(self, node: fx.Node, number: int) -> fx.Node:
        node.meta["shape"] = self._shape(number)
        node.meta["dtype"] = self.first.values[number].tensor.dtype
        axes = [axis for axis, (factor, _) in enumerate(node.meta["shape"]) if factor > 1]
        if len(axes) == 1 and is_inner(self.second.values[number].tensor, axes[0], self.batches):
            node.meta["is_inner"] = True
        return node

    def _shape(self, number: int) -> tuple[Size, ...]:
        one, two = self.first.values[number].tensor.shape, self.second.values[number].tensor.shape
        if len(one) != len(two):
            raise self._baked(f"a tensor of shape {tuple(one)} against {tuple(two)}")
        return tuple(self._fit(a, b) for a, b in zip(one, two, strict=True))

    def _fit(self, one: int, two: int) -> Size:
        step = self.batches[1] - self.batches[0]
        if (two - one) % step:
            raise self._baked(f"the size {one} against {two}")
        factor = (two - one) // step
        return factor, one - factor * self.batches[0]

    def _size(self, size: Size) -> Any:
        factor, rest = size
        if factor == 0:
            return rest
        if size not in self.sizes:
            node: fx.Node = self.batch
            table = functions()
            # Right after the batch node, so that every later node may use it.
            with self.graph.inserting_after(self.device):
                if factor != 1:
                    node = self.graph.call_function(table["operator.mul"], (node, factor))
            if rest:
                with self.graph.inserting_after(node if factor != 1 else self.device):
                    node = self.graph.call_function(table["operator.add"], (node, rest))
            node.meta["size"] = size
            self.sizes[size] = node
        return self.sizes[size]

    def _node(self, number: int) -> fx.Node:
        if number not in self.nodes:
            one, two = self.first.values[number], self.second.values[number]
            if one.kind == "state":
                node = self.graph.get_attr(one.name)
                node.meta["scope"] = one.name.rpartition(".")[0]
            elif one.kind == "constant":
                node = self._constant(one, two)
            else:
                raise ConversionError(f"{self._where()} uses a tensor whose making was not recorded.")
            self.nodes[number] = node
            self._describe(node, number)
        return self.nodes[number]

    def _constant(self, one: Value, two: Value) -> fx.Node:
        """A tensor that came from outside torch (numpy, a closure, a global)."""
        assert one.content is not None and two.content is not None
        if one.content.shape == two.content.shape and torch.equal(
            torch.nan_to_num(one.content), torch.nan_to_num(two.content)
        ):
            return self._lift(one.content)
        values = torch.cat([one.content.flatten(), two.content.flatten()]).unique()
        if len(values) == 1:
            shape = [self._size(self._fit(a, b)) for a, b in zip(one.content.shape, two.content.shape, strict=True)]
            return self.graph.call_function(
                torch.full, (shape, values[0].item()), {"dtype": one.content.dtype, "device": self.device}
            )
        raise ConversionError(
            f"{self._where()} uses a tensor of shape {tuple(one.content.shape)} that was computed outside torch (numpy, a "
            "list, or a function that torch cannot see) from the inputs or the batch size; the graph would repeat one "
            "sample's values for all. Compute it with torch."
        )

    def _lift(self, content: Tensor) -> fx.Node:
        """A tensor that becomes part of the model; equal ones are one."""
        for name, known in self.constants.items():
            if known.dtype == content.dtype and torch.equal(known, content):
                return self.graph.get_attr(name)
        name = f"{CONSTANTS}.c{len(self.constants)}"
        self.constants[name] = content.contiguous()
        return self.graph.get_attr(name)

    def _adopt_overwritten(self, number: int, function: Any) -> None:
        """`torch.FloatTensor(n, m).normal_()`: memory from outside that is written before it is read."""
        value = self.first.values[number]
        if number in self.nodes or value.kind != "constant" or function.__name__ not in OVERWRITES:
            return
        other = self.second.values[number]
        shape = [self._size(self._fit(a, b)) for a, b in zip(value.tensor.shape, other.tensor.shape, strict=True)]
        node = self.graph.call_function(torch.empty, (shape,), {"dtype": value.tensor.dtype, "device": self.device})
        self.nodes[number] = self._describe(node, number)

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

    def _match(self, one: Any, two: Any) -> Any:
        """One operand of the graph from its two instances."""
        if isinstance(one, Ref) and isinstance(two, Ref):
            if one.value != two.value:
                raise self._baked("another tensor")
            return self._node(one.value)
        if isinstance(one, (tuple, list)) and type(one) is type(two) and len(one) == len(two):
            parts = [self._match(a, b) for a, b in zip(one, two, strict=True)]
            return tuple(parts) if isinstance(one, tuple) else parts
        if isinstance(one, (tuple, list)) and type(one) is type(two):
            return self._match_repeated(list(one), list(two))
        if isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
            return {key: self._match(one[key], two[key]) for key in one}
        if isinstance(one, slice) and isinstance(two, slice):
            return slice(
                self._match(one.start, two.start), self._match(one.stop, two.stop), self._match(one.step, two.step)
            )
        one, two = python_number(one), python_number(two)
        if isinstance(one, torch.device):
            return self.device
        if isinstance(one, int) and isinstance(two, int) and not isinstance(one, bool):
            return self._size(self._fit(one, two)) if one != two else one
        if type(one) is not type(two):
            raise self._baked(f"{one!r} against {two!r}")
        if isinstance(one, type) or type(one).__name__ == "tensortype":
            return self._legacy_type(one)
        if isinstance(one, str) and one.startswith("torch.") and one.endswith("Tensor"):
            return self._legacy_type(one)
        if one == two or (isinstance(one, float) and one != one and two != two):
            return one
        raise self._baked(f"{one!r} against {two!r}")

    def _match_repeated(self, one: list[Any], two: list[Any]) -> fx.Node:
        """A list that is as long as the batch: `N * [x]`, the only kind of which a graph knows every entry."""
        period, rest = self._fit(len(one), len(two))
        pattern = one[:period]
        if rest or one != pattern * self.batches[0] or two != pattern * self.batches[1]:
            raise self._baked(f"{len(one)} entries against {len(two)}")
        parts = [self._match(a, b) for a, b in zip(pattern, two[:period], strict=True)]
        return self.graph.call_function(functions()["operator.mul"], (parts, self._size((1, 0))))

    def _legacy_type(self, kind: Any) -> torch.dtype:
        name = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
        dtype = LEGACY_TYPES.get(name.rpartition(".")[2])
        if dtype is None:
            raise ConversionError(f"{self._where()} takes {kind!r}, which a graph cannot hold.")
        return dtype

    def _where(self) -> str:
        return f"The forward pass at {self.place}" if self.place else "The forward pass"

    def _baked(self, difference: str) -> ConversionError:
        return ConversionError(
            f"{self._where()} has the batch size baked in: batch sizes {self.batches[0]} and {self.batches[1]} give "
            f"{difference}, which is no whole multiple of the batch. Take the size from the input (`x.size(0)`) there."
        )


def _has_parameters(name: str, call: Call) -> bool:
    """Whether a draw depends on tensors (`torch.normal(mean, std)`), so that it is no plain noise."""
    operands = call.args[1:] if name.endswith(("_", "_like")) else call.args
    return has_ref((operands, call.kwargs))
