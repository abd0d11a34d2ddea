"""An experiment from beginning to end: checked, run, measured, written, and told."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rpganify.cli.formatting import format_duration

from .checking import check_commands, check_needs
from .processes import Execute
from .recipe import Recipe
from .running import Say, read_done, run_stages
from .stages import Places, Stage, stages_of


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted.

    Args:
        recipe: the experiment.
        places: where heavy things go.
        results: where what is kept goes, in a folder of the experiment's own.
        seeds: only these; empty for the recipe's.
        num_jobs: stages side by side.
    """

    recipe: Recipe
    places: Places
    results: Path
    seeds: tuple[int, ...] = ()
    num_jobs: int = 1


def reproduce(request: Request, execute: Execute, say: Say) -> Iterator[str]:
    """Does what is not done, and tells what came out, line by line.

    Args:
        request: what is wanted.
        execute: runs a command.
        say: told what is under way.
    Raises:
        RpganifyError: something is missing, wrong, or failed.
        Stopped: the user stopped it.
    """
    recipe, places = request.recipe, request.places
    seeds = request.seeds or recipe.seeds
    stages = stages_of(recipe, places, seeds)
    due = [stage for stage in stages if read_done(stage) is None]
    if due:
        check_commands(due)
        check_needs(recipe, places)
    run_stages(stages, places, execute, say, num_jobs=request.num_jobs)

    from .results import write_results  # torch, which the stages do not need here

    summed = _seeds_done(recipe, places, seeds)
    folder = request.results / recipe.label if places.trial_steps is None else places.experiment(recipe) / "results"
    file = write_results(recipe, places, stages_of(recipe, places, summed), summed, folder)
    if places.trial_steps is not None:
        yield from _estimates(recipe, stages)
    else:
        for told in json.loads(file.read_text(encoding="utf-8"))["statements"]:
            yield f"{told['verdict']}: {told['claim']}"
    yield str(file)


def _seeds_done(recipe: Recipe, places: Places, seeds: Sequence[int]) -> tuple[int, ...]:
    """The seeds that were asked for, which are done, and others that were done before."""
    before = {int(folder.name.removeprefix("seed-")) for folder in places.experiment(recipe).glob("seed-*")}
    others = [seed for seed in before if seed not in seeds]
    complete = [
        seed for seed in others if all(read_done(stage) is not None for stage in stages_of(recipe, places, (seed,)))
    ]
    return tuple(sorted({*seeds, *complete}))


def _estimates(recipe: Recipe, stages: Sequence[Stage]) -> Iterator[str]:
    """How long the real trainings will take, by the median of the trial's steps but the first."""
    total, goal = 0.0, recipe.training.get("steps")
    for stage in stages:
        if stage.kind != "train" or not isinstance(goal, int):
            continue
        seconds = _step_seconds(stage.output / "metrics.jsonl")
        if seconds is not None:
            total += goal * seconds
            yield f"{stage.name}: {1e3 * seconds:.0f} ms a step, {format_duration(goal * seconds)} for {goal:,} steps"
    if total:
        yield f"all trainings of these seeds, one after the other: about {format_duration(total)}"


def _step_seconds(metrics: Path) -> float | None:
    parts = ("data_s", "discriminator_s", "generator_s", "other_s")
    rows = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()][1:]
    return statistics.median(sum(row.get(part) or 0.0 for part in parts) for row in rows) if rows else None
