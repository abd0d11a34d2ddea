"""The tables of concepts: a line per concept, δ or bucket, then every variable and every effect."""

from __future__ import annotations

from collections.abc import Sequence

from rpganify.analysis.concepts.measured import Correlated, Dose, Measured
from rpganify.analysis.concepts.table import moved_probability
from rpganify.report.report import Cell, Column, Table

POINTS = "points"


def concepts_table(measured: Measured, correlated: Correlated | None) -> Table:
    """Each concept, how often it is seen, how many interventions raise and lower it, and what raises it most."""
    columns = [
        Column("concept"),
        Column("images of it", "%"),
        Column("raised by"),
        Column("lowered by"),
        Column("raised most by"),
        Column("effect", POINTS),
        Column("from", POINTS),
        Column("to", POINTS),
        Column("sure", "%"),
    ]
    if correlated is not None:
        columns += [Column("goes together with"), Column("correlation")]
    is_told, mean = measured.effects.is_significant, measured.effects.mean
    most = measured.base.argmax(dim=1)
    rows: list[tuple[Cell, ...]] = []
    for concept, name in enumerate(measured.concepts):
        up = measured.strongest(concept, 1)
        row: list[Cell] = [name, _points(float((most == concept).double().mean()))]
        row += [int((is_told[:, concept] & (sign * mean[:, concept] > 0)).sum()) for sign in (1, -1)]
        if up is None:
            row += [None, None, None, None, None]
        else:
            cells = (measured.effects.mean, measured.effects.low, measured.effects.high)
            row += [measured.labels[up], *(_points(float(one[up, concept])) for one in cells)]
            row.append(_points(float(measured.sureness[up])))
        if correlated is not None:
            strongest = int(correlated.values[:, concept].abs().argmax())
            row += [f"z{strongest}", float(correlated.values[strongest, concept])]
        rows.append(tuple(row))
    return Table("concepts", "Each concept, and what raises it", tuple(columns), tuple(rows))


def doses_table(doses: Sequence[Dose], num_cells: int) -> Table:
    """How effects grow with δ."""
    columns = (
        Column("δ", "std"), Column("effects told"), Column("of"), Column("largest effect", POINTS),
        Column("probability moved, mean", POINTS),
    )  # fmt: skip
    rows = tuple((dose.delta, dose.num_told, num_cells, _points(dose.largest), _points(dose.moved)) for dose in doses)
    return Table("deltas", "How effects grow with δ", columns, rows)


def buckets_table(measured: Measured) -> Table:
    """How much blocks of each bucket change concepts."""
    columns = (
        Column("bucket"), Column("blocks"), Column("effects told"), Column("of"), Column("largest effect", POINTS),
        Column("by"), Column("on"), Column("probability moved, mean", POINTS),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for group in measured.groups:
        chosen = list(group.rows)
        effects = measured.effects.mean[chosen]
        place = int(effects.abs().argmax())
        row, concept = divmod(place, effects.shape[1])
        rows.append(
            (
                group.title,
                len(chosen),
                int(measured.effects.is_significant[chosen].sum()),
                effects.numel(),
                _points(float(effects[row, concept])),
                measured.labels[chosen[row]],
                measured.concepts[concept],
                _points(float(moved_probability(effects).mean())),
            )
        )
    return Table("buckets", "How much the blocks of each bucket change concepts", columns, tuple(rows))


def variables_table(measured: Measured, what: str) -> Table:
    """Every variable by its importance.

    Args:
        measured: importance of each.
        what: a variable is called, as the column's name.
    """
    found = measured.importance
    columns = (
        Column("rank"), Column(what), Column("probability moved", POINTS), Column("without effect, from", POINTS),
        Column("without effect, to", POINTS),
    )  # fmt: skip
    rows = tuple(
        (
            rank + 1,
            measured.names[variable],
            _points(float(found.values[variable])),
            _points(float(found.null_low[rank])),
            _points(float(found.null_high[rank])),
        )
        for rank, variable in enumerate(found.order.tolist())
    )
    return Table("importance", "how much probability every variable moves", columns, rows, is_raw=True)


def effects_table(measured: Measured, correlated: Correlated | None) -> Table:
    """Every effect of every intervention."""
    columns = [
        Column("intervention"), Column("concept"), Column("effect", POINTS), Column("from", POINTS), Column("to", POINTS),
        Column("p"), Column("p, adjusted"), Column("told"),
    ]  # fmt: skip
    if correlated is not None:
        columns.append(Column("correlation"))
    effects = measured.effects
    rows: list[tuple[Cell, ...]] = []
    for row, label in enumerate(measured.labels):
        for concept, name in enumerate(measured.concepts):
            cells = [_points(float(one[row, concept])) for one in (effects.mean, effects.low, effects.high)]
            tested = [float(one[row, concept]) for one in (effects.p_values, effects.adjusted)]
            told: list[Cell] = [label, name, *cells, *tested, bool(effects.is_significant[row, concept])]
            if correlated is not None:
                told.append(float(correlated.values[measured.variables[row], concept]))
            rows.append(tuple(told))
    return Table("effects", "effect of every intervention on every concept", tuple(columns), tuple(rows), is_raw=True)


def _points(share: float) -> float:
    return 100 * share
