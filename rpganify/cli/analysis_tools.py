"""What an analysis is given: models, extractor, classifier, data and twin, opened from what the user named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import typer

from rpganify import memory
from rpganify.analysis.analyzer import NUM_IMAGES, NUM_PATHS, AnalysisContext
from rpganify.analysis.classifier_features import ClassifierFeatures
from rpganify.analysis.features import FeatureExtractor
from rpganify.analysis.opening import open_distance, open_extractor
from rpganify.cli.analysis_options import AnalysisOptions
from rpganify.cli.choosing import choose_device
from rpganify.cli.classifiers import open_named_classifier
from rpganify.cli.conditions import read_conditions
from rpganify.cli.console import say
from rpganify.cli.models import OpenedModel, open_model
from rpganify.cli.progress import ProgressTalk
from rpganify.data.images import ImageData
from rpganify.data.labels import parse_labels
from rpganify.data.opening import fit_to, open_data, parse_spec
from rpganify.data.progress import progress_told
from rpganify.entries import AnalyzerEntry
from rpganify.modelfile import Model
from rpganify.registry import Registry, default_registry
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator
from rpganify.surgery.grow import data_before


@dataclass(frozen=True, slots=True)
class Tools:
    """What all models of an analysis share.

    Args:
        place: the device.
        registry: knows the names.
        extractor, classifier: opened.
        data: as named, not yet fitted to any model.
        twin: to compare with; on the device.
    """

    place: torch.device
    registry: Registry
    extractor: FeatureExtractor
    classifier: ClassifierFeatures | None
    data: ImageData | None
    twin: Model | None


def open_models(models: Sequence[str], options: AnalysisOptions) -> tuple[list[OpenedModel], Tools]:
    """The models and tools that the user names, checked before anything is run.

    Raises:
        RpganifyError: something named is not there, or does not fit.
    """
    options.classifier.check()
    registry = default_registry()
    place = choose_device(options.device)
    if place.type == "cpu":
        memory.keep_freed_memory()
    extractor = open_extractor(options.extractor, place, registry)
    with ProgressTalk() as talk, progress_told(talk.update):
        data = open_data(options.data, options.data_root, registry) if options.data else None
    sources = options.sources(models)
    opened = [open_model(sources[name], trusts_source=options.trusts_source, is_raw=options.is_raw) for name in models]
    for named in opened:
        named.model.to(place)
        for line in named.told:
            say(line)
    classifier = open_named_classifier(options.classifier, opened[0].model.image_shape, place)
    twin = None
    if options.twin:
        paired = open_model(sources[options.twin], trusts_source=options.trusts_source, is_raw=options.is_raw)
        twin = paired.model.to(place)
        for line in paired.told:
            say(f"twin: {line}")
    return opened, Tools(place, registry, extractor, classifier, data, twin)


def with_twin_among(opened: Sequence[OpenedModel], tools: Tools) -> Tools:
    """The tools, with the one standard generator among the models as the others' twin if none was named."""
    plain = [one for one in opened if isinstance(one.model, StandardGenerator)]
    others = [one for one in opened if isinstance(one.model, RandomPathGenerator)]
    if tools.twin is not None or len(plain) != 1 or not others:
        return tools
    (twin,) = plain
    if any(tuple(one.model.image_shape) != tuple(twin.model.image_shape) for one in others):
        return tools
    say(f"{twin.name} is the twin of {', '.join(one.name for one in others)} (--twin names another)")
    return replace(tools, twin=twin.model)


def make_context(named: OpenedModel, tools: Tools, options: AnalysisOptions, talk: ProgressTalk) -> AnalysisContext:
    """What the analyzers of one model are given."""
    model = named.model
    with progress_told(talk.update):
        data, done = fit_to(tools.data, model.image_shape) if tools.data else (None, "")
    if done:
        say(f"data: {done}")
    space = model.paths if isinstance(model, RandomPathGenerator) else None
    typed = {
        "model": named.name, "data": options.data, "twin": options.twin, "classifier": options.classifier.name,
        "extractor": options.extractor,
    }  # fmt: skip
    return AnalysisContext(
        seed=options.seed,
        num_paths=options.num_paths or NUM_PATHS,
        num_images=options.num_images or NUM_IMAGES,
        paths=tuple(tuple(space.parse(text).tolist()) for text in options.paths) if space else (),
        extractor=tools.extractor,
        distances=tuple(open_distance(d, model.image_shape[0], tools.place, tools.registry) for d in options.distances),
        data=data,
        twin=tools.twin,
        classifier=tools.classifier,
        old_classes=_old_classes(model, data, options.old_classes),
        names={name: str(text) for name, text in typed.items() if text},
        device=tools.place,
        conditions=read_conditions(list(options.conditions), model.conditions),
        progress=talk.update,
    )


def _old_classes(model: Model, data: ImageData | None, typed: str | None) -> tuple[int, ...]:
    """The labels that a model knew before it grew: those that the user says, or else those of the run that it grew from.

    Raises:
        typer.BadParameter: they are typed, and there is no data with labels to look them up in.
        DataError: the data has no such class.
    """
    if typed is not None and (data is None or data.labels is None):
        what = "--data NAME" if data is None else f"{data.name}, which has no labels"
        raise typer.BadParameter(f"It names classes of the real images: {what}.", param_hint="--old-classes")
    if data is None or data.labels is None:
        return ()
    if typed is not None:
        return parse_labels(typed, data.class_names, data.name)
    before = data_before(model) if isinstance(model, RandomPathGenerator) else ""
    name, _, labels = parse_spec(before) if before else ("", None, None)
    is_same = name == parse_spec(data.name)[0]
    return parse_labels(labels, data.class_names, data.name) if labels and is_same else ()


def check_analyzers(names: Sequence[str]) -> None:
    """Refuses a name that is no analyzer, before anything is opened.

    Raises:
        RegistryError: there is none.
    """
    registry = default_registry()
    for name in names:
        registry.get(AnalyzerEntry, name)


def check_is_usable(output: Path) -> None:
    """Refuses a place for the reports that is a file, before any work is done."""
    if output.exists() and not output.is_dir():
        raise typer.BadParameter(f"{output} is a file; the reports go into a folder.", param_hint="--output")
