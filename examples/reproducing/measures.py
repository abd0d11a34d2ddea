"""Measurements of models that no analyzer makes: which classes they show, and which old images are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from rpganify.analysis.classifier_features import ClassifierFeatures, open_classifier
from rpganify.analysis.generation import evaluating, to_uint8
from rpganify.data.images import to_float
from rpganify.modelfile import Model, load_model
from rpganify.modelfinding import find_model
from rpganify.routing.generator import RandomPathGenerator

from .errors import RecipeError
from .recipe import Measure, Recipe
from .stages import Places, Stage, last_stage
from .values import Value, exactly, share

NUM_IMAGES = 5000
_BATCH = 64


def measure_seed(
    recipe: Recipe, places: Places, stages: Mapping[str, Stage], seed: int, num_images: int = NUM_IMAGES
) -> dict[str, Value]:
    """The recipe's own measures of one seed's models, by `MODEL MEASURE`; kept in a file, and read from there.

    Args:
        recipe: the experiment.
        places: where its models are.
        stages: by name; what they were made by tells whether what is kept is still right.
        seed: of the trainings.
        num_images: made of each model.
    Raises:
        RecipeError: it counts classes, and names no classifier.
    """
    found: dict[str, Value] = {}
    folder = places.experiment(recipe) / f"seed-{seed}"
    for index, measure in enumerate(recipe.measures, 1):
        names = [*measure.models, *([measure.before] if measure.before else [])]
        made_of = [stages[last_stage(recipe, seed, recipe.model(name))].chain for name in names]
        told = json.dumps([asdict(measure), made_of, num_images], sort_keys=True)
        file = folder / f"measure-{index}-{measure.kind}.json"
        kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        if kept.get("of") != told:
            made = _measured(recipe, places, measure, seed, num_images)
            kept = {"of": told, "values": {name: asdict(value) for name, value in made.items()}}
            folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(kept, indent=1, ensure_ascii=False), encoding="utf-8")
        found |= {name: Value(**value) for name, value in kept["values"].items()}
    return found


def open_trained(folder: Path) -> Model:
    """A model or the newest of a run, its moving average if there is one, in eval mode."""
    return load_model(find_model(folder).directory).eval()


def class_shares(model: Model, classifier: ClassifierFeatures, num_images: int, seed: int) -> Tensor:
    """How many of a model's images show each class: int64 `(num_classes,)`, which sums to `num_images`."""
    with evaluating(model, seed):
        draws = torch.Generator().manual_seed(seed)
        scores = [classifier.scores(_as_saved(model.sample(size, draws))) for size in _sizes(num_images)]
    counted = torch.cat(scores)
    return torch.bincount(counted.argmax(dim=1), minlength=counted.shape[1])


def kept_images(
    before: RandomPathGenerator, after: RandomPathGenerator, classifier: ClassifierFeatures, num_images: int, seed: int
) -> tuple[int, int]:
    """Of random old paths, how many have the same image as before, pixel by pixel, and how many the same class.

    Args:
        before: the model whose paths are meant.
        after: what became of it; all paths of `before` are paths of it as well.
        classifier: says the class of an image.
        num_images: how many paths.
        seed: of their choice.
    """
    num_same = num_same_class = 0
    draws = torch.Generator().manual_seed(seed)
    with evaluating(before, seed), evaluating(after, seed):
        for size in _sizes(num_images):
            paths = before.paths.sample(size, generator=draws)
            old, new = _as_saved(before.images(paths)), _as_saved(after.images(paths))
            num_same += int((old == new).flatten(1).all(dim=1).sum())
            num_same_class += int((classifier.classes(old) == classifier.classes(new)).sum())
    return num_same, num_same_class


def _measured(recipe: Recipe, places: Places, measure: Measure, seed: int, num_images: int) -> dict[str, Value]:
    if recipe.classifier is None or not recipe.classifier.has_classes:
        raise RecipeError(f"{recipe.name} measures {measure.kind}, and names no classifier that tells classes apart.")
    classifier = open_classifier(argument=str(places.classifier(recipe)))
    opened = {name: open_trained(places.model(recipe, seed, recipe.model(name))) for name in measure.models}
    if measure.kind == "kept-images":
        before = open_trained(places.model(recipe, seed, recipe.model(measure.before)))
        return _kept(measure, before, opened, classifier, num_images)
    found: dict[str, Value] = {}
    for name, model in opened.items():
        counts = class_shares(model, classifier, num_images, seed=0).tolist()
        found |= {f"{name} share-{index}": share(count, num_images, "images") for index, count in enumerate(counts)}
        if measure.group:
            together = sum(counts[index] for index in measure.group)
            label = "+".join(map(str, measure.group))
            found[f"{name} share-{label}"] = share(together, num_images, "images")
    return found


def _kept(
    measure: Measure, before: Model, after: Mapping[str, Model], classifier: ClassifierFeatures, num_images: int
) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, model in after.items():
        if not isinstance(before, RandomPathGenerator) or not isinstance(model, RandomPathGenerator):
            raise RecipeError(f"{measure.before} or {name} has no paths whose images could be kept.")
        same, same_class = kept_images(before, model, classifier, num_images, seed=0)
        for word, num in (("kept-images", same), ("kept-classes", same_class)):
            is_proved = same == num_images
            found[f"{name} {word}"] = exactly(1.0) if is_proved else share(num, num_images, "paths")
    return found


def _as_saved(images: Tensor) -> Tensor:
    """Images as an 8-bit file would hold them, in [-1, 1]."""
    return to_float(to_uint8(images))


def _sizes(total: int) -> Sequence[int]:
    return [min(_BATCH, total - start) for start in range(0, total, _BATCH)]
