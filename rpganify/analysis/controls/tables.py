"""Tables of controls: sets and their success, side effects, translations, fewest changes, and the choices themselves."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rpganify.analysis.bootstrap import Estimate, mean_interval
from rpganify.analysis.controls.growth import size_for, success_at
from rpganify.analysis.controls.measure import OPTIMISED, SEQUENTIAL, Controls, FoundSet
from rpganify.report.report import Cell, Column, Table

WAYS = {SEQUENTIAL: "one after another", OPTIMISED: "optimised shift"}


def sets_table(measured: Controls) -> Table:
    """A row per concept and way: success, what random sets and all dimensions reach, and what it does besides."""
    columns = [Column("class"), Column("found"), Column("dimensions" if measured.is_latent else "blocks")]
    columns += _interval_columns("become the class") + _interval_columns("random sets")
    if measured.is_latent:
        columns.append(Column("all dimensions", "%"))
    columns += [
        Column("mean probability before", "%"),
        *_interval_columns("mean probability"),
        Column("of the class, stay", "%"),
        Column("end in a third class", "%"),
        Column("taken"),
    ]
    rows: list[tuple[Cell, ...]] = []
    for one in measured.sets:
        out = one.outcome
        everything = _cells(one.everything)[:1] if measured.is_latent else ()
        rows.append(
            (
                measured.concepts[one.concept],
                WAYS[one.method] if measured.is_latent else "best set",
                one.size,
                *_cells(out.success),
                *_cells(one.random),
                *everything,
                100 * out.before,
                *_cells(out.probability),
                _percent(out.stays),
                _percent(out.elsewhere),
                "yes" if measured.better(one.concept) is one else "no",
            )
        )
    return Table("sets", "Controlling sets, on held-out codes", tuple(columns), tuple(rows))


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
    columns = (Column("class"), Column("found"), Column("size"), *_interval_columns("become the class"))
    rows: list[tuple[Cell, ...]] = []
    for one in measured.sets:
        way = WAYS[one.method] if measured.is_latent else "best set"
        for point in one.curve:
            rows.append(
                (
                    measured.concepts[one.concept],
                    way,
                    point.size,
                    *_cells(success_at(one, point.size, measured, chance)),
                )
            )
    return Table("sizes", "Success by size of the set", columns, tuple(rows), is_raw=True)


def fewest_table(measured: Controls, chance: torch.Generator) -> Table | None:
    """Of single images, the share that few changes bring to each class; None where that was left out."""
    fewest = measured.fewest
    if fewest is None:
        return None
    unit = "dimension" if measured.is_latent else "block"
    columns = [Column("class")]
    for size in range(1, fewest.max_changes + 1):
        columns += _interval_columns(f"{size} {unit}{'s' * (size > 1)} or fewer" if size > 1 else f"1 {unit}")
    rows: list[tuple[Cell, ...]] = []
    for concept, name in enumerate(measured.concepts):
        cells: list[Cell] = []
        for size in range(1, fewest.max_changes + 1):
            cells += _cells(mean_interval(fewest.within(size)[:, concept], chance))
        rows.append((name, *cells))
    title = f"Images that so many changed {unit}s bring to the class, each image on its own"
    return Table("fewest", title, tuple(columns), tuple(rows))


def equal_table(measured: Controls, twin: Controls) -> Table:
    """How many dimensions of the twin's latent do what 1, 2, … blocks do, for one set for all images.

    Args:
        measured: of the converted model.
        twin: of the standard one.
    """
    chance = torch.Generator().manual_seed(0)
    sizes = sorted({point.size for one in measured.sets for point in one.curve})
    columns = [Column("class")]
    for size in sizes:
        blocks = f"{size} block{'s' * (size > 1)}"
        columns += [Column(blocks, "%"), Column(f"dimensions for as much as {blocks}")]
    columns += [Column("twin's set, dimensions"), Column("twin's set", "%")]
    of_twin = {one.concept: one for one in twin.of_method(SEQUENTIAL)}
    rows: list[tuple[Cell, ...]] = []
    for one in measured.of_method(SEQUENTIAL):
        other = of_twin[one.concept]
        cells: list[Cell] = [measured.concepts[one.concept]]
        for size in sizes:
            success = success_at(one, size, measured, chance) if size <= one.size else None
            value = None if success is None else success.value
            cells += [_percent(value), _dimensions(other, value)]
        reached = other.outcome.success
        rows.append((*cells, other.size, *_cells(reached)[:1]))
    return Table("equal-success", "Blocks, and the twin's dimensions at equal success", tuple(columns), tuple(rows))


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


def _dimensions(other: FoundSet, success: float | None) -> Cell:
    if success is None:
        return None
    size = size_for(other, success)
    return f"more than {other.size}" if size is None else size


def _interval_columns(what: str) -> list[Column]:
    return [Column(what, "%"), Column(f"{what}, from", "%"), Column(f"{what}, to", "%")]


def _cells(estimate: Estimate | None) -> Sequence[Cell]:
    if estimate is None:
        return None, None, None
    return 100 * estimate.value, 100 * estimate.low, 100 * estimate.high


def _percent(value: float | None) -> Cell:
    return None if value is None else 100 * value
