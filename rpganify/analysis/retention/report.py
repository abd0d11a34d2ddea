"""The report on retention: quality and share of old and new classes, through old paths, new ones and all."""

from __future__ import annotations

from matplotlib.figure import Figure as Drawing
from torch import nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.classes.report import in_percent
from rpganify.analysis.path_kinds import ALL as ALL_PATHS
from rpganify.analysis.path_kinds import OLD as OLD_PATHS
from rpganify.analysis.provenance import extractor_provenance, provenance
from rpganify.analysis.quality.frechet import frechet_name
from rpganify.analysis.quality.measure import require_extractor
from rpganify.analysis.quality.metrics import NUM_NEIGHBOURS
from rpganify.analysis.retention.figure import Series, draw_quality
from rpganify.analysis.retention.interval import NUM_PARTS
from rpganify.analysis.retention.measure import ALL, NEW, OLD, REAL, RetentionMeasurement, RetentionSubject
from rpganify.analysis.retention.panels import Panels, caption, draw_panels
from rpganify.report.page import format_cell
from rpganify.report.report import Cell, Column, Figure, JsonValue, Report, Table

DEFINITION = """
Old classes are those that the model was trained on before it grew, new ones those that came with the data it was trained on
since. Old paths go through blocks that were there before; where only new blocks were trained, they are the model before, image
for image, so their numbers are those from before the growth. Paths with a new block are all others.

{selection} The same number of images is compared throughout, since a Fréchet distance falls as there are more. Its interval is
95 %, over the generated images, by leaving out an eighth of them at a time; the real images stay the same. Precision is the
share of the images inside the real ones' manifold, recall the share of the real ones inside the images', by their
{neighbours} nearest neighbours (Kynkäänniemi et al. 2019). Other real images are what a perfect generator would get.

Source: RPGAN, section 4.3 and figure 6, shows in pictures that old paths keep their images; the numbers are ours.
"""
BY_CLASS = (
    "Images that the classifier finds to be of old classes are compared with real images of old classes, likewise those of "
    "new ones; images of all classes are compared as they come. Where a generator makes too few images of some classes to "
    "compare, there is no number."
)
AS_THEY_COME = (
    "All images are compared with the real ones of old, new and all classes in turn, as no classifier was named that would "
    "tell them apart (`--classifier FILE`): a generator of all classes is then far from the old ones by its new images alone."
)


def retention_report(
    measured: RetentionMeasurement,
    panels: Panels | None,
    model: nn.Module,
    context: AnalysisContext,
    notes: tuple[str, ...] = (),
) -> Report:
    """Tables, figures and sentences of what was measured.

    Args:
        measured: the numbers.
        panels: pictures of a model that has grown.
        model: what was measured.
        context: data and tools.
        notes: what else is to be known.
    """
    extractor = require_extractor(context)
    distance = frechet_name(extractor)
    figures = [Figure("quality", _caption(measured), _drawing(measured, distance))]
    if panels is not None:
        figures.insert(0, Figure("panels", caption(panels), draw_panels(panels)))
    tables = [_quality_table(measured, distance), *_share_table(measured), _groups_table(measured), raw_table(measured)]
    return Report(
        name="retention",
        title="Retention: old classes and new ones",
        definition=DEFINITION.format(
            selection=BY_CLASS if measured.is_by_class else AS_THEY_COME, neighbours=NUM_NEIGHBOURS
        ),
        tables=tuple(tables),
        figures=tuple(figures),
        provenance=provenance(model, context, settings(measured, context)),
        notes=(*notes, *_notes(measured, distance)),
        summary=_summary(measured, distance),
    )


def settings(measured: RetentionMeasurement, context: AnalysisContext) -> dict[str, JsonValue]:
    """What a comparison of several reports has to find equal."""
    extractor, data = require_extractor(context), context.data
    assert data is not None
    classifier = context.classifier
    return {
        "data": data.name,
        "groups": {group.key: list(group.classes) for group in measured.groups},
        "class names": list(measured.class_names),
        "images": measured.num_wanted,
        "distance": frechet_name(extractor),
        "extractor": extractor_provenance(extractor, tuple(data.image_shape)),
        "classifier": None if classifier is None else extractor_provenance(classifier, tuple(data.image_shape)),
        "nearest neighbours": NUM_NEIGHBOURS,
    }


def raw_table(measured: RetentionMeasurement) -> Table:
    """All numbers in full; a comparison reads them."""
    names = ("subject", "title", "classes", "images", "frechet", "low", "high", "precision", "recall")
    rows: list[tuple[Cell, ...]] = []
    for one in measured.subjects:
        for key, found in one.quality.items():
            ends = (
                (None,) * 3 if found.frechet is None else (found.frechet.value, found.frechet.low, found.frechet.high)
            )
            rows.append((one.key, one.title, key, found.num_images, *ends, found.precision, found.recall))
    return Table("numbers", "all numbers", tuple(map(Column, names)), tuple(rows), is_raw=True)


