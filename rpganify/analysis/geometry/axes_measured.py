"""The axes of a measured geometry: those of one position and of the mean metric, to keep and to look along."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.geometry.axes import Axes, axes_of, mean_axes
from rpganify.analysis.geometry.measure import Measured, mean_matrix
from rpganify.analysis.geometry.strips_report import axes_section
from rpganify.analysis.provenance import model_sha256
from rpganify.report.report import JsonValue, Report


def measured_axes(measured: Measured, model: nn.Module, context: AnalysisContext) -> tuple[Axes, Axes]:
    """The axes of the first position, and those of the mean metric over all positions.

    The second are the first again where there is no mean to take: of Lanczos' eigenpairs, or of one position.

    Args:
        measured: the geometry.
        model: that was measured, for the provenance.
        context: its seed and conditions are told.
    """
    metrics = measured.model.metrics
    told: dict[str, JsonValue] = {
        "model sha256": model_sha256(model),
        "latent": measured.model.points.what,
        "positions": measured.model.points.where,
        "squared distance": measured.features.definition,
        "features": dict(measured.features.provenance),
        "form": metrics[0].form,
        "seed": context.seed,
    }
    if context.conditions:
        told["conditions"] = {name: value.tolist() for name, value in context.conditions.items()}
    first = metrics[0]
    told_of_first = {**told, "metric": f"at {measured.model.points.points[0].label}"}
    own = axes_of(first.eigenvalues, first.eigenvectors, first.position[None], told_of_first)
    matrix = mean_matrix(metrics)
    if matrix is None or len(metrics) == 1:
        return own, own
    positions = [metric.position for metric in metrics]
    return own, mean_axes(matrix[None], torch.stack(positions), {**told, "metric": f"mean of {len(metrics)}"})


def with_strips(report: Report, measured: Measured, model: nn.Module, context: AnalysisContext) -> Report:
    """The report of a geometry, with strips of images along those axes.

    Args:
        report: what was made of the geometry.
        measured: the geometry.
        model: that was measured.
        context: seed and progress.
    """
    own, mean = measured_axes(measured, model, context)
    describe = measured.model.products[0].describe
    points = measured.model.points.points
    section = axes_section(points, describe, own, mean, seed=context.seed, progress=context.progress)
    return replace(
        report,
        definition=f"{report.definition.rstrip()}\n\n{section.definition}\n",
        tables=(*report.tables, *section.tables),
        figures=(*report.figures, *section.figures),
        notes=(*report.notes, *section.notes),
    )
