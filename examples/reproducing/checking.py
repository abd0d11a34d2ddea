"""Looks at everything that an experiment will need before anything starts."""

from __future__ import annotations

from collections.abc import Sequence

from rpganify.entries import AnalyzerEntry, ExtractorEntry
from rpganify.registry import default_registry

from .commands import check_usage
from .errors import RecipeError
from .recipe import Recipe
from .stages import Places, Stage


def check_commands(stages: Sequence[Stage]) -> None:
    """Refuses a stage whose command rpganify would refuse at its start.

    Raises:
        RecipeError: an option or a value is wrong.
        RegistryError: there is no such analyzer.
    """
    for stage in stages:
        if not stage.settings:
            check_usage(stage.words)
            continue
        stage.settings_file.parent.mkdir(parents=True, exist_ok=True)
        stage.settings_file.write_text(stage.settings, encoding="utf-8")
        check_usage(stage.words)


def check_needs(recipe: Recipe, places: Places) -> None:
    """Refuses to start where data, a weight file or an analyzer is missing.

    Raises:
        RecipeError: the data root is no folder, or a file that the recipe names is not in it.
        DataError: a data set cannot be read from there.
        RegistryError, AnalysisError: there is no such analyzer or extractor, or it lacks its file.
    """
    registry = default_registry()
    for analysis in recipe.analyses:
        for name in analysis.analyzers:
            registry.get(AnalyzerEntry, name)
    if places.extractor:
        registry.get(ExtractorEntry, places.extractor.partition(":")[0])
    if not places.data_root.is_dir():
        raise RecipeError(
            f"There is no folder {places.data_root}. Name the one that holds the data sets: --data-root DIR. "
            f"{recipe.label} needs {recipe.needs or recipe.data}; nothing is downloaded."
        )
    if recipe.classifier is not None and recipe.classifier.file and not places.classifier(recipe).is_file():
        raise RecipeError(
            f"{recipe.label} takes its features from {recipe.classifier.file}, and there is no such file below "
            f"{places.data_root}. Put it there, or name another extractor: --extractor inception:FILE."
        )

    from rpganify.analysis.opening import open_extractor
    from rpganify.data.opening import open_data

    specs = [recipe.data, *(model.data for model in recipe.models)]
    specs += [recipe.classifier.data] if recipe.classifier is not None and recipe.classifier.data else []
    for spec in dict.fromkeys(specs):
        open_data(spec, places.data_root, registry)
    if places.extractor:
        open_extractor(places.extractor, "cpu", registry)
    if recipe.classifier is not None and recipe.classifier.file:
        open_extractor(f"classifier:{places.classifier(recipe)}", "cpu", registry)
