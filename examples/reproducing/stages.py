"""What has to be run for an experiment: one command after the other, each with what it needs and what it leaves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from .commands import as_settings, as_words
from .recipe import Analysis, Converted, Grown, Linearized, Merged, Model, Recipe, Twin

Kind = Literal["classifier", "make", "train", "analyze"]

# What an experiment is tried out with: as little as the analyzers take.
_TRIAL = {"num_images": 100, "paths": 2, "within": 1}


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are and go.

    Args:
        runs: heavy things: models, trainings, reports.
        data_root: of the data sets.
        extractor: in place of the recipes' own, such as `inception:FILE`; empty for theirs.
        trial_steps: how many steps every training takes; None for as many as the recipe says.
    """

    runs: Path
    data_root: Path
    extractor: str = ""
    trial_steps: int | None = None

    def experiment(self, recipe: Recipe) -> Path:
        """The folder of an experiment."""
        trial = "" if self.trial_steps is None else f"-trial-{self.trial_steps}"
        return self.runs / f"{recipe.label}{trial}"

    def home(self, recipe: Recipe, seed: int, model: Model) -> Path:
        """The folder that a model of one seed stands in, which may be another experiment's."""
        return self.experiment(_home(recipe, model)) / f"seed-{seed}"

    def model(self, recipe: Recipe, seed: int, model: Model) -> Path:
        """What other commands take for the model: its run, or its file if it is not trained."""
        folder = self.home(recipe, seed, model)
        return folder / model.name if model.is_trained else folder / f"{model.name}.rpgan"

    def report(self, recipe: Recipe, seed: int, analysis: Analysis, model: str) -> Path:
        """The folder of what was measured of a model."""
        return self.experiment(recipe) / f"seed-{seed}" / "reports" / analysis.label(model)

    def classifier(self, recipe: Recipe) -> Path:
        """The file of the recipe's classifier, which it has."""
        assert recipe.classifier is not None
        if recipe.classifier.file:
            return self.data_root / recipe.classifier.file
        told = json.dumps([recipe.classifier.data, dict(recipe.classifier.options)], sort_keys=True)
        label = "".join(letter if letter.isalnum() else "-" for letter in recipe.classifier.data).strip("-")
        trial = "" if self.trial_steps is None else "-trial"
        return self.runs / "classifiers" / f"{label}-{_digest(told)[:6]}{trial}.safetensors"

    def plain(self, text: str) -> str:
        """A text without what belongs to this machine: folders are called RUNS and DATA."""
        return text.replace(str(self.runs), "RUNS").replace(str(self.data_root), "DATA")


@dataclass(frozen=True, slots=True)
class Stage:
    """A command to be run once.

    Args:
        name: for people, and unique: `seed 0: rpgan: train`.
        kind: of what is done.
        words: of the command, behind `rpganify`.
        output: what it writes.
        marker: written when it is done.
        needs: names of stages to be done before.
        settings: of a training: its options as a file, which stands beside its output.
        chain: what tells it, and all that it is made of, from another; equal ones leave the same.
    """

    name: str
    kind: Kind
    words: tuple[str, ...]
    output: Path
    marker: Path
    needs: tuple[str, ...] = ()
    settings: str = ""
    chain: str = ""

    @property
    def settings_file(self) -> Path:
        """Where the settings go."""
        return self.output.with_name(f"{self.output.name}.toml")


def stages_of(recipe: Recipe, places: Places, seeds: tuple[int, ...]) -> tuple[Stage, ...]:
    """All stages of an experiment, in an order in which they can be run.

    Args:
        recipe: the experiment.
        places: where things go.
        seeds: of the trainings.
    """
    stages: dict[str, Stage] = {}

    def add(stage: Stage) -> None:
        before = "".join(stages[name].chain for name in stage.needs)
        told = json.dumps([places.plain(" ".join(stage.words)), places.plain(stage.settings)])
        stages[stage.name] = replace(stage, chain=_digest(told + before))

    if recipe.classifier is not None and recipe.classifier.data:
        add(_classifier(recipe, places))
    for seed in seeds:
        for model in recipe.models:
            if not isinstance(model.origin, Twin):  # which is trained from its source
                add(_making(recipe, places, seed, model))
            if model.is_trained:
                add(_training(recipe, places, seed, model))
        for analysis in recipe.analyses:
            for name in analysis.models:
                add(_analysis(recipe, places, seed, analysis, name))
    return tuple(stages.values())


def last_stage(recipe: Recipe, seed: int, model: Model) -> str:
    """The name of the stage that leaves a model as others take it."""
    return _name(seed, model.name, "train" if model.is_trained else "make")


def _classifier(recipe: Recipe, places: Places) -> Stage:
    assert recipe.classifier is not None
    file = places.classifier(recipe)
    options = dict(recipe.classifier.options) | ({} if places.trial_steps is None else {"epochs": 1})
    words = ("classifier", recipe.classifier.data, "--data-root", str(places.data_root), "-o", str(file), "--json")
    return Stage(
        "classifier",
        "classifier",
        (*words, *as_words("classifier", options)),
        file,
        file.with_suffix(".json"),
    )


