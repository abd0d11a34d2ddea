"""How a script itself makes its generator: with which arguments, and how it initialises it."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rpganify.errors import SourceError
from rpganify.source.names import Definition, Function, compiled, is_block, is_main_guard, used_names
from rpganify.source.runner import Runner
from rpganify.source.text import Script, one_line
from rpganify.source.unavailable import reason_of

_PLACING = {"to", "cuda", "cpu", "train", "eval", "apply", "share_memory", "requires_grad_"}
_MADE = "__made__"
_USUAL_FUNCTIONS = ("main", "train", "run")


class Scope:
    """The names that one stretch of a script sees: its top level, its main block, or a function's body.

    Args:
        runner: of the whole file.
        body: statements of the main block or function; None for the top level.
    """

    def __init__(self, runner: Runner, body: list[ast.stmt] | None = None) -> None:
        self._file = runner
        self._runner = runner
        if body is not None:
            script = Script(runner.script.path, tuple(body), (), runner.script.flags, runner.script.sha256)
            self._runner = Runner(runner.world, types.ModuleType(runner.module.__name__), script)
        self.program = self._runner.program

    def evaluate(self, expression: ast.expr, before: int, given: Mapping[str, Any] | None = None) -> Any:
        """The value of an expression as it would be at one place of this scope.

        Args:
            expression: may use any name that the scope sees.
            before: position in `program` of the statement that holds it.
            given: names that have these values instead.
        Raises:
            SourceError: what it needs cannot be had; the message says why.
        """
        given = given or {}
        wanted = used_names(expression) - set(given)
        if self._runner is self._file:
            self._file.require(wanted, before=before)
        else:
            outer = self.program.slice(wanted, before=before).unbound
            self._file.require(outer)
            for name, value in self._file.module.__dict__.items():
                self._runner.module.__dict__.setdefault(name, value)
            self._runner.require(wanted, before=before)
        namespace = {**self._runner.module.__dict__, **given}
        for name in sorted(wanted):
            reason = reason_of(namespace.get(name))
            if reason:
                raise SourceError(reason)
        return eval(compiled(expression, str(self._file.script.path), self._file.script.flags), namespace)


@dataclass(frozen=True, slots=True)
class Construction:
    """A call of the class somewhere in its script.

    Args:
        call: `Generator(opt.latent_dim)`.
        variable: what it is assigned to, "" if nothing.
        scope: where it stands.
        position: of its statement in the scope's program.
        chained: a function that `.apply(f)` hands to it in the same statement.
    """

    call: ast.Call
    variable: str
    scope: Scope
    position: int
    chained: tuple[ast.Call, ...] = ()

    @property
    def text(self) -> str:
        """`Generator(opt.latent_dim)  # line 143`."""
        return f"{one_line(ast.unparse(self.call), 120)}  # line {self.call.lineno}"

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The values that the script passes, computed anew.

        Raises:
            SourceError: one of them cannot be had without running more of the script.
        """
        capture = ast.Call(ast.Name("__capture__", ast.Load()), self.call.args, self.call.keywords)
        ast.fix_missing_locations(ast.copy_location(capture, self.call))

        def captured(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
            return args, kwargs

        values: tuple[tuple[Any, ...], dict[str, Any]]
        values = self.scope.evaluate(capture, self.position, {"__capture__": captured})
        for value in (*values[0], *values[1].values()):
            reason = reason_of(value)
            if reason:
                raise SourceError(reason)
        return values


@dataclass(frozen=True, slots=True)
class Initialiser:
    """A call by which the script initialises its generator: `generator.apply(weights_init)`."""

    call: ast.Call
    construction: Construction
    position: int

    @property
    def text(self) -> str:
        """`generator.apply(weights_init)  # line 120`."""
        text = ast.unparse(self.call).replace(_MADE, ast.unparse(self.construction.call))
        return f"{one_line(text, 120)}  # line {self.call.lineno}"

    def apply(self, instance: object) -> None:
        """Runs the call on a fresh instance."""
        variable = self.construction.variable
        self.construction.scope.evaluate(self.call, self.position, {variable: instance, _MADE: instance})


def find_construction(runner: Runner, class_name: str, variable: str | None = None) -> Construction | None:
    """Where a script makes the class: at top level, else in its main block, else in a function such as `main`.

    Args:
        runner: of the file.
        class_name: a class or function of it.
        variable: only constructions that are assigned to this name.
    """
    for scope in _scopes(runner):
        for unit in scope.program.units:
            if isinstance(unit.node, Definition) or (scope.program is runner.program and not unit.is_run):
                continue
            for call in ast.walk(unit.node) if not is_block(unit.node) else ():
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == class_name:
                    target = _target(unit.node)
                    if variable is None or target == variable:
                        chained = tuple(_chained_applies(unit.node))
                        return Construction(call, target, scope, scope.program.position(unit.node), chained)
    return None


def find_initialisers(construction: Construction) -> tuple[Initialiser, ...]:
    """Calls after a construction that initialise what it made; those under an `if` that does not hold are left out."""
    found = [Initialiser(call, construction, construction.position) for call in construction.chained]
    program = construction.scope.program
    for unit in program.units:
        position = program.position(unit.node)
        value = getattr(unit.node, "value", None) if isinstance(unit.node, (ast.Expr, ast.Assign)) else None
        if position <= construction.position or not isinstance(value, ast.Call) or not construction.variable:
            continue
        if _initialises(value, construction.variable) and _holds(construction.scope, unit.ancestors, unit.node):
            found.append(Initialiser(value, construction, position))
    return tuple(found)


def without_placing(expression: ast.expr) -> ast.expr:
    """A construction without what only moves or wraps its result: `.to(device)`, `.cuda()`, `DataParallel(…)`."""
    while isinstance(expression, ast.Call):
        function = expression.func
        if isinstance(function, ast.Attribute) and function.attr in _PLACING and isinstance(function.value, ast.Call):
            expression = function.value
        elif ast.unparse(function).endswith("DataParallel") and expression.args:
            expression = expression.args[0]
        else:
            break
    return expression


def _scopes(runner: Runner) -> Iterator[Scope]:
    yield Scope(runner)
    for node in runner.program.statements:
        if isinstance(node, ast.If) and is_main_guard(node):
            yield Scope(runner, node.body)
    functions = [node for node in runner.program.statements if isinstance(node, Function)]
    functions.sort(key=lambda node: _USUAL_FUNCTIONS.index(node.name) if node.name in _USUAL_FUNCTIONS else 9)
    for function in functions:
        yield Scope(runner, [*_defaults(function), *function.body])


def _defaults(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.stmt]:
    """A function's default arguments as assignments in front of its body."""
    names = [*function.args.posonlyargs, *function.args.args]
    pairs = list(zip(names[len(names) - len(function.args.defaults) :], function.args.defaults, strict=True))
    pairs += [(a, d) for a, d in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True) if d is not None]
    for name, value in pairs:
        statement = ast.Assign([ast.Name(name.arg, ast.Store())], value)
        yield ast.fix_missing_locations(ast.copy_location(statement, function))


