"""The command `rpganify`: its subcommands, in the order of a user's road."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from rpganify.cli.analyze import analyze
from rpganify.cli.boundary import bounded
from rpganify.cli.convert import convert
from rpganify.cli.inspect import inspect
from rpganify.cli.plugins import plugins
from rpganify.cli.sample import sample
from rpganify.cli.train import train

COMMANDS = (inspect, convert, train, sample, analyze, plugins)

# Markup off: help texts and messages hold `[:Class]` and layer names, which rich would swallow.
app = typer.Typer(name="rpganify", no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
for command in COMMANDS:
    app.command(command.__name__)(bounded(command))


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"rpganify {version('rpganify')}")
        raise typer.Exit


class _Talk(logging.Handler):
    """What the library logs, as a line of talk; looks stderr up each time, since a progress bar may stand before it."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(f"{record.levelname.lower()}: {' '.join(record.getMessage().split())}", err=True)


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Turn a GAN generator, unedited, into a random path GAN, and see what its layers do.

    A first session: rpganify convert my_gan.py --buckets 5 --blocks 40
    """
    logger, talk = logging.getLogger("rpganify"), _Talk(logging.WARNING)
    logger.addHandler(talk)
    context.call_on_close(lambda: logger.removeHandler(talk))
