"""The report of concepts: which variable of the generator changes which class, in words, tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, require_classifier
from rpganify.analysis.bootstrap import NUM_RESAMPLES
from rpganify.analysis.concepts.figure import MAX_COLUMNS, draw_effects, draw_importance
from rpganify.analysis.concepts.measured import Correlated, Dose, Group, Measured
from rpganify.analysis.concepts.pictures import Raised, draw_raised
from rpganify.analysis.concepts.table import FALSE_DISCOVERY_RATE
from rpganify.analysis.concepts.tables import (
    buckets_table,
    concepts_table,
    doses_table,
    effects_table,
    variables_table,
)
from rpganify.analysis.provenance import extractor_provenance, provenance
from rpganify.report.report import Figure, JsonValue, Report

# In points of the mean probability of the likeliest class.
DOUBT = 0.15
MAX_DOUBTED = 5

OF_LATENT = """
Each number z_i of the latent is set to −δ and to +δ, one at a time, in the same {num_z} random latents; everything else
stays as it was drawn, and δ counts in standard deviations. The effect on a concept is the mean change of its class
probability, in percentage points; the classes are the concepts. Numbers of z count from 0.

The correlation is Pearson's, of z_i as it is drawn with the class probability, over {num_observed} images.
"""

OF_BLOCKS = """
Every block of every bucket is put into the same {num_z} random paths, whose other blocks stay. The effect of a block on a
concept is its class probability less the mean over all blocks of that bucket in the same path, averaged over the paths, in
percentage points; the classes are the concepts.
"""

COMMON = """
Intervals are 95 %, from {num_resamples} bootstrap resamples of the {samples}, each for itself. An effect is told where the
p-value of Student's t-test, adjusted by Benjamini and Hochberg over all {num_cells} effects, is at most {rate:g}: of the
effects that are told, about one in twenty may be none.

Sure is the mean probability of the likeliest class after an intervention: what the classifier does not recognise, it cannot
tell.

{variable} moves as much probability as its mean effects take from some classes and give to others: half the sum of their
sizes{over}. The grey band is what {variables} without any mean effect would seem to move: the same changes with the
sign of all changes of a {sample} flipped at random, sorted alike.

