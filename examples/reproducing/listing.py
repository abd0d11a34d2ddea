"""The experiments with their purpose, cost and state, as a table for people."""

from __future__ import annotations

from pathlib import Path

from .errors import StageError
from .reading import read_recipe, recipe_names
from .recipe import Recipe
from .results import read_results
from .running import read_done
from .stages import Places, stages_of

HEADINGS = ("experiment", "scale", "what it asks", "cost", "state")


def listing(places: Places, results: Path) -> list[tuple[str, ...]]:
    """A row per experiment and scale."""
    rows: list[tuple[str, ...]] = []
    for name in recipe_names():
        for is_small in (False, True):
            recipe = read_recipe(name, is_small=is_small)
            told = ("", "") if is_small else (name, recipe.purpose)
            rows.append(
                (told[0], "small" if is_small else "full", told[1], recipe.cost, state_of(recipe, places, results))
            )
    return rows


def state_of(recipe: Recipe, places: Places, results: Path) -> str:
    """How far an experiment is, in a few words."""
    kept = read_results(results / recipe.label)
    if kept is not None:
        seeds = kept["seeds"]
        return f"results of seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    stages = stages_of(recipe, places, recipe.seeds)
    try:
        num_done = sum(read_done(stage) is not None for stage in stages)
    except StageError:
        return "made by another recipe"
    if num_done:
        return f"{num_done} of {len(stages)} stages"
    return f"needs {recipe.needs}" if recipe.needs else "not begun"
