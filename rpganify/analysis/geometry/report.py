"""The report of a geometry: tables, figures, and what they mean in words."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.geometry.figure import draw_agreement, draw_matrices, draw_spectra
from rpganify.analysis.geometry.findings import DEFINITION, FORM_WORDS, notes, summary
from rpganify.analysis.geometry.homogeneity import FLOORS, correlation, log_agreement, mean_of_pairs, pairs_of
from rpganify.analysis.geometry.measure import Measured, Series
from rpganify.analysis.geometry.metric import Metric
from rpganify.analysis.geometry.shared_blocks import sharing, sharing_sentence, sharing_table
from rpganify.analysis.geometry.spectrum import SHARES, band, dims, participation_ratio, spectra
from rpganify.analysis.provenance import provenance
from rpganify.report.report import Cell, Column, Figure, JsonValue, Report, Table


def make_report(measured: Measured, model: nn.Module, context: AnalysisContext) -> Report:
    """Tables, figures and sentences of what was measured.

    Args:
        measured: the metrics.
        model: what they were taken of, for its hash.
        context: seed and conditions.
    """
    all_series = (measured.model, *measured.controls)
    chance = torch.Generator().manual_seed(context.seed)
    means = {
        series.name: (mean_of_pairs(series.agreement.linear, chance), mean_of_pairs(series.agreement.log, chance))
        for series in all_series
    }
    points = measured.model.points
    plan = getattr(model, "plan", None)
    shared = sharing(measured.model, [bucket.name for bucket in plan.buckets]) if plan is not None else ()
    return Report(
        name="geometry",
        title="Geometry of the image manifold",
        summary=summary(measured, *means[measured.model.name]),
        definition=DEFINITION.format(
            distance=measured.features.definition,
            form=FORM_WORDS[measured.config.form],
            what=points.what,
            dim=measured.model.metrics[0].dim,
            where=points.where,
            floor=f"{measured.model.agreement.floor:g}",
        ),
        tables=(
            _anisotropy_table(all_series),
            _homogeneity_table(all_series, means),
            _floors_table(measured.model),
            *([sharing_table(shared)] if shared else []),
            _positions_table(measured.model),
            _spectra_table(all_series),
            _pairs_table(measured.model),
        ),
        figures=_figures(measured, all_series),
        provenance=provenance(model, context, _settings(measured)),
        notes=tuple(notes(measured, means)),
        per_bucket=tuple(sharing_sentence(number, one) for number, one in enumerate(shared, 1)),
    )


def _figures(measured: Measured, all_series: Sequence[Series]) -> tuple[Figure, ...]:
    points = measured.model.points
    return (
        Figure(
            "spectra",
            "Eigenvalues of the metric, sorted at each position: the mean over positions, and a band from 5 to 95 % of "
            "them. On the left in units of squared image distance per squared unit of the latent; on the right as a share of "
            f"the largest mean eigenvalue, beside the controls. Axes: {points.what}; distance: {measured.features.title}.",
            draw_spectra(all_series),
        ),
        Figure(
            "homogeneity",
            "How well the axes of one position (row) fit the metric of another (column): the correlation, over the axes, of "
            "the metric along them with its own eigenvalues; on the left of the values, on the right of their logarithms. "
            "Positions by their numbers in the table of them.",
            draw_matrices(measured.model),
        ),
        Figure(
            "agreement",
            "The same for all pairs of positions, the mean of both ways: how often it comes out how large, and against the "
            f"distance of the two ({points.measure}).",
            draw_agreement(all_series, points.measure),
        ),
    )


def _settings(measured: Measured) -> dict[str, JsonValue]:
    config = measured.config
    space = measured.model.points.points[0].space
    settings: dict[str, JsonValue] = {
        "moved": measured.model.points.what,
        "positions": measured.model.points.where,
        "latent dimension": space.dim,
        "image distance": {"d²": measured.features.definition, **measured.features.provenance},
        "form": config.form,
        "type": str(space.dtype).removeprefix("torch."),
        "positions of controls": config.num_controls,
    }
    if measured.model.metrics[0].matrix is None:
        settings["eigenpairs"] = len(measured.model.metrics[0].eigenvalues)
    if config.place.layer:
        settings["layer"] = config.place.layer
    return settings


def _anisotropy_table(all_series: Sequence[Series]) -> Table:
    names = ("largest eigenvalue", *(f"dim({share:g})" for share in SHARES), "participation ratio")
    columns = [Column("network"), Column("positions")]
    for name in names:
        columns += [Column(name), Column(f"± of {name}", is_error=True)]
    rows = []
    for series in all_series:
        row: list[Cell] = [series.name, len(series.metrics)]
        row += _with_spread([float(metric.eigenvalues[0]) for metric in series.metrics])
        for share in SHARES:
            row += _with_spread([dims(metric, share) for metric in series.metrics])
        row += _with_spread([participation_ratio(metric) for metric in series.metrics])
        rows.append(tuple(row))
    title = "How many axes carry the change of the image (mean ± standard deviation over positions)"
    return Table("anisotropy", title, tuple(columns), tuple(rows))


def _homogeneity_table(
    all_series: Sequence[Series], means: dict[str, tuple[Estimate | None, Estimate | None]]
) -> Table:
    columns = [Column("network"), Column("positions")]
    for name in ("linear", "log"):
        columns += [Column(name), Column(f"{name} from"), Column(f"{name} to")]
    columns.append(Column("log against distance"))
    rows = []
    for series in all_series:
        row: list[Cell] = [series.name, len(series.metrics)]
        for estimate in means[series.name]:
            row += [None] * 3 if estimate is None else [estimate.value, estimate.low, estimate.high]
        row.append(_against_distance(series))
        rows.append(tuple(row))
    title = (
        "How much positions agree on the axes (mean over pairs, with its 95 % interval; and its correlation with their "
        "distance)"
    )
    return Table("homogeneity", title, tuple(columns), tuple(rows))


def _floors_table(series: Series) -> Table:
    """How much the logarithmic agreement depends on what counts as no movement."""
    agreement = series.agreement
    rows = []
    for floor in sorted({*FLOORS, agreement.floor}, reverse=True):
        matrix, num_floored = log_agreement(agreement.along, agreement.own, floor)
        found = mean_of_pairs(matrix, torch.Generator().manual_seed(0))
        rows.append((f"{floor:g}", None if found is None else found.value, 100 * num_floored / agreement.num_values))
    columns = (Column("floor"), Column("log"), Column("values that count as the floor", "%"))
    title = "Logarithmic agreement by the share of the largest eigenvalue that smaller values count as"
    return Table("floors", title, columns, tuple(rows))


def _positions_table(series: Series) -> Table:
    columns = (
        Column("number"), Column("position"), Column("largest eigenvalue"), Column("trace"), Column("± of the trace"),
        *(Column(f"dim({share:g})") for share in SHARES), Column("participation ratio"),
        Column("asymmetry"), Column("least eigenvalue"), Column("largest residual"),
    )  # fmt: skip
    rows = tuple(
        (number, point.label, *_position_row(metric))
        for number, (point, metric) in enumerate(zip(series.points.points, series.metrics, strict=True), 1)
    )
    title = "Each position, and its checks as shares of the largest eigenvalue"
    return Table("positions", title, columns, rows, is_raw=True)


def _position_row(metric: Metric) -> tuple[Cell, ...]:
    checks = metric.checks
    checked = (None, None, None) if checks is None else (checks.asymmetry, checks.least, checks.residual)
    found = tuple(dims(metric, share) for share in SHARES)
    return (
        float(metric.eigenvalues[0]), metric.trace, metric.trace_error, *found, participation_ratio(metric), *checked,
    )  # fmt: skip


def _spectra_table(all_series: Sequence[Series]) -> Table:
    columns, values = [Column("rank")], []
    for series in all_series:
        found = band(spectra(series.metrics))
        columns += [Column(f"{series.name}, {what}") for what in ("mean", "5 %", "95 %")]
        values += [found.mean, found.low, found.high]
    if all(series.metrics[0].checks is not None for series in all_series[:1]):
        residuals = torch.stack([m.checks.residuals for m in all_series[0].metrics if m.checks is not None])
        columns.append(Column("largest residual, share of the largest eigenvalue"))
        values.append(residuals.max(dim=0).values)
    length = min(map(len, values))
    rows = tuple((rank + 1, *(float(one[rank]) for one in values)) for rank in range(length))
    return Table("spectra", "Sorted eigenvalues over positions", tuple(columns), rows, is_raw=True)


def _pairs_table(series: Series) -> Table:
    labels = [point.label for point in series.points.points]
    distances = series.points.distances()
    columns = (Column("axes of"), Column("metric of"), Column("distance"), Column("linear"), Column("log"))
    rows = tuple(
        (one, other, float(distances[i, j]), _cell(series.agreement.linear[i, j]), _cell(series.agreement.log[i, j]))
        for i, one in enumerate(labels)
        for j, other in enumerate(labels)
        if i != j
    )
    return Table("pairs", f"Agreement of each pair; distance: {series.points.measure}", columns, rows, is_raw=True)


def _against_distance(series: Series) -> float | None:
    found, distances = pairs_of(series.agreement.log), pairs_of(series.points.distances())
    is_known = ~found.isnan()
    if int(is_known.sum()) < 3:
        return None
    return _cell(torch.tensor(correlation(distances[is_known], found[is_known])))


def _with_spread(values: Sequence[float | int | None]) -> list[Cell]:
    """Mean and standard deviation; None where a position has no value."""
    known = torch.tensor([float(value) for value in values if value is not None], dtype=torch.float64)
    if len(known) < len(values):
        return [None, None]
    return [float(known.mean()), float(known.std())]


def _cell(value: Tensor) -> float | None:
    return None if bool(value.isnan()) else float(value)