Source: the method is that of "Interpreting the Latent Space of GANs via Correlation Analysis for Controllable Concept
Manipulation"; which values are set, and all of the statistics, are ours, as its text gives none.{own}
"""


@dataclass(frozen=True, slots=True)
class Intervened:
    """What reports on standard and on converted generators are both made of.

    Args:
        measured: the effects of the largest δ, or of all blocks.
        before: images as they were, uint8 `(k, C, H, W)`.
        raised: the same after the interventions that raise each concept most.
        model: for its hash.
        context: seed, classifier.
        num_z: latents, or paths, that interventions were made on.
        notes: what else is to be known.
    """

    measured: Measured
    before: Tensor
    raised: Sequence[Raised]
    model: nn.Module
    context: AnalysisContext
    num_z: int
    notes: Sequence[str]


def latent_report(found: Intervened, doses: Sequence[Dose], correlated: Correlated) -> Report:
    """The report on a standard generator.

    Args:
        found: what there is to tell.
        doses: of each δ.
        correlated: how z goes together with the classes.
    """
    measured = found.measured
    delta, num_cells = doses[-1].delta, measured.effects.mean.numel()
    caption = (
        f"What setting each number of z to +{delta:g} (top) and \N{MINUS SIGN}{delta:g} (bottom) does to each class "
        "probability. A column is a number of z; those that change the same class most stand side by side, the strongest "
        "first. Blue raises, orange with a bar lowers; white is not told from 0."
    )
    if len(measured.names) > MAX_COLUMNS:
        caption += f" The {MAX_COLUMNS} most important of {len(measured.names)} are shown."
    definition = OF_LATENT.format(num_z=found.num_z, num_observed=correlated.num_observed) + _common(
        measured, "a number of z", "numbers of z", "latent", ", averaged over −δ and +δ", "", num_cells
    )
    return Report(
        name="concepts",
        title="Which numbers of z change which class",
        summary=_summary(measured, "number of z", "numbers of z", "z"),
        definition=definition,
        tables=(
            concepts_table(measured, correlated),
            doses_table(doses, num_cells),
            variables_table(measured, "z"),
            effects_table(measured, correlated),
        ),
        figures=(
            Figure("effects", caption, draw_effects(measured, is_stacked=True)),
            _importance_figure(measured, "numbers of z", is_by_bucket=False),
            *_pictures(found),
        ),
        provenance=_provenance(found, {"latents": found.num_z, "δ": [one.delta for one in doses]}),
        notes=(*found.notes, *_correlation_note(correlated), *_reading_notes(measured)),
    )


def blocks_report(found: Intervened, names: Sequence[str]) -> Report:
    """The report on a converted generator.

    Args:
        found: what there is to tell.
        names: of all buckets.
    """
    measured = found.measured
    num_cells = measured.effects.mean.numel()
    caption = (
        "What each block does to each class probability, against the mean of its bucket's blocks in the same paths. A panel "
        "is a bucket, a column one of its blocks; those that change the same class most stand side by side, the strongest "
        "first. Blue raises, orange with a bar lowers; white is not told from 0."
    )
    own = " For an RPGAN the variables are the path's blocks, which is ours as well."
    by_bucket = {int(group.title.split()[0]): group for group in measured.groups}
    return Report(
        name="concepts",
        title="Which blocks raise which class",
        summary=_summary(measured, "block", "blocks", ""),
        per_bucket=tuple(
            _bucket_sentence(measured, by_bucket.get(number), f"Bucket {number} ({name})")
            for number, name in enumerate(names, start=1)
        ),
        definition=OF_BLOCKS.format(num_z=found.num_z)
        + _common(measured, "A block", "blocks", "path", "", own, num_cells),
        tables=(
            concepts_table(measured, None),
            buckets_table(measured),
            variables_table(measured, "bucket:block"),
            effects_table(measured, None),
        ),
        figures=(
            Figure("effects", caption, draw_effects(measured, is_stacked=False)),
            _importance_figure(measured, "blocks", is_by_bucket=True),
            *_pictures(found),
        ),
        provenance=_provenance(found, {"paths": found.num_z}),
        notes=(
            *found.notes,
            *_reading_notes(measured),
            "A block is measured against its bucket: one that raises a class much makes all others lower it a little.",
        ),
    )


def sureness_note(probabilities: Tensor) -> str:
    """How sure the classifier is of the generator's images: what it does not know it cannot tell."""
    best = probabilities.amax(dim=1)
    return (
        f"The classifier gives the generator's images their likeliest class with {100 * float(best.mean()):.0f} % on "
        f"average; of {100 * float((best < 0.5).double().mean()):.1f} % of them it thinks no class more likely than not. It "
        "was trained on real images, and what it says of others is only as good as it carries over."
    )


def _common(measured: Measured, variable: str, variables: str, sample: str, over: str, own: str, num_cells: int) -> str:
    return COMMON.format(
        num_resamples=NUM_RESAMPLES, samples=f"{sample}s", sample=sample, num_cells=f"{num_cells:,}",
        rate=FALSE_DISCOVERY_RATE, variable=variable[0].upper() + variable[1:], variables=variables, over=over, own=own,
    )  # fmt: skip


def _summary(measured: Measured, one: str, many: str, prefix: str) -> str:
    found = measured.importance
    is_told = measured.effects.is_significant.any(dim=1)
    if not is_told.any():
        return f"No {one} has an effect on a class that can be told from chance."
    best = int(found.order[0])
    told = (
        f"{len({measured.variables[row] for row in is_told.nonzero().flatten().tolist()})} of {len(found.values)} {many} have "
        "an effect on a class that is told. The most important, "
        f"{prefix}{_variable(measured, best, bool(prefix))}, moves {100 * float(found.values[best]):.1f} percentage points"
    )
    median = float(found.values.median())
    if median > 0:
        told += f", {float(found.values[best]) / median:.1f} times as many as the median one"
    effect = measured.effects
    up = torch.where(effect.is_significant, effect.mean, -torch.inf)
    row, concept = divmod(int(up.argmax()), up.shape[1])
    if torch.isfinite(up[row, concept]):
        told += (
            f". Of all single interventions {measured.labels[row]} raises a class most: {measured.concepts[concept]}, by "
            f"{_effect(measured, row, concept)}"
        )
    return f"{told}.{_spread(measured, many)}"


def _spread(measured: Measured, many: str) -> str:
    """How much the importance of variables for a single concept varies, which is what the paper observed."""
    sizes = measured.importance.of_concepts
    median = sizes.median(dim=0).values
    ratios = (sizes.amax(dim=0) / median)[median > 0]
    if not len(ratios):
        return ""
    return (
        f" For single classes, the strongest of the {many} has {float(ratios.min()):.1f} to {float(ratios.max()):.1f} times "
        "the effect of the median one."
    )


