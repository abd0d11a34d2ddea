"""A graph compiled to the Python function that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, fx, nn

from rpganify.routing.routes import OF_PATHS, Route


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


class RoutedProgram:
    """A program over paths, in two parts: what the paths alone decide, and the arithmetic.

    The first reads numbers from the paths, which decide the shapes of the second; so torch.compile takes the second as
    one graph, for as long as the numbers of samples stay the same. Immutable, like its parts.

    Args:
        graph: its first input is the paths.
    Attributes:
        draws_noise: whether it uses the generator of random draws, its last input.
    """

    def __init__(self, graph: fx.Graph) -> None:
        self.graph = graph
        route, rest = _apart(graph)
        self._route, self._rest = Program(route), Program(rest)
        self.draws_noise = any(
            node.op == "placeholder" and node.target == "generator" and node.users for node in graph.nodes
        )

    def __call__(self, module: nn.Module, *inputs: Any, **named: Any) -> Any:
        paths, *others = inputs
        return self.run(module, self.route(paths), paths, *others, **named)

    def route(self, paths: Tensor) -> tuple[Route | Tensor | None, ...]:
        """What `run` needs to know of the paths `(N, num_buckets)`, on the CPU: routes, and indices of samples."""
        routed: tuple[Route | Tensor | None, ...] = self._route(_NOTHING, paths)
        return routed

    def run(
        self, module: nn.Module, routed: tuple[Route | Tensor | None, ...], paths: Tensor, *inputs: Any, **named: Any
    ) -> Any:
        """The rest: `routed` is what `route` gives for the paths, on the CPU or where the module is."""
        return self._rest(module, paths, *routed, *inputs, **named)

    def __deepcopy__(self, memo: dict[int, Any]) -> RoutedProgram:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return RoutedProgram, (self.graph,)


_NOTHING = nn.Module()


def _apart(graph: fx.Graph) -> tuple[fx.Graph, fx.Graph]:
    """What a graph computes from its first input by `OF_PATHS` alone, and the rest, which takes that after the input."""
    paths = next(iter(graph.nodes))
    routing, rest = fx.Graph(), fx.Graph()
    early = {paths: routing.placeholder(paths.name)}
    late = {paths: rest.placeholder(paths.name)}
    for node in graph.nodes:
        if node.target in OF_PATHS:
            early[node] = routing.node_copy(node, early.__getitem__)
    handed = [node for node in early if node is not paths and any(user not in early for user in node.users)]
    routing.output(tuple(early[node] for node in handed))
    late |= {node: rest.placeholder(node.name) for node in handed}
    for node in graph.nodes:
        if node not in early:
            late[node] = rest.node_copy(node, late.__getitem__)
    return routing, rest


class LatentPrograms:
    """The programs that take latents in the place of Z, and the modules that only they call; holds no tensors.

    Args:
        eval_program, train_program: over `(paths, latents, *conditions)`.
        calls: the modules by name.
    """

    def __init__(
        self, eval_program: RoutedProgram, train_program: RoutedProgram, calls: Mapping[str, nn.Module]
    ) -> None:
        self._programs = (eval_program, train_program)
        self._calls = dict(calls)

    def of_mode(self, is_training: bool) -> RoutedProgram:
        """The program of a mode."""
        return self._programs[is_training]

    def seen_by(self, tensors: nn.Module) -> nn.Module:
        """A model's tensors and layers, themselves and not copies, with these programs' modules beside them."""
        view = nn.Module()
        vars(view).update({group: vars(tensors)[group] for group in ("_parameters", "_buffers")})
        vars(view)["_modules"] = {**tensors._modules, **self._calls}
        return view
