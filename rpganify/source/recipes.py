"""What to call, with what, to get one more generator."""

from __future__ import annotations

import ast
import builtins
import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

from torch import nn

from rpganify.errors import SourceError, closest
from rpganify.source.building import called, check_accepted, member_of, missing_arguments, plain_module, refuse_missing
from rpganify.source.candidates import Role, choose_class, not_found
from rpganify.source.construction import (
    Construction,
    Initialiser,
    find_construction,
    find_initialisers,
    without_placing,
)
from rpganify.source.failures import exception_text
from rpganify.source.modules import Place
from rpganify.source.names import bound_names, compiled, used_names
from rpganify.source.text import one_line, shown
from rpganify.source.unavailable import reason_of

_BUILTIN_NAMES = frozenset(dir(builtins))
_HELPERS: dict[str, Any] = {"SimpleNamespace": SimpleNamespace}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make one more.

    Args:
        qualname: what is made, as the user would name it.
        make: makes it; raises SourceError.
        construction: text of the script's call whose arguments are used.
        initialiser: text of the script's initialisation that is repeated.
    """

    qualname: str
    make: Callable[[], object]
    construction: str | None = None
    initialiser: str | None = None


def make_recipe(
    place: Place, expression: ast.expr | None, values: Mapping[str, object], role: Role, is_initialised: bool
) -> Recipe:
    """Finds out what an expression means in a module.

    Args:
        place: the module.
        expression: a class, function, method, instance or call; None: the one class that fits the role.
        values: `--arg` keywords.
        role: see `load_class`.
        is_initialised: see `load_class`.
    Raises:
        SourceError: a name is unknown or cannot be had, or arguments are missing or not accepted.
    """
    if expression is None:
        expression = ast.Name(_chosen(place, role), ast.Load())
    qualname = one_line(ast.unparse(expression), 200)
    chain = _dotted(expression)
    made = _instance_behind(place, chain[0]) if chain else None
    if made is not None:
        # A variable of the script (`netG`): the call that made it is repeated, so that each build is a new one.
        call, variable = made
        return _from_expression(place, _with_members(call, chain[1:]), qualname, values, variable, is_initialised)
    if not chain:
        return _from_expression(place, expression, qualname, values, None, is_initialised)
    return _from_name(place, chain, qualname, values, is_initialised)


def _chosen(place: Place, role: Role) -> str:
    if place.runner is not None:
        return choose_class(place.runner, role)
    classes = [
        name
        for name, value in vars(place.module).items()
        if inspect.isclass(value) and issubclass(value, nn.Module) and value.__module__ == place.module.__name__
    ]
    if len(classes) == 1:
        return classes[0]
    listed = ", ".join(classes[:12]) or "none"
    first = classes[0] if classes else "Class"
    raise SourceError(f"Which class of {place.name}? Its Modules: {listed}. Name one: `{place.name}:{first}`.")


def _from_name(
    place: Place, chain: list[str], qualname: str, values: Mapping[str, object], is_initialised: bool
) -> Recipe:
    """A class or function by its name, perhaps with the method or submodule of it that is meant."""
    _check_known(place, {chain[0]})
    construction = find_construction(place.runner, chain[0]) if place.runner else None
    before = _place_at_top(place, construction)
    value: Any
    with place.session():
        value = place.require([chain[0]], before).get(chain[0])
        rest = chain[1:]
        if chain[0] not in place.module.__dict__:
            raise _unknown(place, chain[0])
        while rest and (isinstance(value, ModuleType) or inspect.isclass(getattr(value, rest[0], None))):
            if not hasattr(value, rest[0]):
                raise SourceError(f"{chain[0]} has no {rest[0]!r}.{closest(rest[0], dir(value))} Check {qualname}.")
            value = getattr(value, rest[0])
            rest = rest[1:]
    reason = reason_of(value)
    if reason is not None:
        raise SourceError(reason)
    if not callable(value) or (isinstance(value, nn.Module) and not rest):
        if isinstance(value, nn.Module):
            return Recipe(qualname, lambda: _copied(value, qualname))
        plain_module(value, qualname)
    if inspect.isclass(value) and not issubclass(value, nn.Module) and not rest:
        raise SourceError(
            f"{qualname} is a class, but no nn.Module. Name the Module that it holds, such as `{qualname}.netG`, "
            "or another class."
        )
    check_accepted(value, qualname, values)
    missing = missing_arguments(value, (), values)
    arguments: Callable[[], tuple[tuple[Any, ...], dict[str, Any]]] = lambda: ((), dict(values))  # noqa: E731
    taken: Construction | None = None
    if missing:
        arguments, taken = _script_arguments(value, qualname, missing, values, construction), construction
    initialisers = find_initialisers(construction) if construction is not None and is_initialised else ()

    def make() -> object:
        with place.session():
            positional, keywords = called(arguments, qualname, place.owns)
            instance = called(lambda: value(*positional, **keywords), qualname, place.owns)
            _initialise(instance, initialisers, place)
            return called(lambda: member_of(instance, rest, qualname), qualname, place.owns) if rest else instance

    return Recipe(qualname, make, taken.text if taken else None, _text_of(initialisers))


def _script_arguments(
    function: Callable[..., Any],
    name: str,
    missing: list[str],
    values: Mapping[str, object],
    construction: Construction | None,
) -> Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]:
    """The arguments that the script itself passes, with the user's `--arg` values in front of them."""
    if construction is None:
        raise refuse_missing(function, name, missing)

    def arguments() -> tuple[tuple[Any, ...], dict[str, Any]]:
        positional, keywords = construction.arguments()
        bound = inspect.signature(function).bind(*positional, **keywords)
        bound.arguments.update(values)
        return bound.args, bound.kwargs

    try:
        arguments()
    except Exception as error:
        reason = str(error) if isinstance(error, SourceError) else exception_text(error)
        why = f"The script makes it as `{construction.text}`, but: {one_line(reason, 300).rstrip('.')}."
        raise refuse_missing(function, name, missing, why) from error
    return arguments


