"""What a file sees of the package that is just importing it.

A package's `__init__.py` runs before its files. A file that takes a name from there gets what was bound
when the file's own turn came; a later import of the same name is not seen. On-demand loading has no such
order, so it is worked out from the text where it makes a difference.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rpganify.source.runner import Runner, runner_of

if TYPE_CHECKING:
    from rpganify.source.world import World


def early_binding(world: World, package: Runner, name: str, importer: Path) -> ast.ImportFrom | None:
    """The import in a package's `__init__.py` whose value of `name` a file of the package sees.

    Args:
        world: the files.
        package: runner of the `__init__.py`.
        name: what the file imports from there.
        importer: the file.
    Returns:
        None where order makes no difference: one import binds the name, or the file's turn comes after all.
    """
    providers = [unit for unit in package.program.units if unit.is_run and _binds(package, unit.node, name)]
    if len(providers) < 2 or not all(isinstance(unit.node, ast.ImportFrom) for unit in providers):
        return None
    turn = _turn_of(world, package, importer)
    early = [unit.node for unit in providers if turn is not None and package.program.position(unit.node) < turn]
    last = early[-1] if early else None
    return last if isinstance(last, ast.ImportFrom) and last is not providers[-1].node else None


def _binds(package: Runner, node: ast.stmt, name: str) -> bool:
    """Whether a statement binds a name to something that is defined where it comes from."""
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        return bool((package.star_names(node) or {}).get(name))
    return name in package.program.binds(node)


def _turn_of(world: World, package: Runner, importer: Path) -> int | None:
    """Position of the package's first statement that leads to a file being imported."""
    for unit in package.program.units:
        if unit.is_run and importer in _reached(world, package, unit.node, {package.script.path}):
            return package.program.position(unit.node)
    return None


def _reached(world: World, runner: Runner, node: ast.stmt, seen: set[Path]) -> Iterator[Path]:
    """The user's files that an import statement runs, directly or through others."""
    for module in world.modules_of(node, runner.script.path):
        inner = runner_of(module)
        if inner.script.path in seen:
            continue
        seen.add(inner.script.path)
        yield inner.script.path
        for unit in inner.program.units:
            if unit.is_run:
                yield from _reached(world, inner, unit.node, seen)
