"""A graph compiled to the Python function that runs it."""

from __future__ import annotations

from typing import Any

from torch import fx, nn


class Program:
    """Runs a graph over the tensors and layers of a module.

    Immutable: copies of a model share it.

    Args:
        graph: names in `get_attr` and `call_module` nodes are looked up in the module that is passed at each call.
    """

    def __init__(self, graph: fx.Graph) -> None:
        self.graph = graph
        code = graph.python_code("self")
        namespace = dict(code.globals)
        exec(compile(code.src, "<rpganify program>", "exec"), namespace)
        self._forward = namespace["forward"]

    def __call__(self, module: nn.Module, *inputs: Any, **named: Any) -> Any:
        return self._forward(module, *inputs, **named)

    def __deepcopy__(self, memo: dict[int, Any]) -> Program:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Program, (self.graph,)