def _target(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    return ""


def _chained_applies(node: ast.stmt) -> Iterator[ast.Call]:
    """`Generator().apply(f)` as the call `__made__.apply(f)`."""
    for call in ast.walk(node):
        function = call.func if isinstance(call, ast.Call) else None
        if isinstance(call, ast.Call) and isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
            if function.attr != "apply":
                continue
            own = ast.Attribute(ast.Name(_MADE, ast.Load()), "apply", ast.Load())
            moved = ast.Call(own, call.args, call.keywords)
            yield ast.fix_missing_locations(ast.copy_location(moved, call))


def _initialises(call: ast.Call, variable: str) -> bool:
    """`netG.apply(f)`, `netG.weight_init(…)` or `init_weights(netG, …)`."""
    function = call.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == variable:
        return function.attr == "apply" or "init" in function.attr.lower()
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    arguments = [argument.id for argument in call.args if isinstance(argument, ast.Name)]
    return "init" in name.lower() and arguments[:1] == [variable]


def _holds(scope: Scope, ancestors: tuple[ast.stmt, ...], node: ast.stmt) -> bool:
    """Whether the tests of all `if`s around a statement come out so that it runs; unknown counts as no."""
    inner: ast.stmt = node
    for block in reversed(ancestors):
        if isinstance(block, ast.If) and not is_main_guard(block):
            try:
                is_true = bool(scope.evaluate(block.test, scope.program.position(block)))
            except Exception:
                return False
            if is_true != any(inner is child for child in block.body):
                return False
        elif isinstance(block, (ast.For, ast.While)):
            return False
        inner = block
    return True
