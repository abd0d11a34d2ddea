"""From the names that somebody needs to the statements that must run, and no others."""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rpganify.source.names import (
    Definition,
    Function,
    bound_names,
    changed_names,
    globals_set_inside,
    header_uses,
    is_block,
    is_main_guard,
    parser_of,
    root_name,
    trains,
    used_names,
)
from rpganify.source.text import BrokenPiece, sections

_BUILTIN_NAMES = frozenset(dir(builtins))
_DYNAMIC = {"globals", "locals", "eval", "exec"}


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """A simple statement, or the header of a block, somewhere at top level.

    Args:
        node: the statement.
        ancestors: the blocks around it, outermost first.
        binds: names that it assigns.
        changes: names whose objects it changes in place.
        is_run: False below `if __name__ == "__main__":` and in training loops.
    """

    node: ast.stmt
    ancestors: tuple[ast.stmt, ...]
    binds: frozenset[str]
    changes: frozenset[str]
    is_run: bool


@dataclass(slots=True)
class Slice:
    """What must run for some names.

    Args:
        nodes: simple statements and block headers to keep.
        stars: names to take from each `from x import *`.
        unbound: names that nothing in the file binds; builtins among them.
    """

    nodes: set[ast.stmt] = field(default_factory=set)
    stars: dict[ast.stmt, set[str]] = field(default_factory=dict)
    unbound: set[str] = field(default_factory=set)


StarNames = Callable[[ast.ImportFrom], Mapping[str, bool] | None]


