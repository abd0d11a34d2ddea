"""From a callable and its arguments to a fresh module, or to one line that says what is missing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from rpganify.errors import RpganifyError, SourceError, closest
from rpganify.source.failures import exception_text, failing_place, reason_behind
from rpganify.source.text import one_line

# What an argument is usually given, for the line to paste; `…` where nobody can guess.
_USUAL_VALUES = {
    "latent": "128",
    "noise": "128",
    "z": "128",
    "channel": "3",
    "nc": "3",
    "size": "64",
    "resolution": "64",
    "ngpu": "1",
    "ngf": "64",
    "class": "10",
    "dim": "128",
}


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """The call signature; None where Python cannot tell.

    A class wrapped by a decorator often shows `(*args, **kwargs)`; then its first base that says more is asked.
    """
    for one in inspect.getmro(function) if inspect.isclass(function) else (function,):
        try:
            signature = inspect.signature(one)
        except (ValueError, TypeError, RpganifyError):
            return None
        kinds = {parameter.kind for parameter in signature.parameters.values()}
        if kinds != {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} or one is nn.Module:
            return signature
    return None


def missing_arguments(
    function: Callable[..., Any], positional: Sequence[object], given: Mapping[str, object]
) -> list[str]:
    """Names of required arguments that a call would lack."""
    signature = signature_of(function)
    if signature is None:
        return []
    required = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    taken = [p.name for p in signature.parameters.values() if p.kind is not p.KEYWORD_ONLY][: len(positional)]
    return [name for name in required if name not in given and name not in taken]


def check_accepted(function: Callable[..., Any], name: str, given: Mapping[str, object]) -> None:
    """Refuses keyword arguments that a callable does not have.

    Raises:
        SourceError: an unknown one, with near names and the signature.
    """
    signature = signature_of(function)
    if signature is None or any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        return
    accepted = [p.name for p in signature.parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for argument in given:
        if argument not in accepted:
            raise SourceError(
                f"{name} takes no argument {argument!r}.{closest(argument, accepted)} "
                f"Its signature: {signature_text(name, signature)}."
            )


def refuse_missing(function: Callable[..., Any], name: str, missing: Sequence[str], why_not: str = "") -> SourceError:
    """The refusal of a call that lacks arguments, with a line to paste.

    Args:
        function: what would be called.
        name: how the user knows it.
        missing: names of the arguments.
        why_not: why the script's own arguments could not be taken over, "" if it never makes one.
    """
    signature = signature_of(function)
    options = " ".join(f"--arg {argument}={_usual_value(argument)}" for argument in missing)
    plural = "s" if len(missing) > 1 else ""
    return SourceError(
        f"{name} needs the argument{plural} {', '.join(missing)}; its signature is {signature_text(name, signature)}. "
        f"{why_not}{' ' if why_not else ''}Give values, for example: `{options}`."
    )


def signature_text(name: str, signature: inspect.Signature | None) -> str:
    """`Generator(latent_dim, channels=3)`; annotations are left out."""
    if signature is None:
        return f"{name}(…)"
    bare = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    try:
        text = str(signature.replace(parameters=bare, return_annotation=signature.empty))
    except Exception:  # a default whose repr fails
        text = f"({', '.join(parameter.name for parameter in bare)})"
    return name + one_line(text, 160)


def called(function: Callable[[], Any], what: str, is_user_file: Callable[[str], bool]) -> Any:
    """The result of user code; whatever it raises becomes one line that names the place.

    Raises:
        SourceError: it raised, or left the process.
    """
    try:
        return function()
    except RpganifyError:
        raise
    except (Exception, SystemExit) as error:
        if reason := reason_behind(error):
            raise SourceError(reason) from error
        place = failing_place(error, is_user_file)
        at = f" at {place}" if place else ""
        advice = _advice(error)
        raise SourceError(f"Building {what} fails{at}: {exception_text(error)}.{advice}") from error


def plain_module(value: object, what: str) -> nn.Module:
    """A built object if it is a Module, freed of `DataParallel`.

    Raises:
        SourceError: it is something else; Modules among its attributes are listed.
    """
    if isinstance(value, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        value = value.module
    if isinstance(value, nn.Module):
        return value
    held = [name for name, item in getattr(value, "__dict__", {}).items() if isinstance(item, nn.Module)]
    advice = f"It holds the Modules {', '.join(held)}: name one as `{what}.{held[0]}`." if held else ""
    kind = f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
    raise SourceError(
        f"{what} gives {kind}, which is no nn.Module. {advice or 'Name the class or a call that gives the generator.'}"
    )


def member_of(owner: object, path: Sequence[str], what: str) -> nn.Module:
    """A submodule of an object, or a view whose forward is one of its methods.

    The view is the object that owns the method, so parameters keep their names; copies and state
    dicts work as ever.

    Args:
        owner: a fresh instance.
        path: attribute names, at least one.
        what: how the user named it.
    Raises:
        SourceError: there is no such attribute, or it is neither Module nor method of one.
    """
    value: Any = owner
    for name in path:
        try:
            value = getattr(value, name)
        except AttributeError as error:
            children = getattr(value, "_modules", {})
            known = [k for k in [*vars(type(value)), *children, *vars(value)] if not k.startswith("_")]
            raise SourceError(
                f"{type(value).__name__} has no attribute {name!r} ({what}).{closest(name, known)} "
                f"Submodules: {', '.join(children) or 'none'}."
            ) from error
    module = getattr(value, "__self__", None)
    if inspect.ismethod(value) and isinstance(module, nn.Module):
        object.__setattr__(module, "forward", value)
        return module
    return plain_module(value, what)


def _usual_value(argument: str) -> str:
    """The longest known word in an argument's name decides."""
    words = [
        word for word in _USUAL_VALUES if word in argument.lower() and (len(word) > 2 or argument.startswith(word))
    ]
    return _USUAL_VALUES[max(words, key=len)] if words else "VALUE"


def _advice(error: BaseException) -> str:
    text = str(error)
    if "CUDA" in text or "NVIDIA" in text:
        return " It asks for a GPU, which is not here: look for `.cuda()`, or for an option that turns it off."
    if isinstance(error, TypeError) and "argument" in text:
        return " Give arguments as `--arg name=value`, or in the expression (`FILE.py:Generator(64)`)."
    return " Arguments can be given as `--arg name=value`."
