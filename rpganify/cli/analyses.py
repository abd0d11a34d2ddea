"""Models and the names of analyzers become reports, with a word on what is run, left out and kept, and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rpganify.analysis.analyzer import AnalysisContext, Analyzer
from rpganify.analysis.cache import Finished, open_cache, run_analyzer
from rpganify.analysis.schedule import Schedule, check_allowed, lacking, make_schedule
from rpganify.cli.analysis_options import AnalysisOptions
from rpganify.cli.analysis_tools import Tools, make_context
from rpganify.cli.console import say
from rpganify.cli.formatting import format_duration
from rpganify.cli.models import OpenedModel
from rpganify.cli.progress import ProgressTalk
from rpganify.entries import AnalyzerEntry
from rpganify.errors import AnalysisError
from rpganify.report.report import Report

CACHE = "cache"


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


def analyze_models(
    opened: Sequence[OpenedModel],
    tools: Tools,
    options: AnalysisOptions,
    analyzers: Sequence[str],
    output: Path,
    talk: ProgressTalk,
) -> list[Analyzed]:
    """The reports on each model: kept ones, and new ones, which are kept under `output`.

    Args:
        opened: the models.
        tools: what they are analyzed with.
        options: what was typed.
        analyzers: names; if empty, all that the models and the tools allow.
        output: folder of the reports.
        talk: told what is under way.
    Raises:
        AnalysisError: no model takes an analyzer that was named, or any at all; or the disk refuses.
    """
    is_strict = bool(analyzers) and len(opened) == 1
    done = [
        analyze_model(
            one,
            replace(tools, twin=None) if tools.twin is one.model else tools,
            options,
            analyzers,
            output,
            talk,
            is_strict=is_strict,
        )
        for one in opened
    ]
    refused = [error for one in done for error in one.refused]
    if refused and analyzers and not any(one.reports for one in done):
        raise refused[0]
    return done


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
    unasked: list[str] = []
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
            unasked.append(name)
            continue
        chosen.append(tools.registry.make(entry))
    for reason, names in lacks.items():
        left_out.append(f"{', '.join(names)} need{'s' * (len(names) == 1)} {reason}")
    if unasked:
        are_named = "it is named" if len(unasked) == 1 else "they are named"
        left_out.append(f"{', '.join(unasked)} run{'s' * (len(unasked) == 1)} only where {are_named}")
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
