"""What the repository has of each hook: a docstring, an example, a check, tests, and something that uses it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

from rpganify import hookspecs
from rpganify.registry import Kind, Registry
from rpganify.testing import CHECKS

ROOT = Path(__file__).resolve().parents[1]
_EXAMPLE = "Example:\n"


def spec_of(kind: Kind) -> Callable[[], Any]:
    """The function in `hookspecs` that plugins implement."""
    spec: Callable[[], Any] = getattr(hookspecs, kind.hook)
    return spec


def hooks_there_are() -> list[str]:
    """Names of all hooks in `hookspecs`, in the order of the file."""
    return [name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.PROJECT}_spec")]


def summary_of(spec: Callable[[], Any]) -> str:
    """First line of a hook's docstring; empty if it has none."""
    return (inspect.getdoc(spec) or "").partition("\n")[0]


def example_of(spec: Callable[[], Any]) -> str:
    """The example in a hook's docstring, a whole one-file plugin; empty if it has none."""
    _, found, example = (inspect.getdoc(spec) or "").partition(_EXAMPLE)
    return dedent(example).strip() + "\n" if found else ""


def built_ins_of(kind: Kind) -> list[str]:
    """Names that rpganify itself offers through the hook."""
    return list(Registry().all(kind.entry))


def packages_of(kind: Kind, folder: Path = ROOT / "plugins") -> list[str]:
    """Packages of this repository that implement the hook; their files are read, not run."""
    found = []
    for package in sorted(folder.iterdir()) if folder.is_dir() else ():
        trees = [ast.parse(file.read_text(encoding="utf-8")) for file in package.glob("src/*/*.py")]
        functions = [node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        if kind.hook in functions:
            found.append(package.name)
    return found


def tests_of(kind: Kind, folder: Path = ROOT / "tests" / "unit" / "testing") -> list[str]:
    """Tests of the kind's check: of one that has to pass, and of wrong ones that it has to catch."""
    file = folder / f"test_{kind.word.replace('-', '_')}.py"
    if not file.is_file() or f"check_{kind.word.replace('-', '_')}" not in file.read_text(encoding="utf-8"):
        return []
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def lacks(
    kind: Kind,
    spec: Callable[[], Any],
    *,
    packages: Path = ROOT / "plugins",
    tests: Path = ROOT / "tests" / "unit" / "testing",
) -> list[str]:
    """What a hook has not, in words; nothing if it is whole."""
    names = tests_of(kind, tests)
    have = {
        "a line of documentation": bool(summary_of(spec)),
        "an example": kind.hook in example_of(spec),
        "a check in rpganify.testing": kind.entry in CHECKS,
        "a test of its check that passes": any("pass" in name for name in names),
        "a test of its check that fails": any("wrong" in name for name in names),
        "a use by a built-in or a package in plugins/": bool(built_ins_of(kind) or packages_of(kind, packages)),
    }
    return [what for what, is_there in have.items() if not is_there]
