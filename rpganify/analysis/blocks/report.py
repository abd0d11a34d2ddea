"""The report of blocks: images and effects of each, how alike they are, and what to know about it."""

from __future__ import annotations

from torch import nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.blocks.alike import draw_alike
from rpganify.analysis.blocks.strip import MAX_BLOCKS, draw_strip
from rpganify.analysis.blocks.tables import blocks_tables
from rpganify.analysis.blocks.verdicts import NOISE, BlocksOfBucket
from rpganify.analysis.blocks.words import bucket_sentence
from rpganify.analysis.bootstrap import NUM_RESAMPLES
from rpganify.analysis.provenance import extractor_provenance, provenance
from rpganify.analysis.responsibility.statistics import Statistic
from rpganify.report.report import Figure, JsonValue, Report

DEFINITION = """
All blocks of a bucket are seen under the same {num_contexts} settings of the other buckets: random paths, in which the
bucket's block is replaced by each of its blocks in turn. A block's effect on a statistic is its mean over these settings
less the mean of all blocks of the bucket; the interval is 95 %, from {num_resamples} bootstrap resamples of the settings.

Two blocks are alike by their images as the root of the mean squared difference of their images is small, over all
settings and pixels, in grey levels of 0…255. They are alike by their weights as the root of the mean squared difference
of their weights is small, each parameter divided by the standard deviation of all blocks' values of it; independent
random weights are √2 apart.

Two blocks are told to be the same if their images are at most a fifth as far apart as those of half of all pairs in the
bucket (they share 96 % of what blocks change, in squares), or no farther than {noise} times what two images of the same
path differ by, here {same:.3g} grey levels. A block is told to be dead if its images under different settings are at most
a tenth as far apart as those of the bucket's median block (constant), or its weights at most a tenth as large as the
median block's (no weights).

{statistics}

Source: all of this is ours; the distance of weights follows the block diversity of RPGAN, section 3.2.
"""


def blocks_report(
    found: tuple[BlocksOfBucket, ...],
    noise: float,
    statistics: tuple[Statistic, ...],
    model: nn.Module,
    rp: PathModel,
    context: AnalysisContext,
    notes: tuple[str, ...],
) -> Report:
    """Tables, figures and sentences.

    Args:
        found: of every bucket of more than one block.
        noise: root mean squared difference of two images of the same path, in grey levels.
        statistics: that were measured.
        model: for its hash.
        rp: the same.
        context: seed, classifier.
        notes: what else is to be known, first.
    """
    names = [bucket.name for bucket in rp.plan.buckets]
    parts = [part for statistic in statistics for part in statistic.parts]
    figures = []
    for one in found:
        number, name = one.effects.bucket + 1, names[one.effects.bucket]
        figures.append(Figure(f"strip-{number}", _strip_caption(one, name), draw_strip(one, name, parts)))
        if one.effects.num_blocks > 2:
            figures.append(Figure(f"alike-{number}", _alike_caption(one, name), draw_alike(one)))
    num_contexts = len(found[0].effects.contexts)
    settings: dict[str, JsonValue] = {
        "settings of the other buckets": num_contexts,
        "statistics": [statistic.key for statistic in statistics],
        "resamples": NUM_RESAMPLES,
    }
    if context.classifier is not None:
        settings["classifier"] = extractor_provenance(context.classifier, rp.image_shape)
    sentences = {one.effects.bucket: bucket_sentence(one, names[one.effects.bucket]) for one in found}
    return Report(
        name="blocks",
        title="Blocks, one by one",
        summary=_summary(found, names),
        per_bucket=tuple(
            sentences.get(bucket, f"Bucket {bucket + 1} ({name}) has one block.") for bucket, name in enumerate(names)
        ),
        definition=DEFINITION.format(
            num_contexts=num_contexts,
            num_resamples=NUM_RESAMPLES,
            noise=NOISE,
            same=noise,
            statistics=" ".join(f"{one.title.capitalize()}: {one.definition}" for one in statistics),
        ),
        tables=blocks_tables(found, names),
        figures=tuple(figures),
        provenance=provenance(model, context, settings),
        notes=(*notes, *_notes(found, names, rp, context)),
    )


def _summary(found: tuple[BlocksOfBucket, ...], names: list[str]) -> str:
    total = sum(one.effects.num_blocks for one in found)
    dead = sum(len(one.verdicts.dead) for one in found)
    spare = sum(len(group) - 1 for one in found for group in one.verdicts.duplicates)
    told = f"Of {total} blocks {dead or 'none'} {'is' if dead < 2 else 'are'} dead, and {spare or 'none'} "
    told += "makes nearly the same images as another." if spare < 2 else "make nearly the same images as others."
    widest = max(found, key=lambda one: one.verdicts.median_distance)
    if widest.verdicts.median_distance > 0 and len(found) > 1:
        told += (
            f" Blocks differ most in bucket {widest.effects.bucket + 1} ({names[widest.effects.bucket]}): half of all "
            f"pairs make images at least {widest.verdicts.median_distance:.3g} grey levels apart."
        )
    return told


def _strip_caption(found: BlocksOfBucket, name: str) -> str:
    effects = found.effects
    shown = min(MAX_BLOCKS, effects.num_blocks)
    which = "Each row is one block" if shown == effects.num_blocks else f"Each row is one of the first {shown} blocks"
    return (
        f"{which} of bucket {effects.bucket + 1} ({name}): its images under {effects.strip.shape[1]} settings of the other "
        "buckets, and its mean effect on each statistic. The stronger a cell's colour, the larger the effect in standard "
        "deviations of the statistic, whichever its sign; grey numbers cannot be told from 0."
    )


def _alike_caption(found: BlocksOfBucket, name: str) -> str:
    panels = "their images and by their weights" if found.weights is not None else "their images"
    frames = " Framed: told to be the same." if found.verdicts.duplicates else ""
    return (
        f"How far apart the blocks of bucket {found.effects.bucket + 1} ({name}) are by {panels}; dark is alike. Blocks "
        f"with like images stand side by side.{frames}"
    )


def _notes(found: tuple[BlocksOfBucket, ...], names: list[str], rp: PathModel, context: AnalysisContext) -> list[str]:
    notes = []
    single = [f"{i + 1} ({names[i]})" for i, m in enumerate(rp.paths.num_blocks) if m == 1]
    if single:
        notes.append(f"Of one block only, so there is nothing to compare: bucket {', '.join(single)}.")
    if context.classifier is None:
        notes.append("Effects on classes were left out: no classifier was named (`--classifier FILE`).")
    still = [one for one in found if one.verdicts.constant_limit is None]
    if still:
        listed = ", ".join(f"{one.effects.bucket + 1} ({names[one.effects.bucket]})" for one in still)
        notes.append(
            f"Whatever the other buckets do, images hardly change with them, so a constant block would not show: bucket "
            f"{listed}."
        )
    notes.append(
        "Each interval by itself misses the truth in about 5 % of all analyses, so of many intervals a few do, and the "
        "largest of many effects is likely to be told somewhat too large."
    )
    if any(one.weights is None for one in found):
        listed = ", ".join(str(one.effects.bucket + 1) for one in found if one.weights is None)
        notes.append(f"Weights were not compared, as the model tells none that differ: bucket {listed}.")
    return notes
