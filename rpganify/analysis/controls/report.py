"""The report of controls: sets, side effects, translations, fewest changes, and the twin beside them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from rpganify.analysis.analyzer import AnalysisContext, require_classifier
from rpganify.analysis.bootstrap import NUM_RESAMPLES
from rpganify.analysis.controls import tables
from rpganify.analysis.controls.drawings import Measured, draw_all
from rpganify.analysis.controls.fewest import MAX_PAIRS
from rpganify.analysis.controls.found import Controls
from rpganify.analysis.controls.looks import MIN_ORDINARY
from rpganify.analysis.controls.optimised import BOUND
from rpganify.analysis.controls.words import bucket_sentences, summary
from rpganify.analysis.provenance import extractor_provenance, provenance
from rpganify.report.report import JsonValue, Report

DEFINITION = """
A controlling set of a class is a few {coordinates} that bring images of other classes to it when they are changed, the
same way for all images. {ways}

Everything reported is measured on {num_held} held-out {codes} that had no part in finding a set. Success is the share of
images of other classes that the classifier takes for the wanted class afterwards. Random sets have the same size{random}; of
each class, {num_draws} are tried, and the range of the middle 95 % of them is shown. Side effects are changes of the other
classes' probabilities. Variety is the variance of the images under a set, summed over pixels, as a share of that of images
which are of the class by themselves: a set that leaves little of it makes nearly the same image of all. A classifier takes
broken images for some class too: an image is ordinary if its features, those of the classifier's last hidden layer, are
as near to those of {others} as 90 % of such images are to one another. {left_out} Intervals are 95 %, from {num_resamples}
bootstrap resamples of the {codes}.

Fewest changes: for single images and every class, how few {coordinates}, chosen for that image, are enough. Single changes
are all tried{pairs}; of more, those that promise most if their effects on the class's log-odds add up, so larger numbers are
the smallest found.

