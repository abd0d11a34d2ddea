"""Which class of a file is the generator (or the discriminator), when nobody says."""

from __future__ import annotations

import ast
import builtins
import re
from typing import Literal

import torch

from rpganify.errors import SourceError, closest
from rpganify.source.runner import Runner, runner_of
from rpganify.source.slicing import Program
from rpganify.source.text import shown

Role = Literal["generator", "discriminator"]

_GENERATOR = re.compile(r"gen(?!eric|eral|der|et|us|re)|decode|(^|_)net_?g(?![a-z])|^_*g_?net|^_*g$|_g$", re.IGNORECASE)
_DISCRIMINATOR = re.compile(r"disc|critic|(^|_)net_?d(?![a-z])|^_*d_?net|^_*d$|_d$", re.IGNORECASE)
_PART = re.compile(r"encode|embed|block|bottleneck|layer|loss|classifier", re.IGNORECASE)


def module_classes(runner: Runner) -> dict[str, ast.ClassDef]:
    """The classes of a file that are `nn.Module`s as far as its text tells; the last one of each name."""
    program = runner.program
    classes = {u.node.name: u.node for u in program.units if u.is_run and isinstance(u.node, ast.ClassDef)}
    return {name: node for name, node in classes.items() if _is_module(node, runner, frozenset())}


def choose_class(runner: Runner, role: Role = "generator") -> str:
    """The one class that can be meant.

    It is the only one that is named like a generator, or else the only one that no other Module of the
    file uses and that is not named like a discriminator, an encoder or a block.

    Raises:
        SourceError: the file has no Module, or several could be meant; all are listed.
    """
    where = shown(runner.script.path)
    classes = module_classes(runner)
    for piece in runner.program.broken:
        if piece.has_class or not classes:
            advice = "Correct that line, or name a class that stands elsewhere in it."
            raise SourceError(f"{where}, {piece.problem}. {advice}")
    if not classes:
        names = sorted(name for name in runner.program.names if not name.startswith("_"))
        others = f" It defines {', '.join(names[:6])}." if names else " It defines nothing."
        raise SourceError(
            f"{where} defines no nn.Module.{others} Name the file that holds the {role}'s class, "
            f"or a function in this one that returns it (`{where}:make_{role}()`)."
        )
    free = [name for name in classes if not _is_used_by_others(name, classes, runner.program)]
    named, other = (_GENERATOR, _DISCRIMINATOR) if role == "generator" else (_DISCRIMINATOR, _GENERATOR)
    fitting = [name for name in classes if named.search(name) and not other.search(name) and not _PART.search(name)]
    for choice in ([name for name in fitting if name in free], fitting):
        if len(choice) == 1:
            return choice[0]
    rest = [name for name in free if not other.search(name) and not _PART.search(name)]
    if not fitting and len(rest) == 1:
        return rest[0]
    possible = fitting or rest or list(classes)
    listed = ", ".join(f"{name} (line {classes[name].lineno})" for name in possible)
    number = f"{len(possible)} classes" if len(possible) > 1 else "one class"
    raise SourceError(
        f"{where} has {number} that could be the {role}, and nothing tells which one it is: {listed}. "
        f"Name one: `rpganify convert {where}:{possible[0]}`."
    )


def not_found(name: str, runner: Runner) -> SourceError:
    """The refusal of a name that the file does not define, with near ones and what there is."""
    where = shown(runner.script.path)
    known = sorted(runner.program.names - {"*"})
    classes = module_classes(runner)
    listed = ", ".join(f"{one} (line {node.lineno})" for one, node in classes.items())
    there = f"Its Modules: {listed}." if classes else "It defines no nn.Module."
    return SourceError(f"{where} defines no {name!r}.{closest(name, known)} {there}")


def _is_used_by_others(name: str, classes: dict[str, ast.ClassDef], program: Program) -> bool:
    return any(name in program.uses(node) for other, node in classes.items() if other != name)


def _is_module(node: ast.ClassDef, runner: Runner, seen: frozenset[str]) -> bool:
    key = f"{runner.script.path}:{node.name}"
    if key in seen:
        return False
    results = [_is_module_base(base, runner, seen | {key}) for base in node.bases]
    if any(results):
        return True
    has_forward = any(isinstance(item, ast.FunctionDef) and item.name == "forward" for item in node.body)
    return has_forward and any(result is None for result in results)


def _is_module_base(base: ast.expr, runner: Runner, seen: frozenset[str]) -> bool | None:
    """Whether a base class is a Module; None if the text does not tell."""
    text = ast.unparse(base)
    if text == "Module" or text.endswith("nn.Module"):
        return True
    if text.split(".")[-1] == "Function":  # of autograd: it has a forward, too
        return False
    if isinstance(base, ast.Attribute) and ast.unparse(base.value).endswith("nn"):
        known = getattr(torch.nn, base.attr, None)
        return isinstance(known, type) and issubclass(known, torch.nn.Module)
    for definition in reversed(runner.program.definitions(text)):
        if isinstance(definition, ast.ClassDef):
            return _is_module(definition, runner, seen)
        if isinstance(definition, ast.ImportFrom):
            module = runner.world.resolve(definition.module or "", definition.level, runner.script.path)
            if module is not None:
                return _is_module_base(ast.Name(definition.names[0].name), runner_of(module), seen)
            known = getattr(torch.nn, definition.names[0].name, None) if definition.module == "torch.nn" else None
            if isinstance(known, type):
                return issubclass(known, torch.nn.Module)
    return False if hasattr(builtins, text) else None
