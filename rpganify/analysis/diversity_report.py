"""The report of bucket diversity: what was measured as tables, a chart, and what to know about them."""

from __future__ import annotations

from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.bucket_distances import BucketDistances
from rpganify.analysis.distances import SEMANTIC, ColourDistance, FeatureDistance
from rpganify.analysis.diversity_figure import draw_diversity
from rpganify.analysis.features import is_paper_statement
from rpganify.analysis.provenance import extractor_provenance, provenance
from rpganify.report.report import Cell, Column, Figure, JsonValue, Report, Table

DEFINITION = """
D(l→1) says how much the images change when only bucket l's block changes, relative to bucket 1. For a random path and
a bucket l, {num_images} images are made that differ in bucket l only, by distinct random blocks. D(l→1) is the sum of
their distances d(sᵢ, sⱼ) over all pairs i ≠ j, divided by the same sum for bucket 1. The table gives its mean ±
standard deviation (of a sample, n − 1) over {num_paths} random paths; bucket 1 is 1 by definition. Source: RPGAN,
section 4.1.

{distances}

Images are compared as they would be saved, with 8 bits. Where buckets have fewer blocks than images are asked for,
pairs are averaged rather than summed (ours); where all have enough, the two are the same. The plain distances in the
table are those averages, not divided by bucket 1.
"""
COLOUR = (
    "Colour: the Hellinger distance √(Σ(√p − √q)²)/√2 between histograms of 25 equal bins of 0…255; 0 for equal "
    "histograms, 1 for disjoint ones."
)
CHANNELS = (
    "The paper takes each channel on its own, as the second table does; the mean over the channels as one "
    "number is our definition."
)


def diversity_report(
    measured: BucketDistances, model: nn.Module, rp: PathModel, context: AnalysisContext, notes: tuple[str, ...]
) -> Report:
    """Tables, chart and notes of measured distances.

    Args:
        measured: the distances.
        model: what was measured, for its hash.
        rp: the same.
        context: seed and extractor.
        notes: what else is to be known, first.
    """
    extractor = context.extractor
    settings: dict[str, JsonValue] = {"num_paths": len(measured.paths), "num_images": max(measured.num_images)}
    settings["distances"] = [distance.title for distance in measured.distances]
    settings["extractor"] = "none" if extractor is None else extractor_provenance(extractor, rp.image_shape)
    buckets = rp.plan.buckets
    names = tuple(bucket.name for bucket in buckets)
    tables = [_main_table(measured, names, rp.paths.num_blocks)]
    if len(measured.parts) > len(measured.distances):
        tables.append(_parts_table(measured, names))
    tables.append(_raw_table(measured, rp))
    return Report(
        name="diversity",
        title="Bucket diversity",
        summary=_summary(measured, names),
        definition=DEFINITION.format(
            num_images=max(measured.num_images),
            num_paths=len(measured.paths),
            distances="\n\n".join(_definitions(measured, rp, context)),
        ),
        tables=tuple(tables),
        figures=(Figure("bars", _caption(measured), draw_diversity(measured, names)),),
        provenance=provenance(model, context, settings),
        notes=(*notes, *_notes(measured, names, context)),
    )


def _definitions(measured: BucketDistances, rp: PathModel, context: AnalysisContext) -> list[str]:
    """A paragraph on each distance."""
    told = []
    for distance in measured.distances:
        if isinstance(distance, ColourDistance):
            told.append(f"{COLOUR} {CHANNELS}" if rp.image_shape[0] > 1 else COLOUR)
        elif isinstance(distance, FeatureDistance) and distance.key == SEMANTIC:
            statement = is_paper_statement(distance.extractor)
            told.append(f"Semantics: the Euclidean distance of the two images' features. {statement}")
        elif isinstance(distance, FeatureDistance):
            told.append(f"{distance.title}: the Euclidean distance of the two images' features. Ours, not the paper's.")
        else:
            told.append(f"{distance.title}: as the plugin that offers this distance defines it; not the paper's.")
    if context.extractor is None and not context.distances:
        told.append("Semantics: no feature extractor was named, so it was not measured.")
    return told


