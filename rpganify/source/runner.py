"""One of the user's files as a module whose statements run when a name that they bind is asked for."""

from __future__ import annotations
import __future__

import ast
import contextlib
import importlib.machinery
import io
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpganify.source.failures import describe_failure
from rpganify.source.guard import RefusedEffect, effects_refused
from rpganify.source.names import bound_names, compiled, loads_data
from rpganify.source.randomness import random_states
from rpganify.source.slicing import Program, Slice, prune, simple_statements
from rpganify.source.text import Script, shown
from rpganify.source.unavailable import Unavailable

if TYPE_CHECKING:
    from rpganify.source.world import World

_FAILED_VALUE = "__rpganify_failed__"


class SlicedModule(types.ModuleType):
    """A module of the user's whose statements run when somebody asks for a name that they bind."""

    def __init__(self, world: World, name: str, path: Path, script: Script) -> None:
        super().__init__(name)
        is_package = path.name == "__init__.py" or path.is_dir()
        spec = importlib.machinery.ModuleSpec(name, None, origin=str(path), is_package=is_package)
        namespace = self.__dict__
        namespace["__file__"] = str(path)
        namespace["__doc__"] = script.docstring
        namespace["__spec__"] = spec
        namespace["__package__"] = name if is_package else name.rpartition(".")[0]
        namespace["__builtins__"] = world.builtins
        if is_package:
            namespace["__path__"] = [str(path if path.is_dir() else path.parent)]
        namespace["__rpganify__"] = Runner(world, self, script)

    def __getattr__(self, name: str) -> Any:
        runner = runner_of(self)
        if not (name.startswith("__") and name.endswith("__")) or name in runner.program.names:
            runner.require([name])
            if name in self.__dict__:
                return self.__dict__[name]
            submodule = runner.world.submodule(self, name)
            if submodule is not None:
                return submodule
        raise AttributeError(f"module {self.__name__.partition('.')[2]!r} has no attribute {name!r}")


