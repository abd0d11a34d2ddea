"""The report on classes: shares with intervals, the distance from the real images' shares, and what to know of them."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure as Drawing
from torch import nn

from rpganify.analysis.analyzer import AnalysisContext, require_classifier
from rpganify.analysis.bootstrap import NUM_RESAMPLES, Estimate
from rpganify.analysis.classes.figure import MAX_CLASSES, Bars, draw_shares
from rpganify.analysis.classes.measure import ClassCounts, ClassMeasurement
from rpganify.analysis.classes.statistics import expected_variation, share_interval, total_variation
from rpganify.analysis.provenance import extractor_provenance, provenance
from rpganify.report.report import Cell, Column, Figure, JsonValue, Report, Table

DEFINITION = f"""
Each image is counted as of the class that the classifier finds likeliest. Intervals of shares are 95 %, by Wilson's score;
the images are of independent random paths or latents, each drawn anew.

The total variation distance of two sets of shares is half the sum of their differences: the share of the images that would
have to be of other classes. It is taken from the shares that the same classifier gives real images, so that what it
confuses, it confuses in both. Shares of few images differ by chance alone, so the distance that as many real images would
have is given beside it; intervals are over {NUM_RESAMPLES} bootstrap resamples of the generated images.

Of a model that has grown, old paths go through old blocks only, and are those of the model before, if nothing old was trained
since; paths with a new block are all others. Source: RPGAN, section 4.3, shows the classes in pictures; counting them is ours.
"""


def classes_report(measured: ClassMeasurement, model: nn.Module, context: AnalysisContext) -> Report:
    """Tables, the bars and sentences of what was counted."""
    distances = distances_from_real(measured, context.seed)
    shown = _shown(measured)
    return Report(
        name="classes",
        title="Classes of the images",
        definition=DEFINITION,
        tables=(_shares_table(measured), _distances_table(measured, distances, context.seed), raw_table(measured)),
        figures=(Figure("shares", _caption(measured, shown), _drawing(measured, shown)),),
        provenance=provenance(model, context, settings(measured, model, context)),
        notes=tuple(_notes(measured)),
        summary=_summary(measured, distances),
    )


def distances_from_real(measured: ClassMeasurement, seed: int) -> dict[str, Estimate]:
    """Total variation distance of each generated subject's shares from those of real images, by its key."""
    if measured.real is None:
        return {}
    chance = torch.Generator().manual_seed(seed)
    return {one.key: total_variation(one.counts, measured.real.shares, chance) for one in measured.subjects}


def settings(measured: ClassMeasurement, model: nn.Module, context: AnalysisContext) -> dict[str, JsonValue]:
    """What a comparison of several reports has to find equal."""
    classifier = require_classifier(context, "classes")
    return {
        "classifier": extractor_provenance(classifier, tuple(getattr(model, "image_shape", ()))),
        "data": None if context.data is None else context.data.name,
        "generated images": measured.model.num_images,
        "real images": None if measured.real is None else measured.real.num_images,
        "class names": list(measured.class_names),
        "old classes": list(measured.old_classes),
    }


def raw_table(measured: ClassMeasurement) -> Table:
    """All counts; a comparison reads them."""
    columns = tuple(map(Column, ("subject", "title", "class", "name", "images", "of", "share", "low", "high")))
    rows: list[tuple[Cell, ...]] = []
    for one in _everyone(measured):
        for index, (name, count) in enumerate(zip(measured.class_names, one.counts.tolist(), strict=True)):
            share = share_interval(count, one.num_images)
            rows.append((one.key, one.title, index, name, count, one.num_images, share.value, share.low, share.high))
    return Table("counts", "all counts", columns, tuple(rows), is_raw=True)


def _everyone(measured: ClassMeasurement) -> tuple[ClassCounts, ...]:
    return (*measured.subjects, *((measured.real,) if measured.real is not None else ()))


def _shares_table(measured: ClassMeasurement) -> Table:
    subjects = _everyone(measured)
    columns = [Column("class"), *(Column(one.title, "%") for one in subjects)]
    if measured.labels is not None:
        columns.append(Column("labels of the data", "%"))
    rows: list[tuple[Cell, ...]] = []
    for index, name in enumerate(measured.class_names):
        cells: list[Cell] = [in_percent(share_interval(int(one.counts[index]), one.num_images)) for one in subjects]
        if measured.labels is not None:
            cells.append(f"{100 * float(measured.labels[index]) / float(measured.labels.sum()):.1f}")
        rows.append((f"{name} (new)" if index in new_classes(measured) else name, *cells))
    if groups := _groups(measured):
        for title, classes in groups:
            cells = [in_percent(share_interval(int(one.counts[classes].sum()), one.num_images)) for one in subjects]
            assert measured.labels is not None
            cells.append(f"{100 * float(measured.labels[classes].sum()) / float(measured.labels.sum()):.1f}")
            rows.append((title, *cells))
    return Table("shares", "Share of the images of each class, with its 95 % interval", tuple(columns), tuple(rows))