def _variable(measured: Measured, variable: int, is_number: bool) -> str:
    return measured.names[variable] if is_number else measured.labels[variable]


def _effect(measured: Measured, row: int, concept: int) -> str:
    """The size of an effect; whether it raises or lowers is said before."""
    mean, *ends = (
        100 * float(one[row, concept]) for one in (measured.effects.mean, measured.effects.low, measured.effects.high)
    )
    low, high = ends if mean >= 0 else (-ends[1], -ends[0])
    mean = abs(mean)
    return f"{mean:.1f} points [{low:.1f}, {high:.1f}]"


def _bucket_sentence(measured: Measured, group: Group | None, subject: str) -> str:
    if group is None:
        return f"{subject} has one block, so there is nothing to compare."
    rows = list(group.rows)
    told = measured.effects.is_significant[rows]
    if not told.any():
        return f"{subject}: no block has an effect on a class that can be told from chance."
    effects = torch.where(told, measured.effects.mean[rows], 0.0)
    row, concept = divmod(int(effects.abs().argmax()), effects.shape[1])
    verb = "raises" if effects[row, concept] > 0 else "lowers"
    size = _effect(measured, rows[row], concept)
    block = measured.labels[rows[row]].partition(" of ")[0]
    return (
        f"{subject}: {int(told.any(dim=1).sum())} of {len(rows)} blocks change a class; the strongest, {block}, {verb} "
        f"{measured.concepts[concept]} by {size}."
    )


def _importance_figure(measured: Measured, many: str, *, is_by_bucket: bool) -> Figure:
    caption = (
        f"Left: how much probability each of the {many} moves from some classes to others, sorted; in grey, what {many} "
        f"without any mean effect would seem to move. Right: the size of their largest effect on each class, sorted class by "
        f"class; in grey, up to where {many} without any mean effect would seem to reach."
    )
    return Figure("importance", caption, draw_importance(measured, is_by_bucket))


def _pictures(found: Intervened) -> list[Figure]:
    if not found.raised:
        return []
    caption = (
        "The first random images, and below them the same with the one variable set that raises each class most; framed "
        "where the classifier takes the image for the class."
    )
    return [Figure("raised", caption, draw_raised(found.before, found.raised))]


def _correlation_note(correlated: Correlated) -> list[str]:
    if correlated.agreement is None:
        return []
    return [
        f"Where an intervention has an effect that is told, its sign is that of the correlation in "
        f"{100 * correlated.agreement:.0f} % of cases; correlations of {correlated.num_observed:,} images below "
        f"{1.96 / correlated.num_observed**0.5:.2f} cannot be told from 0 one by one."
    ]


def _reading_notes(measured: Measured) -> list[str]:
    notes = [
        "Sizes of effects are told from a sample: the largest of many is likely to be told somewhat too large.",
        "An effect is a mean over images: a variable may change single images much, up in some and down in others, and have "
        "no mean effect.",
    ]
    base = float(measured.base.amax(dim=1).mean())
    doubted = [
        f"{label} ({100 * float(sure):.0f} %)"
        for label, sure in sorted(zip(measured.labels, measured.sureness, strict=True), key=lambda pair: float(pair[1]))
        if float(sure) < base - DOUBT
    ]
    if doubted:
        shown = ", ".join(doubted[:MAX_DOUBTED]) + (
            f" and {len(doubted) - MAX_DOUBTED} more" if len(doubted) > MAX_DOUBTED else ""
        )
        notes.append(
            f"The classifier is far less sure of images with {shown} than of the others ({100 * base:.0f} %): look at them "
            "before you believe their effects. They may be broken, and what is no class still gets one."
        )
    untold = [name for i, name in enumerate(measured.concepts) if measured.strongest(i, 1) is None]
    if untold:
        notes.append(f"No single intervention is told to raise {', '.join(untold)}.")
    return notes


def _provenance(found: Intervened, sizes: dict[str, JsonValue]) -> dict[str, JsonValue]:
    classifier = require_classifier(found.context, "concepts")
    shape = tuple(getattr(found.model, "image_shape", ()))
    settings: dict[str, JsonValue] = {
        **sizes,
        "concepts": list(found.measured.concepts),
        "false discovery rate": FALSE_DISCOVERY_RATE,
        "resamples": NUM_RESAMPLES,
        "classifier": extractor_provenance(classifier, shape),
    }
    return provenance(found.model, found.context, settings)
