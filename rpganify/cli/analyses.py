"""What the commands that analyze have in common: from names to reports, saying what is done and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import typer

from rpganify.analysis.analyzer import NUM_IMAGES, NUM_PATHS, AnalysisContext, Analyzer
from rpganify.analysis.cache import Finished, open_cache, run_analyzer
from rpganify.analysis.classifier_features import ClassifierFeatures, open_classifier
from rpganify.analysis.features import FeatureExtractor
from rpganify.analysis.opening import open_distance, open_extractor
from rpganify.analysis.schedule import Schedule, check_allowed, lacking, make_schedule
from rpganify.cli.analysis_options import AnalysisOptions
from rpganify.cli.choosing import choose_device
from rpganify.cli.conditions import read_conditions
from rpganify.cli.console import say
from rpganify.cli.formatting import format_duration
from rpganify.cli.models import OpenedModel, open_model
from rpganify.cli.progress import ProgressTalk
from rpganify.data.images import ImageData
from rpganify.data.opening import fit_to, open_data
from rpganify.data.progress import progress_told
from rpganify.entries import AnalyzerEntry
from rpganify.errors import AnalysisError
from rpganify.memory import keep_freed_memory
from rpganify.modelfile import Model
from rpganify.registry import Registry, default_registry
from rpganify.report.report import Report
from rpganify.routing.generator import RandomPathGenerator

CACHE = "cache"


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


@dataclass(frozen=True, slots=True)
class Analyzed:
    """A model and the reports on it.

    Args:
        named: the model.
        context: with which it was analyzed.
        reports: in the order of the analyzers.
        left_out: a line on each analysis that was left out, and why.
        refused: what the analyses that were left out said.
    """

    named: OpenedModel
    context: AnalysisContext
    reports: tuple[Report, ...]
    left_out: tuple[str, ...]
    refused: tuple[AnalysisError, ...] = ()


def open_models(models: Sequence[str], options: AnalysisOptions) -> tuple[list[OpenedModel], Tools]:
    """The models and tools that the user names, checked before anything is run.

    Raises:
        RpganifyError: something named is not there, or does not fit.
    """
    registry = default_registry()
    place = choose_device(options.device)
    if place.type == "cpu":
        keep_freed_memory()
    extractor = open_extractor(options.extractor, place, registry)
    classifier = open_classifier(argument=str(options.classifier), device=place) if options.classifier else None
    with ProgressTalk() as talk, progress_told(talk.update):
        data = open_data(options.data, options.data_root, registry) if options.data else None
    sources = options.sources(models)
    opened = [open_model(sources[name], trusts_source=options.trusts_source) for name in models]
    for named in opened:
        named.model.to(place)
        for line in named.told:
            say(line)
    twin = None
    if options.twin:
        paired = open_model(sources[options.twin], trusts_source=options.trusts_source)
        twin = paired.model.to(place)
        for line in paired.told:
            say(f"twin: {line}")
    return opened, Tools(place, registry, extractor, classifier, data, twin)


def make_context(named: OpenedModel, tools: Tools, options: AnalysisOptions, talk: ProgressTalk) -> AnalysisContext:
    """What the analyzers of one model are given."""
    model = named.model
    with progress_told(talk.update):
        data, done = fit_to(tools.data, model.image_shape) if tools.data else (None, "")
    if done:
        say(f"data: {done}")
    space = model.paths if isinstance(model, RandomPathGenerator) else None
    typed = {
        "model": named.name, "data": options.data, "twin": options.twin, "classifier": options.classifier,
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
        names={name: str(text) for name, text in typed.items() if text},
        device=tools.place,
        conditions=read_conditions(list(options.conditions), model.conditions),
        progress=talk.update,
    )


def analyze_model(
    named: OpenedModel,
    tools: Tools,
    options: AnalysisOptions,
    analyzers: Sequence[str],
    output: Path,
    talk: ProgressTalk,
    *,
    is_strict: bool,
) -> Analyzed:
    """The reports on one model: kept ones, and new ones, which are kept under `output`.

    Args:
        named: the model.
        tools: what it is analyzed with.
        options: what was typed.
        analyzers: names; if empty, all that the model and the tools allow.
        output: folder of the reports.
        talk: told what is under way.
        is_strict: whether an analyzer that does not take the model is refused rather than left out.
    Raises:
        AnalysisError: an analyzer does not take the model, and it is strict; or the disk refuses.
    """
    context = make_context(named, tools, options, talk)
    model = named.model
    known = tools.registry.all(AnalyzerEntry)
    left_out: list[str] = []
    lacks: dict[str, list[str]] = {}
    refused: list[AnalysisError] = []
    chosen: list[Analyzer] = []
    for name in dict.fromkeys(analyzers or known):
        entry = tools.registry.get(AnalyzerEntry, name)
        try:
            check_allowed(entry, model, context)
        except AnalysisError as error:
            if is_strict:
                raise
            refused.append(error)
            lacks.setdefault("; and ".join(lacking(entry, model, context)), []).append(name)
            continue
        if not analyzers and not entry.is_default:
            left_out.append(f"{name} runs only where it is named")
            continue
        chosen.append(tools.registry.make(entry))
    for reason, names in lacks.items():
        left_out.append(f"{', '.join(names)} need{'s' * (len(names) == 1)} {reason}")
    if not chosen:
        for line in left_out:
            say(f"left out: {line}")
        return Analyzed(named, context, (), tuple(left_out), tuple(refused))
    cache = open_cache(output / CACHE, model, context)
    adjustable = [
        size for size, given in (("num_paths", options.num_paths), ("num_images", options.num_images)) if not given
    ]
    limit_s = options.within_min * 60
    plan = make_schedule(
        chosen, model, context, cache, limit_s=limit_s, adjustable=adjustable, is_fresh=options.is_fresh
    )
    _say_plan(named, plan, context, left_out, limit_s)
    finished: list[Finished] = []
    for analyzer in chosen:
        try:
            finished.append(run_analyzer(analyzer, model, plan.context, plan.cache, is_fresh=options.is_fresh))
        except AnalysisError as error:
            if is_strict:
                raise
            refused.append(error)
            left_out.append(str(error))
            say(f"left out: {error}")
        except KeyboardInterrupt:
            say(f"what is done is kept in {output / CACHE}; the same command goes on from there")
            raise
    return Analyzed(named, plan.context, tuple(one.report for one in finished), tuple(left_out), tuple(refused))


def _say_plan(
    named: OpenedModel, plan: Schedule, wanted: AnalysisContext, left_out: Sequence[str], limit_s: float
) -> None:
    for line in left_out:
        say(f"left out: {line}")
    if plan.kept:
        say(f"kept from before: {', '.join(plan.kept)} (--fresh computes them again)")
    if plan.due_s:
        unknown = [name for name, seconds in plan.due_s.items() if seconds is None]
        beside = f", not counting {', '.join(unknown)}" if unknown else ""
        sizes = f"{plan.context.num_paths} paths, {plan.context.num_images} images for distributions"
        duration = format_duration(max(plan.total_s, 1))
        say(f"{named.name}: running {', '.join(plan.due_s)}; about {duration}{beside} ({sizes})")
    smaller = plan.context.num_paths < wanted.num_paths or plan.context.num_images < wanted.num_images
    if smaller:
        say(
            f"sizes are made for {format_duration(limit_s)}: --paths {wanted.num_paths} --num-images "
            f"{wanted.num_images} takes them in full, --within MINUTES gives it more time"
        )


def check_is_usable(output: Path) -> None:
    """Refuses a place for the reports that is a file, before any work is done."""
    if output.exists() and not output.is_dir():
        raise typer.BadParameter(f"{output} is a file; the reports go into a folder.", param_hint="--output")
