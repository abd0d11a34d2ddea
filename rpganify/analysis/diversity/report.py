"""The report of bucket diversity: what was measured as tables, a chart, and what to know about them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.bootstrap import NUM_RESAMPLES
from rpganify.analysis.distances import SEMANTIC, ColourDistance, FeatureDistance
from rpganify.analysis.diversity.figure import draw_diversity
from rpganify.analysis.diversity.measure import BOUNDS, SAME, BucketDistances
from rpganify.analysis.diversity.tables import Diversity, average, diversity_tables
from rpganify.analysis.features import is_paper_statement
from rpganify.analysis.provenance import extractor_provenance, provenance
from rpganify.report.report import Figure, JsonValue, Report

DEFINITION = """
D(l→1) says how much the images change when only bucket l's block changes, relative to bucket 1. For a random path and
a bucket l, {num_images} images are made that differ in bucket l only, by distinct random blocks. D(l→1) is the sum of
their distances d(sᵢ, sⱼ) over all pairs i ≠ j, divided by the same sum for bucket 1. The table gives its mean ±
standard deviation (of a sample, n − 1) over {num_paths} random paths, and from where to where the mean's 95 % interval
goes ({num_resamples} bootstrap resamples of the paths); bucket 1 is 1 by definition. Source: RPGAN, section 4.1; the
interval is ours.

Two bounds, which are ours: "same path twice" compares two images of one path, made in different batches. It is 0 unless
the generator draws noise of its own or rounding shows, and no bucket can be told from it that does not exceed it. "All
buckets varied" compares {num_images} images whose paths differ in every bucket: the diversity of the model as a whole.

{distances}

Images are compared as they would be saved, with 8 bits. Where buckets have fewer blocks than images are asked for,
pairs are averaged rather than summed (ours); where all have enough, the two are the same. The plain distances are those
averages, not divided by bucket 1.
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
    for distance in measured.distances:
        if isinstance(told := getattr(distance, "provenance", None), Mapping):
            settings[distance.title] = dict(told)
    settings["extractor"] = "none" if extractor is None else extractor_provenance(extractor, rp.image_shape)
    buckets = rp.plan.buckets
    names = tuple(bucket.name for bucket in buckets)
    found = average(measured, context.seed)
    return Report(
        name="diversity",
        title="Bucket diversity",
        summary=_summary(found, names),
        per_bucket=tuple(_sentence(found, bucket, names) for bucket in range(len(names))),
        definition=DEFINITION.format(
            num_images=max(measured.num_images),
            num_paths=len(measured.paths),
            num_resamples=NUM_RESAMPLES,
            distances="\n\n".join(_definitions(measured, rp, context)),
        ),
        tables=diversity_tables(found, names, rp),
        figures=(Figure("bars", _caption(measured), draw_diversity(found, names)),),
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
        elif isinstance(definition := getattr(distance, "definition", None), str):
            told.append(f"{definition} Not the paper's.")
        else:
            told.append(f"{distance.title}: as the plugin that offers this distance defines it; not the paper's.")
    if context.extractor is None and not context.distances:
        told.append("Semantics: no feature extractor was named, so it was not measured.")
    return told


def _summary(found: Diversity, names: tuple[str, ...]) -> str:
    told = []
    for distance in found.measured.distances:
        ratios = found.ratios[distance.parts[0]]
        known = [(ratio.mean.value, bucket) for bucket, ratio in enumerate(ratios[: len(names)]) if ratio is not None]
        if known:
            most, bucket = max(known)
            times = " itself" if bucket == 0 else f": {most:.3g} times as much as with bucket 1"
            told.append(f"{distance.title} changes most with bucket {bucket + 1} ({names[bucket]}){times}")
    return ". ".join(told) + "." if told else ""


def _sentence(found: Diversity, bucket: int, names: tuple[str, ...]) -> str:
    """What changing one bucket changes, of what changing all of them does."""
    subject = f"bucket {bucket + 1} ({names[bucket]})"
    if found.measured.num_images[bucket] < 2:
        return f"{subject.capitalize()} has one block, so changing it changes nothing."
    told: list[str] = []
    for distance in found.measured.distances:
        share = found.of_all[distance.parts[0]][bucket]
        if share is not None:
            value, low, high = (f"{100 * one:.0f}" for one in (share.value, share.low, share.high))
            as_much = " as much as changing all buckets" if not told else ""
            told.append(f"{value} % [{low}, {high}]{as_much} in {distance.title}")
    if not told:
        return f"Neither changing {subject} nor changing all buckets changes the images."
    listed = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    return f"Changing {subject} changes the images {listed}."


def _caption(measured: BucketDistances) -> str:
    relative = [measured.is_relative(distance) for distance in measured.distances]
    told = "Change of the images when one bucket's block changes, relative to bucket 1 (dashed line). " * any(relative)
    if not all(relative):
        told += (
            "Where bucket 1 changes nothing there is no ratio to it, and the bars are the mean distances themselves. "
        )
    return (
        f"{told}Bars: mean over {len(measured.paths)} random paths. Thin whiskers: ± one standard deviation of the paths; "
        "thick ones: 95 % interval of the mean. Dotted: all buckets varied."
    )


def _notes(measured: BucketDistances, names: tuple[str, ...], context: AnalysisContext) -> list[str]:
    notes = []
    same = measured.bounds[:, BOUNDS.index(SAME)]
    differing = [distance.title for distance in measured.distances if same[:, measured.main_part(distance)].max() > 0]
    if differing:
        notes.append(
            f"Two images of the same path differ, in {', '.join(differing)}: by rounding, or because the generator draws "
            "noise of its own, which `rpganify convert --freeze-noise` holds still. The table says by how much."
        )
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
