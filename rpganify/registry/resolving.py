"""From a factory as an entry names it to something that can be called; this is where a plugin's heavy parts load."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from rpganify.entries import Factory
from rpganify.errors import RegistryError, closest


def resolve(factory: Factory) -> Callable[..., Any]:
    """The callable behind a factory; `"package.module:attribute"` is imported now.

    Raises:
        RegistryError: the text has no such form, the import fails, or what it names is missing or not callable.
    """
    if not isinstance(factory, str):
        return factory
    module_name, colon, attributes = factory.partition(":")
    if not (module_name and colon and attributes):
        raise RegistryError(f"The factory {factory!r} is not of the form 'package.module:attribute'.")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise RegistryError(
            f"The factory {factory!r} cannot be imported: {reason(error)}. "
            "Install what is missing, or correct the plugin that names it."
        ) from error
    found: Any = module
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            near = closest(attribute, [name for name in dir(found) if not name.startswith("_")])
            raise RegistryError(f"The factory {factory!r} does not exist: no {attribute!r} in {module_name}.{near}")
        found = getattr(found, attribute)
    if not callable(found):
        raise RegistryError(f"The factory {factory!r} is a {type(found).__name__}, not something to call.")
    return found  # type: ignore[no-any-return]


def reason(error: BaseException) -> str:
    """Type and message of an exception, on one line."""
    return f"{type(error).__name__}: {one_line(error)}"


def one_line(error: BaseException) -> str:
    """The message of an exception, on one line."""
    return " ".join(str(error).split())