def _from_expression(
    place: Place,
    expression: ast.expr,
    qualname: str,
    values: Mapping[str, object],
    variable: str | None,
    is_initialised: bool,
) -> Recipe:
    """Any expression, evaluated anew for each build."""
    called_name = _called_name(expression)
    construction = find_construction(place.runner, called_name, variable) if place.runner and called_name else None
    code = compiled(expression, f"<{qualname}>")
    wanted = set(used_names(expression)) - bound_names(ast.Expr(expression))
    _check_known(place, wanted - set(_HELPERS))
    with place.session():
        namespace = place.require(wanted, _place_at_top(place, construction) if variable else None)
    for name in sorted(wanted):
        reason = reason_of(namespace.get(name))
        if reason is not None:
            raise SourceError(reason)
    initialisers = find_initialisers(construction) if construction is not None and is_initialised else ()

    def evaluate() -> Any:
        value = eval(code, {**_HELPERS, **place.module.__dict__})
        reason = reason_of(value)
        if reason is not None:
            raise SourceError(reason)
        return value

    def make() -> object:
        with place.session():
            value = called(evaluate, qualname, place.owns)
            if not isinstance(value, nn.Module) and inspect.ismethod(value):
                return member_of(value.__self__, [value.__name__], qualname)
            if callable(value) and not isinstance(value, nn.Module):
                check_accepted(value, qualname, values)
                missing = missing_arguments(value, (), values)
                if missing:
                    raise refuse_missing(value, qualname, missing)
                value = called(lambda: value(**values), qualname, place.owns)
            elif values:
                raise SourceError(
                    f"{qualname} is a finished call, so `--arg {next(iter(values))}=…` has no place to go. "
                    "Write the argument into the expression, or name the class alone."
                )
            _initialise(value, initialisers, place)
            return value

    text = construction.text if variable is not None and construction is not None else None
    return Recipe(qualname, make, text, _text_of(initialisers))


def _initialise(instance: object, initialisers: tuple[Initialiser, ...], place: Place) -> None:
    for initialiser in initialisers:
        try:
            called(lambda one=initialiser: one.apply(instance), "it", place.owns)  # type: ignore[misc]
        except SourceError as error:
            raise SourceError(
                f"The script's own initialisation `{initialiser.text}` fails: {error} "
                "Correct it, or leave it out with `--no-author-init`."
            ) from error


def _place_at_top(place: Place, construction: Construction | None) -> int | None:
    """Position of a construction at the script's top level: what comes after it does not count for it."""
    if place.runner is None or construction is None or construction.scope.program is not place.runner.program:
        return None
    return construction.position


def _text_of(initialisers: tuple[Initialiser, ...]) -> str | None:
    return "; ".join(initialiser.text for initialiser in initialisers) or None


def _instance_behind(place: Place, name: str) -> tuple[ast.expr, str] | None:
    """The call that a variable of the script was first assigned, without what moves its result to a device."""
    if place.runner is None:
        return None
    for node in place.runner.program.definitions(name):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = without_placing(node.value)
            if isinstance(value, ast.Call) and name not in used_names(value):
                return value, name
    return None


def _with_members(expression: ast.expr, names: list[str]) -> ast.expr:
    for name in names:
        expression = ast.copy_location(ast.Attribute(expression, name, ast.Load()), expression)
    return expression


def _called_name(expression: ast.expr) -> str:
    node: ast.AST = expression
    while isinstance(node, (ast.Attribute, ast.Call)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return node.func.id
        node = node.func if isinstance(node, ast.Call) else node.value
    return ""


def _dotted(expression: ast.expr) -> list[str]:
    names: list[str] = []
    while isinstance(expression, ast.Attribute):
        names.insert(0, expression.attr)
        expression = expression.value
    return [expression.id, *names] if isinstance(expression, ast.Name) else []


def _check_known(place: Place, names: set[str]) -> None:
    """Refuses names that the module certainly does not have, before anything runs."""
    if place.runner is None:
        for name in sorted(names):
            if not hasattr(place.module, name) and name not in _BUILTIN_NAMES:
                raise _unknown(place, name)
        return
    runner = place.runner
    for name in sorted(names):
        piece = runner.program.broken_piece(name)
        if piece is not None:
            raise SourceError(f"{name} is defined in {shown(runner.script.path)}, {piece.problem}. Correct that line.")
        sliced = runner.program.slice([name], star_names=runner.star_names, is_own=runner.is_own)
        if name in sliced.unbound and not sliced.nodes and name not in _BUILTIN_NAMES:
            raise not_found(name, runner)


def _unknown(place: Place, name: str) -> SourceError:
    if place.runner is not None:
        return not_found(name, place.runner)
    known = [key for key in vars(place.module) if not key.startswith("_")]
    return SourceError(f"{place.name} defines no {name!r}.{closest(name, known)} Check the name after the colon.")


def _copied(value: nn.Module, what: str) -> object:
    return called(lambda: copy.deepcopy(value), what, lambda file: False)