def mean_and_std(values: Tensor) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation of what is not NaN; None where there are too few values."""
    known = values[~values.isnan()]
    mean = float(known.mean()) if len(known) else None
    return mean, float(known.std(correction=1)) if len(known) > 1 else None


def _main_table(measured: BucketDistances, names: tuple[str, ...], num_blocks: tuple[int, ...]) -> Table:
    columns = [Column("bucket"), Column("name"), Column("blocks"), Column("images per path")]
    rows: list[list[Cell]] = [
        [index + 1, name, num_blocks[index], measured.num_images[index]] for index, name in enumerate(names)
    ]
    for distance in measured.distances:
        part = measured.main_part(distance)
        columns += [Column(f"D {distance.key}"), Column(f"D {distance.key} std", is_error=True)]
        columns += [Column(f"{distance.key} distance"), Column(f"{distance.key} distance std", is_error=True)]
        for index, row in enumerate(rows):
            row += mean_and_std(measured.ratios[:, index, part])
            row += mean_and_std(measured.means[:, index, part])
    return Table("buckets", "Diversity of each bucket", tuple(columns), tuple(tuple(row) for row in rows))


def _parts_table(measured: BucketDistances, names: tuple[str, ...]) -> Table:
    main = {distance.parts[0] for distance in measured.distances}
    columns = [Column("bucket"), Column("name")]
    rows: list[list[Cell]] = [[index + 1, name] for index, name in enumerate(names)]
    for part, name in enumerate(measured.parts):
        if name in main:
            continue
        columns += [Column(f"D {name}"), Column(f"D {name} std", is_error=True)]
        for index, row in enumerate(rows):
            row += mean_and_std(measured.ratios[:, index, part])
    made = [distance for distance in measured.distances if len(distance.parts) > 1]
    is_colour = all(isinstance(distance, ColourDistance) for distance in made)
    title = "Colour, each channel on its own" if is_colour else f"What is in {', '.join(d.title for d in made)}"
    return Table("channels", title, tuple(columns), tuple(tuple(row) for row in rows))


def _raw_table(measured: BucketDistances, rp: PathModel) -> Table:
    columns = (Column("path"), Column("bucket"), *(Column(f"{part} distance") for part in measured.parts))
    rows: list[tuple[Cell, ...]] = []
    for path, means in zip(measured.paths.tolist(), measured.means.tolist(), strict=True):
        rows += [(rp.paths.format(path), bucket + 1, *of_bucket) for bucket, of_bucket in enumerate(means)]
    return Table("paths", "mean distance of each path and bucket", columns, tuple(rows), is_raw=True)


def _summary(measured: BucketDistances, names: tuple[str, ...]) -> str:
    found = []
    for distance in measured.distances:
        ratios = measured.ratios[:, :, measured.main_part(distance)]
        means = [mean_and_std(ratios[:, bucket])[0] for bucket in range(len(names))]
        known = [(mean, bucket) for bucket, mean in enumerate(means) if mean is not None]
        if known:
            most, bucket = max(known)
            times = " itself" if bucket == 0 else f": {most:.3g} times as much as with bucket 1"
            found.append(f"{distance.title} changes most with bucket {bucket + 1} ({names[bucket]}){times}")
    return ". ".join(found) + "." if found else ""


def _caption(measured: BucketDistances) -> str:
    relative = [measured.is_relative(distance) for distance in measured.distances]
    told = "Change of the images when one bucket's block changes, relative to bucket 1 (dashed line). " * any(relative)
    if not all(relative):
        told += (
            "Where bucket 1 changes nothing there is no ratio to it, and the bars are the mean distances themselves. "
        )
    return f"{told}Bars: mean over {len(measured.paths)} random paths. Whiskers: ± one standard deviation."


def _notes(measured: BucketDistances, names: tuple[str, ...], context: AnalysisContext) -> list[str]:
    notes = []
    if context.extractor is None and not context.distances:
        notes.append("Semantic diversity was not measured: no feature extractor was named (`--extractor`).")
    notes += [
        is_paper_statement(distance.extractor)
        for distance in measured.distances
        if isinstance(distance, FeatureDistance) and distance.key == SEMANTIC and not distance.extractor.is_papers
    ]
    single = [f"{i + 1} ({names[i]})" for i, size in enumerate(measured.num_images) if size < 2]
    if single:
        notes.append(f"Of one block only, so nothing varies and D is left out (–): bucket {', '.join(single)}.")
    if measured.num_images[0] < 2:
        return [*notes, "Bucket 1 is such a bucket: there is nothing to compare with, so no bucket has a D."]
    fewer = [f"{i + 1} ({size})" for i, size in enumerate(measured.num_images) if 2 <= size < max(measured.num_images)]
    if fewer:
        notes.append(
            f"Compared with fewer images than the others, as the bucket has no more blocks: bucket {', '.join(fewer)}."
        )
    zeros = (measured.means[:, 0] == 0).sum(dim=0).tolist()
    for zero in sorted(set(zeros) - {0}):
        parts = ", ".join(part for part, count in zip(measured.parts, zeros, strict=True) if count == zero)
        left = len(measured.paths) - zero
        notes.append(
            f"Bucket 1 changes nothing in {parts} on {zero} of {len(measured.paths)} paths, where D would divide by 0. "
            + (f"They are left out: this D is over the other {left}." if left else "So this D has no value (–).")
        )
    return notes