def _quality_table(measured: RetentionMeasurement, distance: str) -> Table:
    columns = ("images of", "classes", "distance", "95 % interval", "precision", "recall")
    rows: list[tuple[Cell, ...]] = []
    for group in measured.groups:
        for one in measured.subjects:
            found = one.quality.get(group.key)
            if found is None:
                rows.append((one.title, group.key, None, "too few", None, None))
                continue
            frechet = found.frechet
            ends = "–" if frechet is None else f"{frechet.low:.3g} to {frechet.high:.3g}"
            value = None if frechet is None else frechet.value
            rows.append((one.title, group.key, value, ends, found.precision, found.recall))
    title = f"{distance}, precision and recall against real images of old, new and all classes"
    return Table("quality", title, tuple(map(Column, columns)), tuple(rows))


def _share_table(measured: RetentionMeasurement) -> tuple[Table, ...]:
    shares = [(one.title, one.new_share) for one in measured.subjects if one.new_share is not None]
    if not shares:
        return ()
    rows: list[tuple[Cell, ...]] = [
        (title, 100 * share.value, 100 * share.low, 100 * share.high) for title, share in shares
    ]
    rows.append(("the data, by its labels", 100 * _share_of_data(measured), None, None))
    columns = (Column("images of"), Column("new classes", "%"), Column("from", "%"), Column("to", "%"))
    return (Table("shares", "Share of the images that is of new classes", columns, tuple(rows)),)


def _share_of_data(measured: RetentionMeasurement) -> float:
    sizes = {group.key: group.num_data for group in measured.groups}
    return sizes[NEW] / sizes[ALL]


def _groups_table(measured: RetentionMeasurement) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (group.title, ", ".join(measured.class_names[label] for label in group.classes), group.num_data)
        for group in measured.groups
    ]
    return Table("groups", "What was told apart", (Column("group"), Column("classes"), Column("images")), tuple(rows))


def series_of(one: RetentionSubject, label: str) -> Series:
    """A subject's numbers for the picture."""
    return Series(
        label,
        {key: found.frechet for key, found in one.quality.items() if found.frechet is not None},
        {key: found.precision for key, found in one.quality.items()},
        {key: found.recall for key, found in one.quality.items()},
        one.key == REAL,
    )


def _drawing(measured: RetentionMeasurement, distance: str) -> Drawing:
    groups = [(group.key, group.key) for group in measured.groups]
    return draw_quality([series_of(one, one.title) for one in measured.subjects], groups, distance)


def _caption(measured: RetentionMeasurement) -> str:
    told = f"Against real images of old, new and all classes, {format_cell(measured.num_wanted)} of each."
    if any(found.frechet for one in measured.subjects for found in one.quality.values()):
        told += " Whiskers: 95 % intervals of the distance."
    return f"{told} Hollow: other real images, what a perfect generator would get."


def _notes(measured: RetentionMeasurement, distance: str) -> list[str]:
    notes = []
    for one in measured.subjects:
        missing = [group.title for group in measured.groups if group.key not in one.quality]
        if missing and one.key != REAL:
            notes.append(f"Too few images of {one.title} are of {' and '.join(missing)} to be compared there.")
    if not any(found.frechet for one in measured.subjects for found in one.quality.values()):
        needed = -(-8 * (measured.num_features + 1) // (NUM_PARTS - 1))
        notes.append(
            f"{distance} was left out: {format_cell(measured.num_features)} features per image need at least "
            f"{format_cell(needed)} images of each group of classes (`--num-images`), or an extractor of fewer features, such "
            "as `classifier:FILE` (64)."
        )
    return notes


def _summary(measured: RetentionMeasurement, distance: str) -> str:
    by_key = {one.key: one for one in measured.subjects}
    said: list[str] = []
    for group in (OLD, NEW):
        parts = []
        for key in (OLD_PATHS, ALL_PATHS):
            found = by_key[key].quality.get(group) if key in by_key else None
            if found is not None:
                parts.append(f"{_in_words(found.frechet, found.recall)} of {by_key[key].title}")
        if parts:
            said.append(f"{distance if not said else 'That'} from real images of {group} classes: {', '.join(parts)}.")
    shares = [f"{in_percent(one.new_share)} % of {one.title}" for one in measured.subjects if one.new_share is not None]
    if shares:
        said.append(f"Images of new classes: {', '.join(shares)}.")
    return " ".join(said)


def _in_words(frechet: Estimate | None, recall: float) -> str:
    return f"recall {recall:.2f}" if frechet is None else f"{frechet.value:.3g} (recall {recall:.2f})"