class Program:
    """The top-level statements of one file (or of one function's body), and how they hang together.

    Args:
        statements: in order.
        broken: pieces that do not parse.
        flags: compiler flags.
    """

    def __init__(self, statements: Iterable[ast.stmt], broken: Iterable[BrokenPiece] = (), flags: int = 0) -> None:
        self.statements = tuple(statements)
        self.broken = tuple(broken)
        self.flags = flags
        self._uses: dict[ast.stmt, frozenset[str]] = {}
        nodes = list(_walk(self.statements, (), True))
        parsers, parents = _parsers(node for node, _, _ in nodes)
        setters = {
            n.name: globals_set_inside(n)
            for n, _, _ in nodes
            if isinstance(n, Function) and n.name != "main" and not trains(n)
        }
        self.units = tuple(
            Unit(n, above, _binds(n, setters), _with_parents(_changes(n, parsers), parents), is_run)
            for n, above, is_run in nodes
        )
        self._position = {unit.node: index for index, unit in enumerate(self.units)}
        self._binders: dict[str, list[Unit]] = {}
        self._changers: dict[str, list[Unit]] = {}
        for unit in self.units:
            for name in unit.binds:
                self._binders.setdefault(name, []).append(unit)
            for name in unit.changes:
                self._changers.setdefault(name, []).append(unit)

    @property
    def names(self) -> frozenset[str]:
        """All names that the file binds where it can be run; those of broken pieces too."""
        found = {name for name, units in self._binders.items() if any(unit.is_run for unit in units)}
        return frozenset(found.union(*(piece.names for piece in self.broken)))

    def broken_piece(self, name: str) -> BrokenPiece | None:
        """The last piece that would define `name` but does not parse; None if a good statement does, too."""
        if any(unit.is_run for unit in self._binders.get(name, ())):
            return None
        return next((piece for piece in reversed(self.broken) if name in piece.names), None)

    def definitions(self, name: str) -> list[ast.stmt]:
        """The statements that bind a name, in order."""
        return [unit.node for unit in self._binders.get(name, ()) if unit.is_run]

    def position(self, node: ast.stmt) -> int:
        """A statement's place in the order of `units`."""
        return self._position[node]

    def binds(self, node: ast.stmt) -> frozenset[str]:
        """Names that a statement of this file binds."""
        return self.units[self._position[node]].binds if node in self._position else frozenset()

    def changes(self, node: ast.stmt) -> frozenset[str]:
        """Variables whose objects a statement of this file changes in place."""
        return self.units[self._position[node]].changes if node in self._position else frozenset()

    def uses(self, node: ast.stmt) -> frozenset[str]:
        """Names that a statement, or a block's header, looks up; none if it does not compile."""
        if node not in self._uses:
            try:
                names = header_uses(node, self.flags) if is_block(node) else used_names(node, self.flags)
            except (SyntaxError, ValueError, RecursionError):
                names = frozenset()
            self._uses[node] = names
        return self._uses[node]

    def slice(
        self,
        names: Iterable[str],
        *,
        star_names: StarNames = lambda node: None,
        is_own: Callable[[ast.stmt], bool] = lambda node: True,
        before: int | None = None,
    ) -> Slice:
        """The statements that must run before `names` mean what they mean in the file.

        Args:
            names: to start from.
            star_names: what a `from x import *` offers, True for what is defined there and False for what
                is imported there; None if only running it tells.
            is_own: whether an import is of the user's files: what others own is not changed in our process.
            before: position of the statement that first makes use of the names. Of a name that is bound
                several times, what comes later is left out.
        """
        result = Slice()
        todo = set(names)
        done: set[str] = set()
        while todo:
            name = todo.pop()
            done.add(name)
            for unit in self._units_for(name, is_own, before):
                todo |= self._keep(unit, result)
            if not any(unit.is_run for unit in self._binders.get(name, ())):
                todo |= self._from_stars(name, star_names, result)
            if name in _DYNAMIC and name not in self._binders:
                # A name that is looked up as text can be any definition of the file.
                todo |= {unit.node.name for unit in self.units if unit.is_run and isinstance(unit.node, Definition)}
            if not todo - done:
                for unit in self._registrations(done, result):
                    todo |= self._keep(unit, result)
            todo -= done
        result.unbound = {name for name in done if name not in self._binders}
        return result

    def _units_for(self, name: str, is_own: Callable[[ast.stmt], bool], before: int | None) -> list[Unit]:
        binders = [unit for unit in self._binders.get(name, ()) if unit.is_run]
        changers = [unit for unit in self._changers.get(name, ()) if unit.is_run]
        imports = [unit.node for unit in binders if isinstance(unit.node, (ast.Import, ast.ImportFrom))]
        if imports and len(imports) == len(binders) and not any(is_own(node) for node in imports):
            changers = []
        if before is not None:
            early = [unit for unit in binders if self._position[unit.node] < before]
            if early:
                binders = early
                changers = [unit for unit in changers if self._position[unit.node] < before]
        return binders + changers

    def _keep(self, unit: Unit, result: Slice) -> set[str]:
        """Adds a unit and what its blocks need to stay meaningful; returns the names this asks for."""
        if unit.node in result.nodes:
            return set()
        result.nodes.add(unit.node)
        names = set(self.uses(unit.node))
        if isinstance(unit.node, (ast.Import, ast.ImportFrom)):
            for setup in self.units:
                if setup.is_run and _extends_sys_path(setup.node):
                    names |= self._keep(setup, result)
        inner = unit.node
        for block in reversed(unit.ancestors):
            names |= self.uses(block)
            for other in self._companions(block, inner):
                names |= self._keep(other, result)
            for other in self._exits_of_handlers(block):
                result.nodes.add(other.node)
                names |= self.uses(other.node)
            inner = block
        return names

    def _companions(self, block: ast.stmt, inner: ast.stmt) -> Iterator[Unit]:
        """Units of a block that decide whether or how often `inner` runs."""
        for unit in self.units:
            if block not in unit.ancestors:
                continue
            if isinstance(block, (ast.Try, ast.TryStar)):
                # What is outside the body (`HAS_X = False`) depends on which statement of the body fails.
                if not _is_in(block.body, inner) and _is_below(block.body, unit):
                    yield unit
            elif isinstance(block, ast.While) or (
                isinstance(block, ast.For) and isinstance(unit.node, (ast.Break, ast.Continue))
            ):
                yield unit

    def _exits_of_handlers(self, block: ast.stmt) -> Iterator[Unit]:
        """`raise` and `sys.exit()` in the handlers of a try: without them a failed import would pass for a good one."""
        for unit in self.units if isinstance(block, (ast.Try, ast.TryStar)) else ():
            is_exit = isinstance(unit.node, ast.Raise) or _is_exit(unit.node)
            if is_exit and block in unit.ancestors and not _is_below(getattr(block, "body", []), unit):
                yield unit

    def _from_stars(self, name: str, star_names: StarNames, result: Slice) -> set[str]:
        """Star imports that may bind `name`: of our own files the last that defines it, or else that imports it;
        else all that nobody can read."""
        needs: set[str] = set()
        unknown: list[Unit] = []
        importing: list[Unit] = []
        for unit in reversed(self.units):
            node = unit.node
            if not (isinstance(node, ast.ImportFrom) and node.names[0].name == "*" and unit.is_run):
                continue
            offered = star_names(node)
            if offered is None:
                unknown.append(unit)
            elif offered.get(name):
                result.stars.setdefault(node, set()).add(name)
                return self._keep(unit, result)
            elif name in offered:
                importing.append(unit)
        if importing:
            result.stars.setdefault(importing[0].node, set()).add(name)
            return self._keep(importing[0], result)
        if name not in _BUILTIN_NAMES:
            for unit in unknown:
                needs |= self._keep(unit, result)
        return needs

    def _registrations(self, names: set[str], result: Slice) -> Iterator[Unit]:
        """Definitions whose decorator writes into a needed variable (`@REGISTRY.add("x")`, `@register`)."""
        variables = {
            name
            for name in names
            if any(isinstance(unit.node, (ast.Assign, ast.AnnAssign)) for unit in self._binders.get(name, ()))
        }
        for unit in self.units:
            if unit.is_run and unit.node not in result.nodes and isinstance(unit.node, Definition):
                touched = {root_name(decorator) for decorator in unit.node.decorator_list} - {None}
                for name in list(touched):
                    for node in self.definitions(name or ""):
                        if isinstance(node, Definition):
                            touched |= self.uses(node)
                if touched & variables:
                    yield unit


