"""What an experiment leaves to be kept: numbers, statements, settings, versions and times as JSON, and one picture."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .pictures import draw_picture
from .recipe import Recipe
from .reports import numbers_of
from .running import read_done
from .stages import Places, Stage, last_stage
from .summing import Finding, findings, summed
from .values import Summary

FORMAT = 1
FILE, PICTURE = "results.json", "picture.png"


def write_results(recipe: Recipe, places: Places, stages: Sequence[Stage], seeds: Sequence[int], folder: Path) -> Path:
    """Sums up what was measured, and writes `results.json` and the picture.

    Args:
        recipe: the experiment.
        places: where its stages left things.
        stages: of these seeds, all done.
        seeds: of the trainings that are summed up; at least one.
        folder: of the results.
    Returns:
        The JSON file.
    Raises:
        RecipeError: a statement or a panel asks for what was not measured.
    """
    by_name = {stage.name: stage for stage in stages}
    numbers = {seed: numbers_of(recipe, places, by_name, seed) for seed in seeds}
    found = findings(recipe.statements, numbers)
    summaries = summed(numbers)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PICTURE).write_bytes(draw_picture(recipe, places, seeds))
    content = {
        "format": FORMAT,
        "experiment": recipe.name,
        "scale": "small" if recipe.is_small else "full",
        **{key: getattr(recipe, key) for key in ("title", "purpose", "paper", "cost", "needs", "caption")},
        "differs": recipe.scale,
        "picture": PICTURE,
        "seeds": list(seeds),
        "statements": [_statement(one) for one in found],
        "numbers": {name: _summary(one) for name, one in summaries.items()},
        "models": {model.name: model.title for model in recipe.models},
        "settings": _settings(recipe, places),
        "trainings": [told for seed in seeds for told in _trainings(recipe, by_name, seed)],
        "machine": _machine(),
        "versions": {name: version(name) for name in ("rpganify", "torch", "numpy")}
        | {"python": platform.python_version()},
        "commands": [done.command for stage in stages if (done := read_done(stage)) is not None],
    }
    file = folder / FILE
    aside = file.with_suffix(".aside")
    aside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    aside.replace(file)
    return file


def read_results(folder: Path) -> dict[str, Any] | None:
    """What was written into a folder, None if nothing was."""
    file = folder / FILE
    if not file.is_file():
        return None
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def _statement(finding: Finding) -> dict[str, Any]:
    told = {name: value for name, value in asdict(finding.statement).items() if value not in (None, "")}
    return {**told, "found": None if finding.found is None else _summary(finding.found), "verdict": finding.verdict}


def _summary(summary: Summary) -> dict[str, Any]:
    told = {name: value for name, value in asdict(summary).items() if value not in (None, "")}
    return {**told, "by_seed": {str(seed): value for seed, value in summary.by_seed.items()}}


def _settings(recipe: Recipe, places: Places) -> dict[str, Any]:
    classifier = recipe.classifier
    return {
        "data": recipe.data,
        "training": dict(recipe.training),
        "evaluation": dict(recipe.evaluation),
        "extractor": places.extractor
        or (classifier and (classifier.file or f"trained on {classifier.data}"))
        or "pixels",
    }


def _trainings(recipe: Recipe, stages: Mapping[str, Stage], seed: int) -> list[dict[str, Any]]:
    """What each training took: steps, seconds in steps, and seconds of the whole command, all attempts together."""
    told = []
    for model in recipe.models:
        if not model.is_trained:
            continue
        stage = stages[last_stage(recipe, seed, model)]
        done = read_done(stage)
        steps, seconds = _in_steps(stage.output / "metrics.jsonl")
        one: dict[str, Any] = {"model": model.name, "seed": seed, "steps": steps, "in_steps_s": round(seconds, 1)}
        if done is not None:
            one |= {"wall_s": round(done.wall_s, 1), "cpu_s": round(done.cpu_s, 1)}
            proved = [line for line in done.stdout.splitlines() if line.startswith("verified")]
            one |= {"verified": proved} if proved else {}
        told.append(one)
    return told


def _in_steps(metrics: Path) -> tuple[int, float]:
    """The last step, and the seconds that all steps took, of a training's record."""
    step, seconds = 0, 0.0
    with metrics.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            step = row["step"]
            seconds += sum(row.get(part) or 0.0 for part in ("data_s", "discriminator_s", "generator_s", "other_s"))
    return step, seconds


def _machine() -> dict[str, Any]:
    import torch

    told: dict[str, Any] = {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()}
    return told | ({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {})