Source: interventions, the two ways to a controlling set and class-to-class translation are those of "Interpreting the Latent
Space of GANs via Correlation Analysis for Controllable Concept Manipulation". Its text gives no thresholds: extremes, gains,
penalties, baselines and the form for paths are ours.
"""
OWN = "some image without a set that shares no {unit} with it"
LEFT_OUT = (
    "What leaves less than half as many images ordinary as there are without it is left out of all searches but the optimised "
    "one."
)
LATENT_WAYS = """
One after another: the best next dimension is set to one of its extremes, ±1, ±2 or ±3 standard deviations, until the class's
mean probability gains less than {gain:.0f} points. Optimised: a shift of z raises the class's log-probability under an L1
penalty, by proximal gradient steps on new latents each time, for penalties that halve; its nonzero entries, each at most
{bound:g} standard deviations, are optimised once more without the penalty and cut to the largest 1, 2, 3, 4, 6, 8, 12, …. Of
all these, the smallest set is taken whose success is within one standard error of the best, on other latents.
"""
PATH_WAYS = """
A path has no extremes, so a control puts blocks into buckets: the best next (bucket, block) is added, four sets being kept
from one size to the next, until the class's mean probability gains less than {gain:.0f} points. One bucket at least is
left to vary, as there would be one image for all otherwise.
"""


def controls_report(
    measured: Measured, twin: Measured | None, model: nn.Module, context: AnalysisContext, notes: tuple[str, ...]
) -> Report:
    """Tables, figures and sentences.

    Args:
        measured: the model's controls.
        twin: of a converted model, its standard twin's; None without one.
        model: for its hash and its buckets' names.
        context: seed and classifier.
        notes: what else is to be known, first.
    """
    found = measured.controls
    chance = torch.Generator().manual_seed(context.seed)
    listed = [
        tables.sets_table(found),
        tables.fewest_table(found),
        *(tables.equal_tables(found, twin.controls) if twin is not None else ()),
        replace(tables.sets_table(twin.controls), name="twin-sets", title="The standard twin's controlling sets")
        if twin is not None
        else None,
        tables.outcomes_table(found),
        tables.fewest_intervals_table(found, chance),
        tables.effects_table(found),
        tables.translations_table(found),
        tables.growth_table(found, chance),
        tables.choices_table(found),
    ]
    kept = [table for table in listed if table is not None]
    plan = getattr(model, "plan", None)
    names = tuple(bucket.name for bucket in plan.buckets) if plan is not None else ()
    return Report(
        name="controls",
        title="Controlling sets of each class",
        summary=summary(found, None if twin is None else twin.controls),
        per_bucket=() if found.is_latent else bucket_sentences(found, names),
        definition=_definition(found),
        tables=tuple(kept),
        figures=draw_all(measured, twin, chance),
        provenance=provenance(model, context, _settings(found, model, context)),
        notes=(*notes, *_notes(found, twin)),
    )


def _definition(found: Controls) -> str:
    gain = 100 * found.min_gain
    ways = LATENT_WAYS.format(gain=gain, bound=BOUND) if found.is_latent else PATH_WAYS.format(gain=gain)
    return DEFINITION.format(
        coordinates="dimensions of the latent" if found.is_latent else "blocks of the path",
        codes="latents" if found.is_latent else "paths",
        ways=ways.strip(),
        others="some real image" if found.is_real else OWN.format(unit="number" if found.is_latent else "block"),
        left_out=LEFT_OUT if found.is_real else "",
        random=", and each of their dimensions goes where it alone raises the class more" if found.is_latent else "",
        pairs="" if found.is_latent else f", and pairs where there are no more than {MAX_PAIRS}",
        num_held=found.sizes.num_held,
        num_draws=found.sizes.num_draws,
        num_resamples=NUM_RESAMPLES,
    )


def _settings(found: Controls, model: nn.Module, context: AnalysisContext) -> dict[str, JsonValue]:
    sizes = found.sizes
    shape = tuple(getattr(model, "image_shape", ()))
    return {
        "classifier": extractor_provenance(require_classifier(context, "controls"), shape),
        "classes": list(found.concepts),
        "coordinates": found.num_coordinates,
        "ordinary images": "by real ones" if found.is_real else "by the generator's own",
        "smallest gain": found.min_gain,
        "codes": {"search": sizes.num_search, "choosing": sizes.num_search, "held out": sizes.num_held},
        "random sets": f"{sizes.num_draws} of each class and way, on {sizes.num_random} codes",
        "images": found.num_images,
        "resamples": NUM_RESAMPLES,
    }


def _notes(found: Controls, twin: Measured | None) -> list[str]:
    notes = []
    never = [name for row, name in enumerate(found.concepts) if not found.translation.num_sources[row]]
    if never:
        notes.append(
            f"Among the {found.sizes.num_held} held-out images there is none of {', '.join(never)}, so nothing is said of "
            "what becomes of those."
        )
    if found.broken:
        notes.append(f"Left out, because the images are unlike real ones: {_told_broken(found)}.")
    strange = [
        f"{found.concepts[one.concept]} ({100 * one.ordinary:.0f} %)"
        for one in map(found.better, range(len(found.concepts)))
        if one.size and one.ordinary is not None and one.ordinary < MIN_ORDINARY * (found.base_ordinary or 0)
    ]
    if strange:
        advice = "" if found.is_real else " Real images (`--data`) tell what is broken, and it is then left out."
        notes.append(
            f"Look at the pictures of {', '.join(strange)}: so many of the images under the set are ordinary, where "
            f"{100 * (found.base_ordinary or 0):.0f} % are without it. The set may break images rather than raise the "
            f"class.{advice}"
        )
    empty = [name for concept, name in enumerate(found.concepts) if not found.better(concept).size]
    if empty:
        notes.append(f"No set was found that raises {', '.join(empty)}: no single change gains enough.")
    if twin is not None:
        notes.append(
            f"A changed block and a changed dimension are not equally large changes: a block is one of its bucket's, and "
            f"there are {found.num_coordinates} buckets; the twin's latent has {twin.controls.num_coordinates} dimensions, "
            "each of them moved as far as three standard deviations."
        )
    return notes


def _told_broken(found: Controls) -> str:
    if found.is_latent:
        return f"{len(found.broken)} of {2 * found.num_coordinates} extremes of single dimensions"
    blocks: dict[int, list[str]] = {}
    for choice in found.broken:
        blocks.setdefault(choice.coordinate, []).append(str(int(choice.value)))
    return "; ".join(
        f"of bucket {bucket + 1} block{'s' * (len(those) > 1)} {', '.join(those)}" for bucket, those in blocks.items()
    )
