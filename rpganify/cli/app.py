"""The command `rpganify`: its subcommands, in the order of a user's road."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli import bench_group, plugins
from rpganify.cli.analyze import analyze
from rpganify.cli.boundary import bounded
from rpganify.cli.classifier import classifier
from rpganify.cli.completion import complete_switch
from rpganify.cli.concepts import concepts
from rpganify.cli.configured import ConfiguredCommand
from rpganify.cli.convert import convert
from rpganify.cli.explore import explore
from rpganify.cli.export import export
from rpganify.cli.geometry import geometry
from rpganify.cli.inspect import inspect
from rpganify.cli.invert import invert
from rpganify.cli.report import report
from rpganify.cli.sample import sample
from rpganify.cli.surgery import SURGERY
from rpganify.cli.train import train

COMMANDS = (
    inspect,
    convert,
    train,
    sample,
    explore,
    invert,
    analyze,
    geometry,
    report,
    classifier,
    concepts,
    *SURGERY,
    export,
)

# Markup off: help texts and messages hold `[:Class]` and layer names, which rich would swallow.
app = typer.Typer(name="rpganify", no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
for command in COMMANDS:
    kind = ConfiguredCommand if command is train else None
    app.command(command.__name__, cls=kind)(bounded(command))
app.add_typer(bench_group.group, name="bench")
app.add_typer(plugins.group, name="plugins")


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"rpganify {version('rpganify')}")
        raise typer.Exit


class _Talk(logging.Handler):
    """What the library logs, as a line of talk."""

    def emit(self, record: logging.LogRecord) -> None:
        from rpganify.cli.console import say

        say(f"{record.levelname.lower()}: {' '.join(record.getMessage().split())}")


@app.callback()
def root(
    context: typer.Context,
    plugins_dir: Annotated[
        list[Path] | None,
        typer.Option(
            "--plugins-dir",
            metavar="DIR",
            help="A folder of one-file plugins; repeat. RPGANIFY_PLUGINS_DIR names one, too.",
        ),
    ] = None,
    switches: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            metavar="no:NAME",
            help="Leave out a plugin; repeat. RPGANIFY_LOAD_PLUGINS lists the only ones to load.",
            autocompletion=complete_switch,
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Turn a GAN generator, unedited, into a random path GAN, and see what its layers do.

    A first session: rpganify convert my_gan.py --buckets 5 --blocks 40
    """
    for switch in switches or ():
        if not switch.startswith("no:") or switch == "no:":
            raise typer.BadParameter(
                f"{switch!r} switches nothing off: write no:NAME, with a name of `rpganify plugins`.", param_hint="-p"
            )
    logger, talk = logging.getLogger("rpganify"), _Talk(logging.WARNING)
    logger.addHandler(talk)
    context.call_on_close(lambda: logger.removeHandler(talk))
    if plugins_dir or switches:
        # Plugins are loaded when a name is first looked up, so never for a text of help.
        from rpganify.registry import Selection, choose_plugins

        choose_plugins(Selection.from_options(plugins_dir, switches))
        context.call_on_close(lambda: choose_plugins(None))
