"""A graph compiled to the Python function that runs it."""

from __future__ import annotations

from collections.abc import Mapping
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


class LatentPrograms:
    """The programs that take latents in the place of Z, and the modules that only they call; holds no tensors.

    Args:
        eval_program, train_program: over `(paths, latents, *conditions)`.
        calls: the modules by name.
    """

    def __init__(self, eval_program: Program, train_program: Program, calls: Mapping[str, nn.Module]) -> None:
        self._programs = (eval_program, train_program)
        self._calls = dict(calls)

    def of_mode(self, is_training: bool) -> Program:
        """The program of a mode."""
        return self._programs[is_training]

    def seen_by(self, tensors: nn.Module) -> nn.Module:
        """A model's tensors and layers, themselves and not copies, with these programs' modules beside them."""
        view = nn.Module()
        vars(view).update({group: vars(tensors)[group] for group in ("_parameters", "_buffers")})
        vars(view)["_modules"] = {**tensors._modules, **self._calls}
        return view
