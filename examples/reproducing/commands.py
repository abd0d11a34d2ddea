"""The command line of rpganify as the recipes use it: which options there are, and whether a command is right."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from typer.main import get_command

from rpganify.cli.app import app
from rpganify.cli.configured import option_name, render_settings

from .errors import RecipeError


def options_of(command: str) -> tuple[str, ...]:
    """The names of a command's options, with underscores, as in a TOML file."""
    return tuple(option_name(param) for param in _command(command).params)


def as_words(command: str, options: Mapping[str, Any]) -> list[str]:
    """Options in a table as words of a command line.

    Args:
        command: whose they are; it knows which of them may be repeated.
        options: true is the bare option, and false is left out; a table is `name=value`, repeated; a list is repeated, or
            stands with commas where the option takes one value.
    """
    repeated = {option_name(param) for param in _command(command).params if getattr(param, "multiple", False)}
    words: list[str] = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words += [option] if value else []
            continue
        values = [f"{part}={one}" for part, one in value.items()] if isinstance(value, Mapping) else value
        if isinstance(values, list | tuple) and name.replace("-", "_") not in repeated:
            values = ",".join(map(str, values))
        for one in values if isinstance(values, list | tuple) else [values]:
            words += [option, str(one)]
    return words


def as_settings(options: Mapping[str, Any], heading: str) -> str:
    """Options as a file for `--config`; what is repeated as a table stands in a list."""
    plain = {
        name: [f"{part}={one}" for part, one in value.items()] if isinstance(value, Mapping) else value
        for name, value in options.items()
    }
    return render_settings(plain, heading)


def check_usage(words: Sequence[str]) -> None:
    """Refuses a command that rpganify would refuse before it begins: an option or a value that is none.

    Args:
        words: behind `rpganify`.
    Raises:
        RecipeError: it is wrong; the message is the command line's.
    """
    name, *rest = words
    try:
        _command(name).make_context(name, list(rest))
    except typer.Exit:
        return
    except Exception as error:
        # typer's own copy of click has no public name for what it raises on wrong usage.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        raise RecipeError(f"{message()} It stands in: rpganify {shlex.join(words)}") from error


def _command(name: str) -> Any:
    return _commands()[name]


@functools.cache
def _commands() -> Mapping[str, Any]:
    """All commands by name; making them of their functions takes a tenth of a second."""
    commands: Mapping[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    return commands
