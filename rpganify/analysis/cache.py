"""Reports kept on disk, so that an interrupted analysis goes on and a repeated one is done at once. JSON and PNG only."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from rpganify.analysis.analyzer import AnalysisContext, Analyzer
from rpganify.analysis.fingerprints import analyzer_version, context_fingerprint, model_fingerprint
from rpganify.analysis.reads import watched
from rpganify.errors import AnalysisError
from rpganify.report.reading import report_from_json
from rpganify.report.report import Report
from rpganify.report.writing import pictures_of, report_to_json

log = logging.getLogger(__name__)

FORMAT = "rpganify analysis 1"
ENTRY = "report.json"


@dataclass(frozen=True, slots=True)
class Finished:
    """An analyzer's report, and where it comes from.

    Args:
        report: of the analyzer.
        seconds: that making it took, then or now.
        is_kept: it was made earlier, and read from disk.
    """

    report: Report
    seconds: float
    is_kept: bool


@dataclass(frozen=True, slots=True)
class ReportCache:
    """A folder of reports on one model, found again by what they were made of; made by `open_cache`.

    A report belongs to a model (its tensors, plan and graph), an analyzer (its name, its version and the text of its
    code), and to those parts of the context that the analyzer read; of the context's other parts it is independent, so
    another twin does not undo an analysis that never looked at the first. Damaged entries count as missing.

    Args:
        directory: made when something is kept; may hold reports on other models.
        model: fingerprint of the model.
        context: fingerprint of each part of the context.
    """

    directory: Path
    model: str
    context: Mapping[str, Any]

    def find(self, analyzer: Analyzer) -> Finished | None:
        """The report that the analyzer would make, if it is here."""
        identity = self._identity(analyzer)
        for folder in sorted(self.directory.glob(f"{analyzer.name}-*")):
            try:
                entry = _read(folder)
                if entry["identity"] == identity and entry["reads"] == self._parts(entry["reads"]):
                    return Finished(_report_of(folder, entry), float(entry["seconds"]), True)
            except (AnalysisError, OSError, LookupError, AttributeError, TypeError, ValueError) as error:
                log.warning("%s is damaged (%s); what it held is computed again where it is needed.", folder, error)
        return None

    def with_sizes(self, context: AnalysisContext) -> ReportCache:
        """The same for a context that differs in `num_paths` and `num_images` only."""
        sizes = {"num_paths": context.num_paths, "num_images": context.num_images}
        return replace(self, context={**self.context, **sizes})

    def keep(self, analyzer: Analyzer, reads: Iterable[str], report: Report, seconds: float) -> Finished:
        """Writes a report: aside first, then renamed.

        Args:
            analyzer: by which it was made.
            reads: names of the fields of the context that it read.
            report: to keep.
            seconds: that it took.
        Returns:
            The report as it will be found again: its pictures are PNG files by now.
        Raises:
            AnalysisError: the disk refuses.
        """
        identity, parts, pictures = self._identity(analyzer), self._parts(reads), pictures_of(report)
        entry = {
            "format": FORMAT,
            "identity": identity,
            "reads": parts,
            "seconds": seconds,
            "pictures": {name: hashlib.sha256(content).hexdigest() for name, content in pictures.items()},
            "report": report_to_json(report),
        }
        text = json.dumps(entry, ensure_ascii=False, indent=1, allow_nan=False)
        key = hashlib.sha256(json.dumps([identity, parts], sort_keys=True).encode()).hexdigest()[:16]
        target = self.directory / f"{analyzer.name}-{key}"
        try:
            _write(target, {**pictures, ENTRY: text.encode()})
            self._forget_other_versions(identity)
        except OSError as error:
            raise AnalysisError(
                f"The analysis {analyzer.name} cannot be kept in {self.directory}: {error.strerror or error}. Free some "
                "space or allow writing there, or choose another folder with -o."
            ) from error
        return Finished(_report_of(target, json.loads(text)), seconds, False)

    def _forget_other_versions(self, identity: Mapping[str, str]) -> None:
        """Removes what other code of the analyzer has made of the model: nobody will ask for it."""
        for folder in self.directory.glob(f"{identity['analyzer']}-*"):
            try:
                other = _read(folder)["identity"]
                is_outdated = {**other, "version": ""} == {**identity, "version": ""} and other != identity
            except (AnalysisError, OSError, LookupError, TypeError, ValueError):
                continue
            if is_outdated:
                shutil.rmtree(folder, ignore_errors=True)

    def _identity(self, analyzer: Analyzer) -> dict[str, str]:
        return {"model": self.model, "analyzer": analyzer.name, "version": analyzer_version(analyzer)}

    def _parts(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: self.context[name] for name in sorted(names) if name in self.context}


def open_cache(directory: Path, model: nn.Module, context: AnalysisContext) -> ReportCache:
    """The reports on a model, in a context, that a folder holds."""
    return ReportCache(directory, model_fingerprint(model), context_fingerprint(context))


def run_analyzer(
    analyzer: Analyzer, model: nn.Module, context: AnalysisContext, cache: ReportCache, *, is_fresh: bool = False
) -> Finished:
    """The analyzer's report: the one that was kept, or a new one, which is kept.

    Args:
        analyzer: to run.
        model: to analyze; as the cache was opened for, and so is the context.
        context: what the analyzer is given.
        cache: where reports are kept.
        is_fresh: run it whether there is a report or not.
    Raises:
        AnalysisError: the model does not allow this analysis, or the disk refuses to keep it.
    """
    found = None if is_fresh else cache.find(analyzer)
    if found is not None:
        return found
    shown, reads = watched(context)
    start = time.monotonic()
    report = analyzer.analyze(model, shown)
    return cache.keep(analyzer, reads, report, time.monotonic() - start)


def _write(target: Path, files: Mapping[str, bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".writing-", dir=target.parent))
    try:
        for name, content in files.items():
            (aside / name).write_bytes(content)
        aside.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _read(folder: Path) -> dict[str, Any]:
    entry: Any = json.loads((folder / ENTRY).read_text(encoding="utf-8"))
    if not isinstance(entry, dict) or entry["format"] != FORMAT:
        raise AnalysisError(f"{ENTRY} has another format than {FORMAT!r}")
    return entry


def _report_of(folder: Path, entry: Mapping[str, Any]) -> Report:
    pictures = {}
    for name, sha256 in entry["pictures"].items():
        content = (folder / Path(name).name).read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise AnalysisError(f"{name} is not the picture that was written")
        pictures[name] = content
    return report_from_json(entry["report"], pictures)