def _making(recipe: Recipe, places: Places, seed: int, model: Model) -> Stage:
    """The command that makes a model of a source or of another model."""
    output = places.home(recipe, seed, model) / f"{model.name}.rpgan"
    needs: tuple[str, ...] = ()
    origin = model.origin
    if isinstance(origin, Converted):
        words = ["convert", origin.source, *as_words("convert", {"arg": origin.arguments})]
        words += ["--blocks", " ".join(map(str, origin.blocks)), "--norm", origin.norm, "--init", origin.init]
        words += ["--buckets", " ".join(origin.buckets)] if origin.buckets else []
    else:
        parent = recipe.model(origin.of)
        if isinstance(parent.origin, Twin) and not parent.is_trained:
            source = recipe.converted(parent.name)
            of = [source.source, *as_words("convert", {"arg": source.arguments})]
        else:
            of = [str(places.model(recipe, seed, parent))]
            needs = (last_stage(recipe, seed, parent),)
        match origin:
            case Grown():
                words = ["grow", *of, "--add", ",".join(map(str, origin.add))]
            case Linearized():
                words = ["linearize", *of]
            case Merged():
                words = ["merge", *of, "--buckets", origin.buckets, "--blocks", str(origin.blocks), "--json"]
            case Twin():
                raise AssertionError("a twin is trained from its source")
    words += ["--seed", str(seed), "-o", str(output)]
    name = _name(seed, model.name, "make")
    return Stage(name, "make", tuple(words), output, _marker(output, "made"), needs)


def _training(recipe: Recipe, places: Places, seed: int, model: Model) -> Stage:
    """`rpganify train --config FILE`, with the table that all models share and what is the model's own in that file."""
    output = places.home(recipe, seed, model) / model.name
    told: dict[str, Any] = {"data": model.data, "data_root": str(places.data_root)}
    needs: list[str] = []
    if isinstance(model.origin, Twin):
        source = recipe.converted(model.name)
        told = {"model": source.source, "standard": True, "arg": source.arguments, **told}
    else:
        told = {"model": str(output.with_name(f"{model.name}.rpgan")), **told}
        needs.append(_name(seed, model.name, "make"))
    own = dict(model.training)
    rival = own.get("discriminator_from")
    if rival is not None:
        own["discriminator_from"] = str(places.model(recipe, seed, recipe.model(rival)))
        needs.append(_name(seed, rival, "train"))
    settings = {**told, **_trained_as(recipe.training, places.trial_steps), **own, "seed": seed, "output": str(output)}
    heading = f"{model.title}, of {_home(recipe, model).label}, seed {seed}. Written by examples/reproduce.py."
    stage = Stage(
        _name(seed, model.name, "train"),
        "train",
        (),
        output,
        _marker(output, "trained"),
        tuple(needs),
        as_settings(settings, heading),
    )
    return replace(stage, words=("train", "--config", str(stage.settings_file)))


def _trained_as(training: Mapping[str, Any], trial_steps: int | None) -> dict[str, Any]:
    """The shared table; in a trial with fewer steps, and in place of whatever else ends a training."""
    if trial_steps is None:
        return dict(training)
    kept = {name: value for name, value in training.items() if name not in ("steps", "images", "minutes")}
    return {**kept, "steps": trial_steps}


def _analysis(recipe: Recipe, places: Places, seed: int, analysis: Analysis, name: str) -> Stage:
    model = recipe.model(name)
    output = places.report(recipe, seed, analysis, name)
    words = ["analyze", str(places.model(recipe, seed, model)), *analysis.analyzers, "-o", str(output)]
    words += ["--data", recipe.data, "--data-root", str(places.data_root), "--seed", "0"]
    needs = [last_stage(recipe, seed, model)]
    if recipe.classifier is not None:
        file = places.classifier(recipe)
        words += ["--extractor", places.extractor or f"classifier:{file}"]
        words += ["--classifier", str(file)] if recipe.classifier.has_classes else []
        needs += ["classifier"] if recipe.classifier.data else []
    elif places.extractor:
        words += ["--extractor", places.extractor]
    if analysis.twin:
        twin = recipe.model(analysis.twin)
        words += ["--twin", str(places.model(recipe, seed, twin))]
        needs.append(last_stage(recipe, seed, twin))
    options = {**recipe.evaluation, **analysis.evaluation, **({} if places.trial_steps is None else _TRIAL)}
    words += as_words("analyze", options)
    label = f"analyze {' '.join(analysis.analyzers)}"
    return Stage(
        _name(seed, name, label),
        "analyze",
        tuple(words),
        output,
        _marker(output, "analyzed"),
        tuple(dict.fromkeys(needs)),
    )


def _home(recipe: Recipe, model: Model) -> Recipe:
    """The recipe under the name of the one that makes the model."""
    return replace(recipe, name=model.home)


def _name(seed: int, model: str, what: str) -> str:
    return f"seed {seed}: {model}: {what}"


def _marker(output: Path, what: str) -> Path:
    return output.with_name(f"{output.name}.{what}.json")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
