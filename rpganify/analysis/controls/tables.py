"""Tables of controls: sets and their success, side effects, translations, fewest changes, and the choices themselves."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rpganify.analysis.bootstrap import Estimate, mean_interval
from rpganify.analysis.controls.found import OPTIMISED, SEQUENTIAL, Controls, FoundSet
from rpganify.analysis.controls.growth import pairs_of_sets, point_for
from rpganify.analysis.controls.scoring import share
from rpganify.report.report import Cell, Column, Table

WAYS = {SEQUENTIAL: "one after another", OPTIMISED: "optimised shift"}


def sets_table(measured: Controls) -> Table:
    """A row per concept and way: success, what random sets and all dimensions reach, and what is left of the images."""
    columns = [Column("class"), Column("found"), Column("dimensions" if measured.is_latent else "blocks")]
    columns += [Column("become the class", "%"), Column("±", "%", is_error=True)]
    columns += [Column("random sets", "%"), Column("95 % of them up to", "%")]
    if measured.is_latent:
        columns.append(Column("all dimensions", "%"))
    columns += [Column("end in a third class", "%"), Column("variety", "%"), Column("ordinary", "%"), Column("taken")]
    rows: list[tuple[Cell, ...]] = []
    for one in measured.sets:
        success, random = one.outcome.success, one.random
        everything = _cells(one.everything)[:1] if measured.is_latent else ()
        rows.append(
            (
                measured.concepts[one.concept],
                _way(measured, one),
                one.size,
                *((None, None) if success is None else (100 * success.value, 50 * (success.high - success.low))),
                *((None, None) if random is None else (100 * random.value, 100 * random.high)),
                *everything,
                _percent(one.outcome.elsewhere),
                _percent(one.variety),
                _percent(one.ordinary),
                "yes" if measured.better(one.concept) is one else "no",
            )
        )
    title = "Controlling sets, on held-out codes (± half of the 95 % interval)"
    return Table("sets", title, tuple(columns), tuple(rows))


def outcomes_table(measured: Controls) -> Table:
    """All that is known of each set, with the ends of the intervals."""
    columns = [Column("class"), Column("found"), Column("size")]
    columns += _interval_columns("become the class") + _interval_columns("random sets")
    columns += [Column("mean probability before", "%"), *_interval_columns("mean probability")]
    columns += [Column(name, "%") for name in ("of the class, stay", "end in a third class", "variety", "ordinary")]
    rows: list[tuple[Cell, ...]] = []
    for one in measured.sets:
        out = one.outcome
        rows.append(
            (
                measured.concepts[one.concept],
                _way(measured, one),
                one.size,
                *_cells(out.success),
                *_cells(one.random),
                100 * out.before,
                *_cells(out.probability),
                _percent(out.stays),
                _percent(out.elsewhere),
                _percent(one.variety),
                _percent(one.ordinary),
            )
        )
    return Table("outcomes", "Controlling sets, with all intervals", tuple(columns), tuple(rows), is_raw=True)


def effects_table(measured: Controls) -> Table:
    """Mean change of every class's probability under each concept's better set, with intervals."""
    columns = (Column("raised"), Column("class"), *_interval_columns("change"))
    rows = []
    for concept, name in enumerate(measured.concepts):
        changes = measured.better(concept).outcome.changes
        rows += [(name, other, *_cells(change)) for other, change in zip(measured.concepts, changes, strict=False)]
    return Table("side-effects", "Change of each class's probability", columns, tuple(rows), is_raw=True)


def translations_table(measured: Controls) -> Table:
    """How often images of each class become each other one, with intervals."""
    columns = (Column("from"), Column("images"), Column("to"), *_interval_columns("success"))
    found = measured.translation
    rows = tuple(
        (source, found.num_sources[row], target, *_cells(found.rates[row][column]))
        for row, source in enumerate(measured.concepts)
        for column, target in enumerate(measured.concepts)
    )
    return Table("translations", "From class to class", columns, rows, is_raw=True)


def growth_table(measured: Controls, chance: torch.Generator) -> Table:
    """Success of the sets of every size."""
    columns = (
        Column("class"), Column("found"), Column("size"), *_interval_columns("become the class"), Column("variety", "%"),
        Column("ordinary", "%"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for one in measured.sets:
        way = _way(measured, one)
        for point in one.curve:
            rows.append(
                (
                    measured.concepts[one.concept],
                    way,
                    point.size,
                    *_cells(mean_interval(point.reached, chance)),
                    _percent(point.variety),
                    _percent(point.ordinary),
                )
            )
    return Table("sizes", "Success by size of the set", columns, tuple(rows), is_raw=True)


def fewest_table(measured: Controls) -> Table | None:
    """Of single images, the share that few changes bring to each class; None where that was left out."""
    fewest = measured.fewest
    if fewest is None:
        return None
    unit = "dimension" if measured.is_latent else "block"
    sizes = range(1, fewest.max_changes + 1)
    columns = (Column("class"), *(Column(f"{size} {unit}{'s' * (size > 1)}", "%") for size in sizes))
    rows = tuple(
        (name, *(_percent(share(fewest.within(size)[:, concept])) for size in sizes))
        for concept, name in enumerate(measured.concepts)
    )
    title = f"Images that so many changed {unit}s, or fewer, bring to the class, each image on its own"
    return Table("fewest", title, columns, rows)


def fewest_intervals_table(measured: Controls, chance: torch.Generator) -> Table | None:
    """The same with intervals."""
    fewest = measured.fewest
    if fewest is None:
        return None
    columns = (Column("class"), Column("changes"), *_interval_columns("become the class"))
    rows = tuple(
        (name, size, *_cells(mean_interval(fewest.within(size)[:, concept], chance)))
        for concept, name in enumerate(measured.concepts)
        for size in range(1, fewest.max_changes + 1)
    )
    return Table("fewest-intervals", "Fewest changes, with intervals", columns, rows, is_raw=True)


def equal_tables(measured: Controls, twin: Controls) -> tuple[Table, Table]:
    """How many dimensions of the twin's latent do what 1, 2, … blocks do, for one set for all images; and what variety is left.

    Args:
        measured: of the converted model.
        twin: of the standard one.
    """
    sizes = sorted({point.size for one in measured.sets for point in one.curve})
    names = [f"{size} block{'s' * (size > 1)}" for size in sizes]
    columns, left = [Column("class")], [Column("class")]
    for name in names:
        columns += [Column(name, "%"), Column(f"dimensions for {name}")]
        left += [Column(name, "%"), Column(f"dimensions for {name}", "%")]
    columns += [Column("twin's set, dimensions"), Column("twin's set", "%")]
    rows: list[tuple[Cell, ...]] = []
    variety: list[tuple[Cell, ...]] = []
    for one, other in pairs_of_sets(measured, twin):
        reached: list[Cell] = []
        varied: list[Cell] = []
        points = {point.size: point for point in one.curve}
        for size in sizes:
            point = points.get(size)
            success = None if point is None else share(point.reached)
            as_much = None if success is None else point_for(other, success)
            more = None if success is None else f"more than {other.size}"
            reached += [_percent(success), more if as_much is None else as_much.size]
            varied += [None if of is None else _percent(of.variety) for of in (point, as_much)]
        name = measured.concepts[one.concept]
        rows.append((name, *reached, other.size, *_cells(other.outcome.success)[:1]))
        variety.append((name, *varied))
    title = "Blocks, and how many of the twin's dimensions bring as many images to the class"
    told = "Variety left by those sets, against that of images of the class by themselves"
    return (
        Table("equal-success", title, tuple(columns), tuple(rows)),
        Table("equal-variety", told, tuple(left), tuple(variety)),
    )


def choices_table(measured: Controls) -> Table:
    """What each concept's better set does: `saved.controls_of` reads it."""
    unit = "dimension, from 0" if measured.is_latent else "bucket, from 1"
    columns = (
        Column("class"), Column("kind"), Column("size"), Column(unit), Column("value" if measured.is_latent else "block"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for concept, name in enumerate(measured.concepts):
        control = measured.better(concept).control
        if control.kind == "blocks":
            sets = {size: choices for size, choices in enumerate(control.raising, 1)}
            sets |= {-size: choices for size, choices in enumerate(control.lowering, 1)}
            rows += [
                (name, control.kind, size, choice.coordinate + 1, int(choice.value))
                for size, choices in sets.items()
                for choice in choices
            ]
        else:
            size = len(control.choices)
            rows += [(name, control.kind, size, choice.coordinate, choice.value) for choice in control.choices]
    return Table("choices", "What each control does", columns, tuple(rows), is_raw=True)


def _way(measured: Controls, one: FoundSet) -> str:
    return WAYS[one.method] if measured.is_latent else "best set"


def _interval_columns(what: str) -> list[Column]:
    return [Column(what, "%"), Column(f"{what}, from", "%"), Column(f"{what}, to", "%")]


def _cells(estimate: Estimate | None) -> Sequence[Cell]:
    if estimate is None:
        return None, None, None
    return 100 * estimate.value, 100 * estimate.low, 100 * estimate.high


def _percent(value: float | None) -> Cell:
    return None if value is None else 100 * value
