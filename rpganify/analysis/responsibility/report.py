"""The report of responsibility: shares as tables, a heat map, sentences, and what to know about them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.bootstrap import NUM_RESAMPLES, Estimate
from rpganify.analysis.features import is_paper_statement
from rpganify.analysis.provenance import extractor_provenance, provenance
from rpganify.analysis.responsibility.figure import draw_pairs, draw_shares
from rpganify.analysis.responsibility.shares import Responsibilities, Share
from rpganify.analysis.responsibility.words import bucket_sentence, summary
from rpganify.report.report import Cell, Column, Figure, JsonValue, Report, Table

DEFINITION = """
A path is a vector of independent random blocks, so the variance of any number computed from its image is exactly a sum
of parts, one for each bucket and for each set of buckets. The first-order index of a bucket is the share of the
variance that it decides alone: by how much the statistic's mean moves with its block. The total index adds all sets
that hold the bucket: how much of the variance is left when all other buckets are known. The second-order index of two
buckets is what they decide together beyond what each decides alone. First-order indices add up to at most 100 %; total
indices to at least 100 %. For a vector, such as the class probabilities, the variance is the sum over its components.

{scheme}

Images are measured as they would be saved, with 8 bits. {statistics}

Source: responsibility by variance decomposition is ours. The indices are Sobol's; see Saltelli 2002 for the scheme,
Jansen 1999 for the total and Owen 2013 for the first-order estimator.
"""
SAMPLED = """
Estimated from {num_rows} rows of Saltelli's scheme. A row is two random paths A and B, A with one bucket's block taken
from B, for each bucket, and B with one taken from A: {per_row} images for {num_varied} buckets of more than one block,
{num_images} in all. Every index of every statistic is computed from these same images. Intervals are 95 %, from
{num_resamples} bootstrap resamples of the rows; an estimate of a share of 0 may fall below 0.
"""
EXACT = """
Exact: the model has only {num_images} paths, and the images of all of them were made. Nothing is estimated, so there
are no intervals (both ends are the value itself).
"""


def responsibility_report(
    measured: Responsibilities, model: nn.Module, rp: PathModel, context: AnalysisContext, notes: tuple[str, ...]
) -> Report:
    """Tables, figures and sentences of measured shares.

    Args:
        measured: the shares.
        model: what was measured, for its hash.
        rp: the same.
        context: seed, classifier and extractor.
        notes: what else is to be known, first.
    """
    names = tuple(bucket.name for bucket in rp.plan.buckets)
    tables = [_statistics_table(measured), _shares_table("buckets", "Share of the variance", measured.main, names)]
    if len(measured.main) < len(measured.shares):
        parts = tuple(share for share in measured.shares if share.part)
        tables.append(_shares_table("parts", "Share of the variance of each class probability", parts, names))
    tables.append(_pairs_table(measured, names))
    figures = [Figure("shares", _caption(measured), draw_shares(measured, names))]
    if (pairs := draw_pairs(measured, names)) is not None:
        figures.append(Figure("pairs", _pairs_caption(measured), pairs))
    return Report(
        name="responsibility",
        title="Responsibility of each bucket",
        summary=summary(measured, names),
        per_bucket=tuple(bucket_sentence(measured, bucket, names) for bucket in range(len(names))),
        definition=_definition(measured, rp),
        tables=tuple(tables),
        figures=tuple(figures),
        provenance=provenance(model, context, _settings(measured, rp, context)),
        notes=(*notes, *_notes(measured, names, context)),
    )


def _definition(measured: Responsibilities, rp: PathModel) -> str:
    num_varied = sum(m > 1 for m in rp.paths.num_blocks)
    scheme = (EXACT if measured.is_exact else SAMPLED).format(
        num_rows=measured.num_rows,
        num_images=measured.num_images,
        num_varied=num_varied,
        per_row=2 * num_varied + 2,
        num_resamples=NUM_RESAMPLES,
    )
    told = [f"{share.title.capitalize()}: {share.statistic.definition}" for share in measured.main]
    return DEFINITION.format(scheme=scheme.strip(), statistics=" ".join(told))


def _settings(measured: Responsibilities, rp: PathModel, context: AnalysisContext) -> dict[str, JsonValue]:
    settings: dict[str, JsonValue] = {
        "statistics": [share.statistic.key for share in measured.main],
        "scheme": "all paths" if measured.is_exact else f"{measured.num_rows} rows of Saltelli's scheme",
        "images": measured.num_images,
        "resamples": NUM_RESAMPLES,
    }
    keys = {share.statistic.key for share in measured.main}
    if context.extractor is not None and "features" in keys:
        settings["extractor"] = extractor_provenance(context.extractor, rp.image_shape)
    if context.classifier is not None and "class" in keys:
        settings["classifier"] = extractor_provenance(context.classifier, rp.image_shape)
    return settings


def _statistics_table(measured: Responsibilities) -> Table:
    columns = (
        Column("statistic"),
        Column("mean"),
        Column("std"),
        Column("unit"),
        *_interval_columns("decided by buckets one at a time"),
    )
    rows = tuple(
        (share.title, share.mean, share.indices.std, share.statistic.unit or "–", *_cells(share.indices.alone))
        for share in measured.shares
    )
    return Table("statistics", "Statistics over all paths", columns, rows)


def _shares_table(name: str, title: str, shares: Sequence[Share], names: Sequence[str]) -> Table:
    columns = [Column("bucket"), Column("name"), Column("statistic")]
    for what in ("alone", "alone or with others", "only with others"):
        columns += _interval_columns(what)
    rows: list[tuple[Cell, ...]] = []
    for bucket, of_bucket in enumerate(names):
        for share in shares:
            indices = share.indices
            kinds = (indices.first[bucket], indices.total[bucket], indices.joint[bucket])
            cells = [cell for kind in kinds for cell in _cells(kind)]
            rows.append((bucket + 1, of_bucket, share.title, *cells))
    return Table(name, title, tuple(columns), tuple(rows))


def _pairs_table(measured: Responsibilities, names: Sequence[str]) -> Table:
    columns = (Column("bucket"), Column("and bucket"), Column("statistic"), *_interval_columns("second-order index"))
    rows = tuple(
        (f"{one + 1} {names[one]}", f"{two + 1} {names[two]}", share.title, *_cells(estimate))
        for share in measured.shares
        for (one, two), estimate in share.indices.pairs.items()
    )
    return Table("pairs", "what each two buckets decide together", columns, rows, is_raw=True)


def _interval_columns(what: str) -> list[Column]:
    return [Column(what, "%"), Column(f"{what}, from", "%"), Column(f"{what}, to", "%")]


def _cells(estimate: Estimate | None) -> tuple[Cell, Cell, Cell]:
    if estimate is None:
        return None, None, None
    return 100 * estimate.value, 100 * estimate.low, 100 * estimate.high


def _caption(measured: Responsibilities) -> str:
    intervals = "" if measured.is_exact else " Below each share: its 95 % interval; grey numbers cannot be told from 0."
    return (
        "What each bucket decides of each statistic's variance, in per cent: alone (above), and alone or together with "
        f"others (below). The stronger the colour, the more.{intervals} Under each statistic: its mean ± standard deviation "
        "over paths."
    )


def _pairs_caption(measured: Responsibilities) -> str:
    whiskers = "" if measured.is_exact else " Whiskers: 95 % intervals. Hollow grey points cannot be told from 0."
    return (
        "The pairs of buckets that decide most of a statistic together, beyond what each of the two decides "
        f"alone.{whiskers}"
    )


def _notes(measured: Responsibilities, names: Sequence[str], context: AnalysisContext) -> list[str]:
    notes = []
    if context.classifier is None:
        notes.append("Class probabilities were left out: no classifier was named (`--classifier FILE`).")
    if (
        context.extractor is not None
        and not context.extractor.is_papers
        and any(share.statistic.key == "features" for share in measured.main)
    ):
        notes.append(is_paper_statement(context.extractor))
    constant = [share.title for share in measured.shares if share.is_constant]
    if constant:
        notes.append(
            f"The same on all images, so that there is no variance to share and no index (–): {', '.join(constant)}."
        )
    known = [share.indices.first for share in measured.main if not share.is_constant]
    single = [f"{i + 1} ({name})" for i, name in enumerate(names) if known and known[0][i] is None]
    if single:
        notes.append(f"Of one block only, so nothing varies and there is no index (–): bucket {', '.join(single)}.")
    if not measured.is_exact:
        notes.append(
            "Each interval by itself misses the truth in about 5 % of all analyses, so of many intervals a few do. "
            "Four times as many images halve them (`--paths`)."
        )
    if measured.repeat_difference > 1:
        notes.append(
            f"Two images of the same path differ by up to {measured.repeat_difference} grey levels: the generator draws "
            "noise of its own. It counts as variance that no bucket decides alone, and is in every bucket's total index. "
            "`rpganify convert --freeze-noise` holds it still."
        )
    return notes
