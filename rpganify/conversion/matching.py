"""Operands of two instances of one call -> operands of the graph, in which the batch size is a symbol."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from rpganify.conversion.operands import LEGACY_TYPES, Size, is_inner, python_number
from rpganify.conversion.operators import OVERWRITES, functions
from rpganify.conversion.record import Place, Recording, Ref, Value
from rpganify.errors import ConversionError

CONSTANTS = "lifted_constants"


class Matcher:
    """The tensors and sizes of a graph that grows out of two records.

    Args:
        graph: new nodes go to its end.
        first, second: the records.
        batches: their batch sizes.
        constants: tensors that come from outside the generator are added here.
    """

    def __init__(
        self,
        graph: fx.Graph,
        first: Recording,
        second: Recording,
        batches: tuple[int, int],
        constants: dict[str, Tensor],
    ) -> None:
        self.graph, self.first, self.second, self.batches = graph, first, second, batches
        self.constants = constants
        self.nodes: dict[int, fx.Node] = {}
        self.place: Place | None = None
        self._sizes: dict[Size, fx.Node] = {}

    def start(self, like: fx.Node) -> None:
        """Reads batch size and device off an input, once all inputs have their nodes."""
        self.batch = self.graph.call_method("size", (like, 0))
        self.batch.meta["size"] = (1, 0)
        self.device = self.graph.call_function(getattr, (like, "device"))

    def describe(self, node: fx.Node, number: int) -> fx.Node:
        """The node, with the shape and type of the tensor that it stands for."""
        node.meta["shape"] = self.shape(number)
        node.meta["dtype"] = self.first.values[number].tensor.dtype
        axes = [axis for axis, (factor, _) in enumerate(node.meta["shape"]) if factor > 1]
        if len(axes) == 1 and is_inner(self.second.values[number].tensor, axes[0], self.batches[1]):
            node.meta["is_inner"] = True
        return node

    def shape(self, number: int) -> tuple[Size, ...]:
        """Shape of a tensor of the record, for any batch size."""
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

    def size(self, size: Size) -> Any:
        """A size as an operand: a number, or a node that computes it from the batch size."""
        factor, rest = size
        if factor == 0:
            return rest
        if size not in self._sizes:
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
            self._sizes[size] = node
        return self._sizes[size]

    def node(self, number: int) -> fx.Node:
        """The node of a tensor of the record."""
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
            self.describe(node, number)
        return self.nodes[number]

    def _constant(self, one: Value, two: Value) -> fx.Node:
        """A tensor that came from outside torch (numpy, a closure, a global)."""
        assert one.content is not None and two.content is not None
        if one.content.shape == two.content.shape and torch.equal(
            torch.nan_to_num(one.content), torch.nan_to_num(two.content)
        ):
            return self.lift(one.content)
        values = torch.cat([one.content.flatten(), two.content.flatten()]).unique()
        if len(values) == 1:
            shape = [self.size(self._fit(a, b)) for a, b in zip(one.content.shape, two.content.shape, strict=True)]
            return self.graph.call_function(
                torch.full, (shape, values[0].item()), {"dtype": one.content.dtype, "device": self.device}
            )
        raise ConversionError(
            f"{self._where()} uses a tensor of shape {tuple(one.content.shape)} that was computed outside torch (numpy, a "
            "list, or a function that torch cannot see) from the inputs or the batch size; the graph would repeat one "
            "sample's values for all. Compute it with torch."
        )

    def lift(self, content: Tensor) -> fx.Node:
        """A tensor that becomes part of the model; equal ones are one."""
        for name, known in self.constants.items():
            if known.dtype == content.dtype and torch.equal(known, content):
                return self.graph.get_attr(name)
        name = f"{CONSTANTS}.c{len(self.constants)}"
        self.constants[name] = content.contiguous()
        return self.graph.get_attr(name)

    def adopt_overwritten(self, number: int, function: Any) -> None:
        """`torch.FloatTensor(n, m).normal_()`: memory from outside that is written before it is read."""
        value = self.first.values[number]
        if number in self.nodes or value.kind != "constant" or function.__name__ not in OVERWRITES:
            return
        other = self.second.values[number]
        shape = [self.size(self._fit(a, b)) for a, b in zip(value.tensor.shape, other.tensor.shape, strict=True)]
        node = self.graph.call_function(torch.empty, (shape,), {"dtype": value.tensor.dtype, "device": self.device})
        self.nodes[number] = self.describe(node, number)

    def match(self, one: Any, two: Any) -> Any:
        """One operand of the graph from its two instances."""
        if isinstance(one, Ref) and isinstance(two, Ref):
            if one.value != two.value:
                raise self._baked("another tensor")
            return self.node(one.value)
        if isinstance(one, (tuple, list)) and type(one) is type(two) and len(one) == len(two):
            parts = [self.match(a, b) for a, b in zip(one, two, strict=True)]
            return tuple(parts) if isinstance(one, tuple) else parts
        if isinstance(one, (tuple, list)) and type(one) is type(two):
            return self._match_repeated(list(one), list(two))
        if isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
            return {key: self.match(one[key], two[key]) for key in one}
        if isinstance(one, slice) and isinstance(two, slice):
            return slice(
                self.match(one.start, two.start), self.match(one.stop, two.stop), self.match(one.step, two.step)
            )
        one, two = python_number(one), python_number(two)
        if isinstance(one, torch.device):
            return self.device
        if isinstance(one, int) and isinstance(two, int) and not isinstance(one, bool):
            return self.size(self._fit(one, two)) if one != two else one
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
        parts = [self.match(a, b) for a, b in zip(pattern, two[:period], strict=True)]
        return self.graph.call_function(functions()["operator.mul"], (parts, self.size((1, 0))))

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
