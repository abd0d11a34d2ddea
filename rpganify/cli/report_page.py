"""From analyzed models to a page: overview, analyses, training."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import torch

from rpganify.analysis.classes.comparison import compare_classes
from rpganify.analysis.overview import Training, describe_model, key_of, with_reports
from rpganify.analysis.quality.comparison import compare_quality
from rpganify.analysis.retention.comparison import compare_retention
from rpganify.cli.analyses import Analyzed
from rpganify.cli.console import say
from rpganify.cli.models import OpenedModel
from rpganify.errors import AnalysisError
from rpganify.report.contents import Page
from rpganify.report.report import Report
from rpganify.report.subject import Subject
from rpganify.report.training import training_report
from rpganify.report.training_log import read_training_log
from rpganify.training.run import RunDirectory

_DATA = re.compile(r"(?P<name>.+), (?P<number>\d+) images")


def make_page(analyzed: Sequence[Analyzed], seed: int, title: str | None = None) -> Page:
    """The page on models that have been analyzed.

    Args:
        analyzed: at least one.
        seed: of the analyses, for the colophon.
        title: the heading; None takes the models' names.
    """
    names = _unique([one.named.name for one in analyzed])
    keys = _unique([key_of(name) for name in names])
    subjects = tuple(
        replace(_subject(one, name), key=key) for one, name, key in zip(analyzed, names, keys, strict=True)
    )
    kicker = "What the layers of this generator do" if len(names) == 1 else f"{len(names)} generators side by side"
    return Page(title or _joined(names), subjects, kicker, _comparisons(subjects), _colophon(seed))


def _comparisons(subjects: Sequence[Subject]) -> tuple[Report, ...]:
    """Reports on all models together, where their numbers mean the same."""
    found = []
    for name, compare in (("quality", compare_quality), ("retention", compare_retention), ("classes", compare_classes)):
        measured = [(subject.name, report) for subject in subjects if (report := subject.report(name))]
        if len(measured) < 2:
            continue
        try:
            found.append(compare(measured))
        except AnalysisError as error:
            say(f"left out: a comparison of {name}: {error}")
    return tuple(found)


def _subject(analyzed: Analyzed, name: str) -> Subject:
    named = analyzed.named
    record = _record(named)
    weights = named.weights.partition(" (")[0]  # what follows is advice for the command line
    subject = describe_model(named.model, analyzed.context, name, _training(named, record), weights)
    curves = _curves(named, record)
    return with_reports(subject, (*analyzed.reports, *([curves] if curves else [])), analyzed.left_out)


def _record(named: OpenedModel) -> dict[str, Any]:
    """What `config.json` of the model's run holds, whatever version of rpganify wrote it; {} if it is no run's."""
    if named.run is None:
        return {}
    try:
        record: Any = json.loads(RunDirectory(named.run).config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        say(f"left out: the settings of {named.name}: {RunDirectory(named.run).config} cannot be read ({error})")
        return {}
    return record if isinstance(record, dict) else {}


def _training(named: OpenedModel, record: Mapping[str, Any]) -> Training | None:
    if named.step is None:
        return None
    facts = record.get("facts")
    told = str(facts.get("data", "")) if isinstance(facts, dict) else ""
    found = _DATA.fullmatch(told)
    return Training(named.step, found["name"] if found else told, int(found["number"]) if found else None)


def _curves(named: OpenedModel, record: Mapping[str, Any]) -> Report | None:
    if named.run is None:
        return None
    told = {name: record[name] for name in ("settings", "facts", "provenance") if name in record}
    try:
        run = RunDirectory(named.run)
        return training_report(read_training_log(run.metrics, run.quality, run.events), told)
    except AnalysisError as error:
        say(f"left out: the curves of {named.name}: {error}")
        return None


def _unique(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that occur again."""
    result: list[str] = []
    for name in names:
        number, free = 2, name
        while free in result:
            free, number = f"{name}-{number}", number + 1
        result.append(free)
    return result


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _colophon(seed: int) -> str:
    return (
        f"Made by `rpganify {version('rpganify')}` with torch {torch.__version__}, seed {seed}. This page is one file and asks "
        "for nothing else; all numbers are in `report.json` beside it."
    )
