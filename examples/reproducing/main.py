"""The command line of `examples/reproduce.py`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli.boundary import bounded
from rpganify.cli.console import say, show, show_table

from .errors import RecipeError
from .experiment import Request, reproduce
from .processes import Processes
from .reading import read_recipe
from .running import Stopped
from .stages import Places

ROOT = Path(__file__).resolve().parents[2]


def _command(
    experiment: Annotated[
        str | None, typer.Argument(metavar="[EXPERIMENT]", help="A file of examples/recipes, without .toml.")
    ] = None,
    small: Annotated[
        bool, typer.Option("--small", help="The variant that takes two processor cores about an hour.")
    ] = False,
    seed: Annotated[
        list[int] | None,
        typer.Option("--seed", metavar="NUMBER", help="Only this training; repeat. The recipe's if left out."),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option("--data-root", metavar="DIR", help="The folder that holds the data sets.")
    ] = None,
    extractor: Annotated[
        str,
        typer.Option("--extractor", metavar="NAME", help="Features to measure with: inception:FILE gives the FID."),
    ] = "",
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Where results go: numbers and a picture, to be kept.",
            show_default="docs/results",
        ),
    ] = ROOT / "docs" / "results",
    runs: Annotated[
        Path,
        typer.Option(
            "--runs", metavar="DIR", help="Where models, trainings and reports go.", show_default="runs/reproduce"
        ),
    ] = ROOT / "runs" / "reproduce",
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs", min=1, metavar="NUMBER", help="Trainings side by side, each with its share of the cores."
        ),
    ] = 1,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            min=1,
            metavar="NUMBER",
            help="Try everything out with trainings of so few steps, apart from the real ones, and say how long those take.",
        ),
    ] = None,
    is_listing: Annotated[
        bool, typer.Option("--list", help="What there is, what it costs, and what is done already.")
    ] = False,
) -> None:
    """Repeat an experiment of the paper.

    Trains the models, measures them, and writes numbers and a picture. What is done is not done again: after Ctrl-C,
    the same command goes on.
    """
    places = Places(_short(runs), _short(data_root or Path("data")), extractor, steps)
    if is_listing:
        from .listing import HEADINGS, listing

        show_table([(heading, "left") for heading in HEADINGS], listing(places, _short(output)))
        return
    if experiment is None:
        raise RecipeError("Which experiment? `python examples/reproduce.py --list` shows them.")
    recipe = read_recipe(experiment, is_small=small)
    if data_root is None:
        raise RecipeError(
            f"{recipe.label} needs data: --data-root DIR names the folder that holds {recipe.needs or recipe.data}."
        )
    cores = os.cpu_count() or 1
    execute = Processes(num_threads=max(1, cores // jobs) if jobs > 1 else None, is_shown=jobs == 1)
    request = Request(recipe, places, _short(output), tuple(seed or ()), jobs)
    try:
        for line in reproduce(request, execute, say):
            show(line)
    except Stopped as stopped:
        say("stopped; the same command goes on from here")
        raise typer.Exit(stopped.code) from None


def _short(path: Path) -> Path:
    """The path from the working directory, where it lies below it."""
    absolute = path.absolute()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute


def app() -> typer.Typer:
    """The command, as typer takes it."""
    made = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    made.command()(bounded(_command))
    return made


def main() -> None:
    """Run it."""
    app()()
