"""The laws of an analyzer."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from torch import nn

from rpganify.analysis.analyzer import AnalysisContext, Analyzer
from rpganify.analysis.features import PixelFeatures
from rpganify.conversion.converting import standard
from rpganify.errors import AnalysisError
from rpganify.report.report import Report
from rpganify.report.writing import figure_to_png, report_to_json, write_reports
from rpganify.testing.examples import small_generator, small_model
from rpganify.testing.laws import Unavailable, name_of, require, shown, working
from rpganify.testing.watching import untouched_module, untouched_randomness


def check_analyzer(
    analyzer: Analyzer, *, model: nn.Module | None = None, context: AnalysisContext | None = None
) -> None:
    """An analyzer looks at a model, leaves it alone, and says the same each time.

    Its laws:

    - the report has the analyzer's name, and can be written as page, JSON, CSV and PNG;
    - the model is left as it was: weights, buffers, gradients, the training flag of every module, and so are the
      global random states and whether gradients are on;
    - the same model and seed give the same report, pictures included;
    - a standard generator, which has no buckets, gives a report too, or an AnalysisError that says why not.

    Args:
        analyzer: any object with the members of `rpganify.analysis.analyzer.Analyzer`.
        model: a converted model; None takes one of 8×8 pixels in colour, with three buckets.
        context: what it is given; None takes seed 0, two paths, and pixels as features.
    Raises:
        BrokenLaw: a law does not hold.
        Unavailable: it needs what is not here, as its own AnalysisError says.

    Example:
        check_analyzer(Brightness())
    """
    name = name_of(analyzer)
    require(
        isinstance(getattr(analyzer, "name", None), str) and bool(analyzer.name),
        f"{name}.name",
        expected="what follows `rpganify analyze MODEL`, a text",
        found=repr(getattr(analyzer, "name", None)),
        repair="Its reports are named so.",
    )
    examined = _mixed_modes(small_model()) if model is None else model
    chosen = context or AnalysisContext(num_paths=2, extractor=PixelFeatures())
    first, second = (_analyzed(name, analyzer, examined, chosen) for _ in range(2))
    require(
        first.name == analyzer.name,
        f"{name}.analyze",
        expected=f"a report called {analyzer.name!r}, as the analyzer",
        found=repr(first.name),
        repair="Write Report(self.name, …).",
    )
    files = _check_writing(name, first)
    _check_sameness(name, first, files, second)
    if model is None:
        _check_standard(name, analyzer, chosen)


def _mixed_modes(model: nn.Module) -> nn.Module:
    """The model in train mode, one module of it in eval mode: who puts flags back by `train()` is found out."""
    model.train()
    next(iter(model.children())).eval()
    return model


def _analyzed(name: str, analyzer: Analyzer, model: nn.Module, context: AnalysisContext) -> Report:
    repair = "`with evaluating(model, context.seed):` of rpganify.analysis.generation sets all of that back."
    with (
        working(f"{name}.analyze", expected="a report", repair="It is called as analyze(model, context)."),
        untouched_module(f"{name}.analyze", model, repair=repair),
        untouched_randomness(f"{name}.analyze", repair=repair),
    ):
        try:
            report = analyzer.analyze(model, context)
        except AnalysisError as error:
            raise Unavailable(f"{name} cannot be checked on this model: {error}") from error
    require(
        isinstance(report, Report),
        f"{name}.analyze",
        expected="a rpganify.report.report.Report",
        found=shown(report),
        repair="Put numbers into tables and pictures into figures of one.",
    )
    return report


def _check_writing(name: str, report: Report) -> dict[str, bytes]:
    """The files that it was written to, by name."""
    repair = "Give tables plain numbers and texts, provenance JSON data, and figures PNG bytes or Matplotlib's."
    with (
        tempfile.TemporaryDirectory() as folder,
        working(f"{name}'s report", expected="to be written as page, JSON, CSV and PNG", repair=repair),
    ):
        written = write_reports([report], Path(folder), title="check")
        return {path.name: path.read_bytes() for path in written}


def _check_sameness(name: str, first: Report, files: dict[str, bytes], second: Report) -> None:
    texts = [json.dumps(report_to_json(report), sort_keys=True) for report in (first, second)]
    repair = "Draw with a `torch.Generator` seeded by context.seed, and leave times and file names out."
    if texts[0] != texts[1]:
        place = next(i for i, (one, two) in enumerate(zip(*texts, strict=False)) if one != two)
        around = [text[max(0, place - 30) : place + 30] for text in texts]
        require(
            False,
            f"{name}'s report",
            expected="to be the same for the same model and seed",
            found=f"…{around[0]}… and then …{around[1]}…",
            repair=repair,
        )
    for one, two in zip(first.figures, second.figures, strict=True):
        require(
            files[first.file(one)] == figure_to_png(two),
            f"{name}'s figure {one.name!r}",
            expected="to be the same picture for the same model and seed",
            found="another one",
            repair=repair,
        )


def _check_standard(name: str, analyzer: Analyzer, context: AnalysisContext) -> None:
    plain = standard(small_generator())
    repair = "Begin with `rp = require_paths(model, self.name)` of rpganify.analysis.analyzer, which refuses it."
    with working(
        f"{name}.analyze",
        expected="a standard generator to be reported on, or refused by an AnalysisError",
        repair=repair,
    ):
        try:
            analyzer.analyze(plain, context)
        except AnalysisError:
            return
