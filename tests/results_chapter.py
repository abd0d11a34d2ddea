"""Renders the README's chapter on results from docs/results; `python -m tests.results_chapter` writes it into the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from examples.reproducing.reading import read_recipe, recipe_names
from examples.reproducing.recipe import FINDINGS, Recipe
from examples.reproducing.results import read_results
from tests.hooks import ROOT
from tests.readme_chapter import README, folded, table, with_chapter

RESULTS = ROOT / "docs" / "results"
REMARKS = "remarks.md"  # beside an experiment's results: what its authors make of it
BEGIN = "<!-- Written by `python -m tests.results_chapter` from docs/results; change those, not this. -->\n"
END = "<!-- Up to here: results. -->\n"


def chapter(results: Path = RESULTS) -> str:
    """The text between the marks.

    Args:
        results: the folder of all results.
    """
    recipes = [read_recipe(name, is_small=is_small) for name in recipe_names() for is_small in (False, True)]
    found = [(recipe, content) for recipe in recipes if (content := read_results(results / recipe.label)) is not None]
    parts = [folded(_intro(found)), _overview(found)]
    parts += [_experiment(recipe, content, results / recipe.label / REMARKS) for recipe, content in found]
    parts.append(_not_run(recipes, {recipe.label for recipe, _ in found}))
    return "\n" + "\n\n".join(part for part in parts if part) + "\n"


def rendered(readme: str, results: Path = RESULTS) -> str:
    """The README with the chapter as it should be.

    Raises:
        ValueError: the marks are missing, or there is more than one pair.
    """
    return with_chapter(readme, BEGIN, END, lambda: chapter(results))


def _intro(found: Sequence[tuple[Recipe, Mapping[str, Any]]]) -> str:
    verdicts = [one["verdict"] for _, content in found for one in content["statements"]]
    counted = ", ".join(f"{verdicts.count(word)} {word}" for word in ("held", "did not hold") if word in verdicts)
    undecided = verdicts.count("open")
    said = (
        "`python examples/reproduce.py EXPERIMENT --data-root DIR` repeats an experiment of the paper, with `--small` in a "
        "variant for two processor cores, and `--list` shows them all. Each trains RPGAN and what it is compared with under "
        "one table of settings, measures them in the same way, and leaves the numbers with settings, versions and times in "
        "`docs/results`."
    )
    if not verdicts:
        return f"{said} None has been run yet."
    counted += f"{', ' if counted else ''}{undecided} {'is' if undecided == 1 else 'are'} open" if undecided else ""
    return (
        f"{said} Of {len(verdicts)} statements, {counted}. A statement holds, or does not, where the whole 95 % "
        "interval in brackets lies on one side of its bound; over several trainings it is Student's, of a single one it tells "
        "of that training alone. A Fréchet distance on other features than Inception's is no FID, and compares with its like "
        "only."
    )


def _overview(found: Sequence[tuple[Recipe, Mapping[str, Any]]]) -> str:
    """Finding by finding, the experiments in which it held or not."""
    rows = []
    for finding, said in FINDINGS.items():
        told: dict[str, list[str]] = {"held": [], "did not hold": [], "open": []}
        for recipe, content in found:
            claims = {one.claim for one in recipe.statements if one.finding == finding}
            for verdict, cell in told.items():
                numbers = [
                    f"{_number(one['found'], over=False)} (due {_bound(one)})"
                    for one in content["statements"]
                    if one["claim"] in claims and one["verdict"] == verdict
                ]
                cell += [f"`{recipe.name}` {', '.join(numbers)}"] if numbers else []
        if any(told.values()):
            rows.append((said, *("<br>".join(cell) for cell in told.values())))
    return table(("finding", "held", "did not hold", "is open"), rows) if rows else ""


def _experiment(recipe: Recipe, content: Mapping[str, Any], remarks: Path) -> str:
    heading = f"**{content['title']}**" + (" (small)" if recipe.is_small else "")
    seeds = content["seeds"]
    trainings = "one training of each model" if len(seeds) == 1 else f"{len(seeds)} trainings of each model"
    paper = str(content["paper"])
    where = f"{paper[:1].upper()}{paper[1:]}"
    text = f"{heading}: {content['purpose']} {where}. {_scale(content)}; {trainings}. {_features(content)}"
    rows = [_row(one) for one in content["statements"]]
    picture = f"docs/results/{recipe.label}/{content['picture']}"
    shown = [folded(text), table(("statement", "paper", "here", "so it"), rows), f"![{content['caption']}]({picture})"]
    return "\n\n".join([*shown, *([remarks.read_text(encoding="utf-8").strip()] if remarks.is_file() else [])])


def _features(content: Mapping[str, Any]) -> str:
    """What distances between images are taken of."""
    extractor = str(content["settings"]["extractor"])
    if extractor.startswith("trained on "):
        return f"Features: of a classifier {extractor}."
    kind = "" if ":" in extractor or extractor == "pixels" else "of the classifier "
    return f"Features: {kind}{extractor}."


def _scale(content: Mapping[str, Any]) -> str:
    differs = str(content["differs"])
    return f"Scale: {differs}" if content["scale"] == "small" else f"{differs[:1].upper()}{differs[1:]}"


def _row(statement: Mapping[str, Any]) -> tuple[str, ...]:
    name = f"`{statement['number']}`" + (f" / `{statement['over']}`" if "over" in statement else "")
    return (
        str(statement["claim"]),
        str(statement["paper"]),
        f"{name} = {_number(statement['found'])}, due {_bound(statement)}",
        {"held": "held", "did not hold": "did not hold", "open": "is open"}[statement["verdict"]],
    )


def _bound(statement: Mapping[str, Any]) -> str:
    return f"≥ {statement['at_least']:g}" if "at_least" in statement else f"≤ {statement['at_most']:g}"


def _number(found: Mapping[str, Any] | None, *, over: bool = True) -> str:
    if found is None:
        return "– (could not be taken)"
    if found.get("spread") == "exact":
        return f"{found['value']:g}, exactly"
    text = f"{found['value']:.3g}"
    if "low" in found:
        text += f" [{found['low']:.3g}, {found['high']:.3g}]"
    spread = found.get("spread", "")
    return f"{text} ({spread})" if spread and over else text


def _not_run(recipes: Sequence[Recipe], done: set[str]) -> str:
    """A line for each experiment that lacks results, in full or small: what it needs, and what it costs."""
    left = [recipe for recipe in recipes if recipe.label not in done]
    lines = []
    for name in dict.fromkeys(recipe.name for recipe in left):
        variants = [recipe for recipe in left if recipe.name == name]
        needs = next((f" needs {one.needs};" for one in variants if one.needs), "")
        costs = "; ".join(f"{'small' if one.is_small else 'in full'}, {one.cost}" for one in variants)
        lines.append(f"- `{name}`:{needs} {costs}")
    return "Not run:\n\n" + "\n".join(lines) if lines else ""


if __name__ == "__main__":
    README.write_text(rendered(README.read_text(encoding="utf-8")), encoding="utf-8")
