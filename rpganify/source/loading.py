"""`my_gan.py[:Class]`, `package.module:Class` or a registered name, to a recipe for fresh generators."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import nn

from rpganify.entries import Architecture
from rpganify.errors import RpganifyError, SourceError, closest
from rpganify.source.building import called, check_accepted, missing_arguments, plain_module, refuse_missing
from rpganify.source.candidates import Role
from rpganify.source.modules import open_file, open_module
from rpganify.source.randomness import random_states
from rpganify.source.recipes import make_recipe
from rpganify.source.references import existing_file, parse_arguments, parse_reference
from rpganify.source.text import one_line

Kind = Literal["file", "module", "architecture", "object"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a generator comes from, and how to build it again and again.

    Args:
        text: what the user typed.
        kind: what that is.
        origin: the file, module or architecture; the class's name for an object.
        qualname: the class, function or method in it: `Generator`, `VAE.decode`.
        arguments: values of `--arg`.
        architecture: the registered entry, if it is one.
        sha256: of the file, None if there is none.
        construction: the script's own call whose arguments are used, `"Generator(ngpu)  # line 143"`;
            None where the constructor needs none or all were given.
        initialiser: the script's own initialisation that every build repeats, `"netG.apply(weights_init)  # line 150"`.
    """

    text: str
    kind: Kind
    origin: str
    qualname: str
    arguments: dict[str, object]
    architecture: Architecture | None = None
    sha256: str | None = None
    construction: str | None = None
    initialiser: str | None = None
    _make: Callable[[int | None], object] = field(kw_only=True, repr=False, compare=False)

    def build(self, seed: int | None = None) -> nn.Module:
        """A new instance, made and initialised as its author does.

        Args:
            seed: of torch, numpy and `random` while it is built; their states are put back afterwards.
                With None the states are used, and moved on, as they are.
        Raises:
            SourceError: the author's code fails, or gives no Module; one line with file and line.
        """
        with random_states(seed):
            return plain_module(self._make(seed), self.qualname)


def load_source(text: str, arguments: Mapping[str, str] | None = None, argv: Sequence[str] = ()) -> Source:
    """The generator that `text` names. Of a script only the statements that it needs are run.

    Args:
        text: `my_gan.py`, `my_gan.py:Generator`, `my_gan.py:Generator(64)`, `my_gan.py:VAE.decode`,
            `package.module:Class`, or the name of a registered architecture.
        arguments: `--arg name=value` pairs; keywords of the constructor or function.
        argv: the script's own options, for one that parses its command line.
    Raises:
        SourceError: it cannot be found, read, chosen or built; one line that says how to go on.
    """
    return load_class(text, arguments, argv)


def load_class(
    text: str,
    arguments: Mapping[str, str] | None = None,
    argv: Sequence[str] = (),
    role: Role = "generator",
    is_initialised: bool = True,
) -> Source:
    """As `load_source`, for any role.

    Args:
        text, arguments, argv: see `load_source`.
        role: which class to look for when none is named; architectures are generators only.
        is_initialised: whether the script's own `net.apply(weights_init)` is repeated on every build.
    """
    values = parse_arguments(arguments or {})
    try:
        return _load(text, values, argv, role, is_initialised)
    except RpganifyError:
        raise
    except (Exception, SystemExit) as error:
        raise SourceError(
            f"{one_line(text, 120)} cannot be loaded: {type(error).__name__}: {one_line(error)}. "
            "Try it with a small file that holds only the class."
        ) from error


def _load(text: str, values: dict[str, object], argv: Sequence[str], role: Role, is_initialised: bool) -> Source:
    reference = parse_reference(text)
    if reference.kind == "name":
        entries = _architectures() if role == "generator" else {}
        if reference.place in entries:
            return _from_architecture(entries[reference.place], values)
        if "." not in reference.place or not reference.place.replace(".", "").isidentifier():
            raise _nothing_called(reference.place, tuple(entries))
    is_file = reference.kind == "file"
    place = open_file(existing_file(reference.place), argv) if is_file else open_module(reference.place, argv)
    recipe = make_recipe(place, reference.expression, values, role, is_initialised)
    return Source(
        text,
        "file" if is_file else "module",
        reference.place,
        recipe.qualname,
        values,
        sha256=place.sha256,
        construction=recipe.construction,
        initialiser=recipe.initialiser,
        _make=lambda seed: recipe.make(),
    )


def from_object(model: nn.Module, factory: Callable[[int], nn.Module] | None = None) -> Source:
    """A source for a Module that exists already.

    Args:
        model: the generator; it is never changed.
        factory: makes a fresh one from a seed. Without it every build is a copy of `model`, weights included.
    """

    def make(seed: int | None) -> object:
        if factory is not None:
            return called(lambda: factory(0 if seed is None else seed), type(model).__name__, lambda file: False)
        try:
            return copy.deepcopy(model)
        except Exception as error:
            raise SourceError(
                f"{type(model).__name__} cannot be copied: {type(error).__name__}: {one_line(error)}. "
                "Give `factory=lambda seed: …`, which makes a fresh one."
            ) from error

    name = type(model).__qualname__
    return Source(name, "object", f"{type(model).__module__}.{name}", name, {}, _make=make)


def _architectures() -> dict[str, Architecture]:
    # Late, because the registry opens every plugin; files need none of them.
    from rpganify.registry import default_registry

    return default_registry().all(Architecture)


def _from_architecture(entry: Architecture, values: dict[str, object]) -> Source:
    from rpganify.registry import default_registry

    factory = default_registry().factory(entry)
    check_accepted(factory, entry.name, values)
    missing = missing_arguments(factory, (), values)
    if missing:
        raise refuse_missing(factory, entry.name, missing)

    def make(seed: int | None) -> object:
        return called(lambda: factory(**values), entry.name, lambda file: False)

    return Source(entry.name, "architecture", entry.name, entry.name, values, entry, _make=make)


def _nothing_called(name: str, known: tuple[str, ...]) -> SourceError:
    bare, _, call = name.partition("(")
    advice = closest(name, known)
    if Path(f"{name}.py").is_file():
        advice = f" There is a file {name}.py: name it with its ending."
    elif call and bare in known:
        advice = f" Arguments of an architecture are given as `--arg name=value`: `{bare}`."
    from rpganify.registry import default_registry

    listed = f" Architectures: {', '.join(known)}.{default_registry().hint_of_failures()}" if known else ""
    return SourceError(
        f"{one_line(name, 120)!r} is no Python file, module or architecture.{advice}{listed} "
        "Give FILE.py[:Class], package.module:Class or one of these names."
    )
