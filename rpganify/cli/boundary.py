"""The one place where an exception becomes an exit code and a line on stderr."""

from __future__ import annotations

import errno
import functools
import os
import traceback
from collections.abc import Callable
from typing import Any

import typer

from rpganify.errors import RpganifyError

DEBUG_VARIABLE = "RPGANIFY_DEBUG"


def bounded(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with every way to fail turned into an exit code: 1 refused or a bug of ours, 130 interrupted.

    A refusal is one line, `error: …`. A traceback is printed only if the environment sets `RPGANIFY_DEBUG=1`.
    Wrong usage (exit code 2) and exits on purpose pass through.
    """

    # functools.wraps keeps the signature, from which typer makes the options.
    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # the reader of our stdout has gone; typer ends quietly
            if is_debugging():
                typer.echo(traceback.format_exc(), err=True)
            typer.echo(f"{typer.style('error:', fg='red', bold=True)} {explain(error)}", err=True)
            raise typer.Exit(1) from error

    return run


def is_debugging() -> bool:
    """Whether the user asked for tracebacks."""
    return os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")


def explain(error: Exception) -> str:
    """What a user reads about an exception, on one line."""
    message = " ".join(str(error).split())
    if isinstance(error, RpganifyError):
        return message
    if isinstance(error, OSError) and error.strerror:
        place = f" ({error.filename})" if error.filename else ""
        return f"The operating system refused: {error.strerror}{place}. Make room or choose another place, then repeat."
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return f"Out of memory: {message or 'no more to be had'}. Use fewer blocks or a smaller batch, then repeat."
    return (
        f"This is a bug in rpganify: {type(error).__name__}: {message}. "
        f"Please report it with the command; {DEBUG_VARIABLE}=1 shows where it happened."
    )