class Runner:
    """Runs the statements of one file on demand, each at most once, in the order of the file.

    Args:
        world: the files that belong together.
        module: whose namespace they run in.
        script: the file.
    """

    def __init__(self, world: World, module: types.ModuleType, script: Script) -> None:
        self.world = world
        self.module = module
        self.script = script
        self.program = Program(script.statements, script.broken, script.flags)
        self._ran: set[ast.stmt] = set()
        self._starred: set[tuple[ast.stmt, str]] = set()

    def require(self, names: Iterable[str], before: int | None = None) -> Slice:
        """Runs what `names` need. A statement that fails leaves `Unavailable` values; nothing is raised.

        Args:
            names: of this module.
            before: see `Program.slice`.
        """
        names = list(names)
        chosen = self.program.slice(names, star_names=self.star_names, is_own=self.is_own, before=before)
        fresh = {node for node in chosen.nodes if node not in self._ran}
        self._ran |= fresh
        for name in {*chosen.unbound, *names}:
            piece = self.program.broken_piece(name)
            if piece is not None and name not in self.module.__dict__:
                where = shown(self.script.path)
                reason = f"{name!r} is defined in {where}, {piece.problem}. Correct that line."
                self.module.__dict__[name] = Unavailable(reason)
        if fresh or chosen.stars:
            with self.world.session(), random_states(0), effects_refused(self.world.owns):
                for node in prune(self.program.statements, fresh | set(chosen.stars)):
                    self.run(node, self.module.__dict__, chosen)
                self._touch_attributes(fresh)
        return chosen

    def run(self, node: ast.stmt, namespace: dict[str, Any], chosen: Slice | None = None) -> None:
        """Executes one top-level statement; what goes wrong is kept in the names that it binds."""
        stars = chosen.stars if chosen else {}
        printed = sys.stderr.tell() if isinstance(sys.stderr, io.StringIO) else 0
        try:
            for statement in self._with_own_stars(node, stars):
                for inner in simple_statements(statement):
                    if refused := loads_data(inner):
                        raise RefusedEffect(f"load data with `{refused}`")
                self._execute(statement, namespace)
        except (Exception, SystemExit) as error:
            said = sys.stderr.getvalue()[printed:] if isinstance(sys.stderr, io.StringIO) else ""
            reason = describe_failure(error, node, self.script.path, self.world.owns, said)
            for name in stars.get(node, ()):
                namespace.setdefault(name, Unavailable(reason))
            self._mark_failed(node, namespace, Unavailable(reason))

    def _execute(self, node: ast.stmt, namespace: dict[str, Any]) -> None:
        code = compiled(node, str(self.script.path), self.script.flags)
        try:
            exec(code, namespace)
        except NameError:
            # `def f(x: Tuple[int])` where Tuple was never imported: annotations as text, as PEP 563 has them.
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                raise
            flags = self.script.flags | __future__.annotations.compiler_flag
            exec(compiled(node, str(self.script.path), flags), namespace)

    def _mark_failed(self, node: ast.stmt, namespace: dict[str, Any], failed: Unavailable) -> None:
        if isinstance(node, ast.Assign) and not all(isinstance(target, ast.Name) for target in node.targets):
            # `opt.root = download()` spoils that one attribute, not all of `opt`.
            spoiled = ast.Assign(node.targets, ast.Name(_FAILED_VALUE, ast.Load()))
            ast.fix_missing_locations(ast.copy_location(spoiled, node))
            with contextlib.suppress(Exception):
                exec(compiled(spoiled, "<failed>"), namespace, {_FAILED_VALUE: failed})
                return
        for inner in simple_statements(node):
            changed = self.program.changes(inner) if isinstance(inner, ast.Expr) else frozenset()
            for name in (bound_names(inner) | changed) - {"*"}:
                namespace[name] = failed

    def _with_own_stars(self, node: ast.stmt, stars: Mapping[ast.stmt, set[str]]) -> Iterator[ast.stmt]:
        """A star import of one of the user's files becomes an import of the names that are needed."""
        if node not in stars:
            yield node
            return
        assert isinstance(node, ast.ImportFrom)
        for name in sorted(stars[node]):
            if (node, name) not in self._starred:
                self._starred.add((node, name))
                single = ast.ImportFrom(node.module, [ast.alias(name)], node.level)
                yield ast.fix_missing_locations(ast.copy_location(single, node))

    def star_names(self, node: ast.ImportFrom) -> dict[str, bool] | None:
        """The public names of a star-imported file of the user's; None for an installed package."""
        module = self.world.resolve(node.module or "", node.level, self.script.path)
        return runner_of(module).public_names() if module is not None else None

    def public_names(self, seen: frozenset[Path] = frozenset()) -> dict[str, bool]:
        """What `from this import *` gives, by its text: True for what is defined here or in a file starred here."""
        names: dict[str, bool] = {}
        listed: list[str] | None = None
        for unit in self.program.units:
            node = unit.node
            if isinstance(node, ast.Assign) and "__all__" in unit.binds:
                with contextlib.suppress(ValueError):
                    listed = list(ast.literal_eval(node.value))
            elif isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                inner = self.world.resolve(node.module or "", node.level, self.script.path)
                if inner is not None and self.script.path not in seen:
                    names.update(runner_of(inner).public_names(seen | {self.script.path}))
            elif unit.is_run:
                is_import = isinstance(node, (ast.Import, ast.ImportFrom))
                names.update(dict.fromkeys(unit.binds, not is_import))
        for piece in self.program.broken:
            names.update(dict.fromkeys(piece.names, True))
        if listed is not None:
            return {name: names.get(name, False) for name in listed}
        return {name: is_defined for name, is_defined in names.items() if not name.startswith("_")}

    def is_own(self, node: ast.stmt) -> bool:
        """Whether an import statement brings something from the user's files."""
        if isinstance(node, ast.ImportFrom):
            return self.world.resolve(node.module or "", node.level, self.script.path) is not None
        if isinstance(node, ast.Import):
            return self.world.resolve(node.names[0].name, 0, self.script.path) is not None
        return True

    def _touch_attributes(self, nodes: set[ast.stmt]) -> None:
        """Runs now what `helpers.f` will need later: nothing of a script should first run in a forward pass."""
        for node in nodes:
            for access in ast.walk(node):
                chain = _dotted(access) if isinstance(access, ast.Attribute) else []
                value: Any = self.module.__dict__.get(chain[0]) if chain else None
                for name in chain[1:]:
                    if not isinstance(value, SlicedModule):
                        break
                    if name == "__dict__":
                        runner_of(value).require(runner_of(value).program.names)
                    value = getattr(value, name, None)


def _dotted(node: ast.expr) -> list[str]:
    """["a", "b", "c"] for `a.b.c`; empty for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []


def runner_of(module: types.ModuleType) -> Runner:
    """The runner of one of the user's modules."""
    runner: Runner = module.__dict__["__rpganify__"]
    return runner