def prune(nodes: Iterable[ast.stmt], keep: set[ast.stmt]) -> list[ast.stmt]:
    """The statements of `keep`, inside copies of their blocks; blocks that hold none are left out."""
    result: list[ast.stmt] = []
    for node in nodes:
        if not is_block(node):
            if node in keep:
                result.append(node)
            continue
        if node not in keep and not any(inner in keep for inner, _, _ in _walk([node], (), True)):
            continue
        block = copy.copy(node)
        for name in ("body", "orelse", "finalbody"):
            if hasattr(node, name):
                setattr(block, name, prune(getattr(node, name), keep))
        filler = ast.copy_location(ast.Pass(), node)
        if isinstance(block, (ast.Try, ast.TryStar)):
            block.handlers = [copy.copy(handler) for handler in block.handlers]
            for handler in block.handlers:
                handler.body = prune(handler.body, keep) or [filler]
            if not block.handlers and not block.finalbody:
                block.finalbody = [filler]
        if hasattr(block, "body") and not block.body:
            block.body = [filler]
        result.append(block)
    return result


def simple_statements(node: ast.stmt) -> Iterator[ast.stmt]:
    """A top-level statement and, if it is a block, the statements in it."""
    return (inner for inner, _, _ in _walk([node], (), True))


def _walk(
    nodes: Iterable[ast.stmt], ancestors: tuple[ast.stmt, ...], is_run: bool
) -> Iterator[tuple[ast.stmt, tuple[ast.stmt, ...], bool]]:
    for node in nodes:
        here = is_run and not (isinstance(node, (ast.For, ast.While, ast.AsyncFor)) and trains(node))
        yield node, ancestors, here
        if is_block(node):
            for section in sections(node):
                is_guarded = isinstance(node, ast.If) and is_main_guard(node) and section is node.body
                yield from _walk(section, (*ancestors, node), here and not is_guarded)


def _parsers(nodes: Iterator[ast.stmt]) -> tuple[frozenset[str], dict[str, str]]:
    found = [pair for node in nodes if (pair := parser_of(node))]
    return frozenset(name for name, _ in found), {name: parent for name, parent in found if parent}


def _changes(node: ast.stmt, parsers: frozenset[str]) -> frozenset[str]:
    return frozenset() if is_block(node) else changed_names(node, parsers)


def _with_parents(names: frozenset[str], parents: dict[str, str]) -> frozenset[str]:
    """An option added to a group is an option of the parser that the group belongs to."""
    result = set(names)
    for name in names:
        while (parent := parents.get(name)) and parent not in result:
            result.add(parent)
            name = parent
    return frozenset(result)


def _binds(node: ast.stmt, setters: dict[str, frozenset[str]]) -> frozenset[str]:
    names = bound_names(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name):
        names |= setters.get(node.value.func.id, frozenset())
    return names


def _is_in(nodes: list[ast.stmt], node: ast.stmt) -> bool:
    return any(node is other for other in nodes)


def _is_below(nodes: list[ast.stmt], unit: Unit) -> bool:
    return any(node is unit.node or node in unit.ancestors for node in nodes)


def _extends_sys_path(node: ast.stmt) -> bool:
    parts: list[ast.AST] = []
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        parts = [node.value.func]
    elif isinstance(node, (ast.Assign, ast.AugAssign)):
        parts = list(node.targets) if isinstance(node, ast.Assign) else [node.target]
    return any(ast.unparse(part).startswith("sys.path") for part in parts)


def _is_exit(node: ast.stmt) -> bool:
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return False
    return ast.unparse(node.value.func) in ("exit", "quit", "sys.exit", "os._exit")