def _groups(measured: ClassMeasurement) -> list[tuple[str, list[int]]]:
    """All old classes together, and all new ones."""
    if not measured.old_classes:
        return []
    return [("all old classes", list(measured.old_classes)), ("all new classes", list(new_classes(measured)))]


def new_classes(measured: ClassMeasurement) -> tuple[int, ...]:
    """The classes of the data that the model did not know before it grew; empty if that is not known."""
    if not measured.old_classes or measured.labels is None:
        return ()
    present = measured.labels.nonzero()[:, 0].tolist()
    return tuple(index for index in present if index not in measured.old_classes)


def _distances_table(measured: ClassMeasurement, distances: dict[str, Estimate], seed: int) -> Table:
    columns = tuple(
        map(Column, ("images", "number", "total variation from real", "95 % interval", "real images, as many"))
    )
    rows: list[tuple[Cell, ...]] = []
    chance = torch.Generator().manual_seed(seed)
    for one in _everyone(measured):
        sure = in_percent(share_interval(one.num_sure, one.num_images))
        found = distances.get(one.key)
        if found is None or measured.real is None:
            rows.append((one.title, one.num_images, None, "–", None, sure))
            continue
        expected = expected_variation(measured.real.shares, one.num_images, chance)
        rows.append((one.title, one.num_images, found.value, f"{found.low:.3f} to {found.high:.3f}", expected, sure))
    columns = (*columns, Column("classifier more than 90 % sure", "%"))
    return Table("distances", "How far the classes are from those of real images", columns, tuple(rows))


def _shown(measured: ClassMeasurement) -> list[int]:
    """The classes in the picture: all, or where they are many those whose shares are furthest apart."""
    if len(measured.class_names) <= MAX_CLASSES:
        return list(range(len(measured.class_names)))
    shares = torch.stack([one.shares for one in _everyone(measured)])
    spread = shares.amax(dim=0) - shares.amin(dim=0)
    return sorted(spread.topk(MAX_CLASSES).indices.tolist())


def bars_of(one: ClassCounts, classes: list[int], label: str, *, is_reference: bool = False) -> Bars:
    """A subject's bars for these classes."""
    return Bars(label, tuple(share_interval(int(one.counts[c]), one.num_images) for c in classes), is_reference)


def _drawing(measured: ClassMeasurement, shown: list[int]) -> Drawing:
    bars = [bars_of(one, shown, one.title) for one in measured.subjects]
    if measured.real is not None:
        bars.append(bars_of(measured.real, shown, measured.real.title, is_reference=True))
    new = [shown.index(index) for index in new_classes(measured) if index in shown]
    return draw_shares(bars, [measured.class_names[index] for index in shown], new)


def _caption(measured: ClassMeasurement, shown: list[int]) -> str:
    told = "Share of the images of each class, by the classifier; whiskers are 95 % intervals."
    if measured.real is not None:
        told += " White: real images."
    if len(shown) < len(measured.class_names):
        told += (
            f" The {len(shown)} of {len(measured.class_names)} classes whose shares differ most; the table holds all."
        )
    return told


def _notes(measured: ClassMeasurement) -> list[str]:
    notes = []
    if measured.agreement is not None:
        notes.append(f"The classifier gives {100 * measured.agreement:.1f} % of the real images their label.")
    if measured.real is None:
        notes.append("No real images to compare with: `--data NAME`.")
    return notes


def _summary(measured: ClassMeasurement, distances: dict[str, Estimate]) -> str:
    model = measured.model
    order = model.counts.argsort(descending=True, stable=True)
    most, fewest = int(order[0]), int(order[-1])
    names = measured.class_names
    said = (
        f"Most images of {model.title} are of class {names[most]} ({100 * float(model.shares[most]):.1f} %), fewest of "
        f"{names[fewest]} ({100 * float(model.shares[fewest]):.1f} %)."
    )
    if (found := distances.get(model.key)) is not None:
        interval = f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
        said += f" Total variation distance from the real images' classes: {interval}."
    if new := list(new_classes(measured)):
        shares = [f"{100 * float(one.shares[new].sum()):.1f} % of {one.title}" for one in measured.subjects]
        said += f" New classes: {', '.join(shares)}."
    return said


def in_percent(share: Estimate) -> str:
    """A share and its interval in per cent: `9.8 [8.1, 11.8]`."""
    return f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"
