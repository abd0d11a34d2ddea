"""The axes of a measured geometry."""

import pytest
import torch
from torch import nn

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.geometry.analyzer import Geometry
from rpganify.analysis.geometry.axes_measured import measured_axes
from rpganify.analysis.geometry.measure import GeometryConfig, measure_geometry
from rpganify.analysis.geometry.metric import LANCZOS
from rpganify.analysis.provenance import model_sha256
from rpganify.conversion.converting import standard

CONTEXT = AnalysisContext(seed=3)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return standard(nn.Sequential(nn.Linear(8, 36), nn.Tanh(), nn.Unflatten(1, (1, 6, 6))))


def test_the_axes_are_those_of_the_first_metric_and_of_the_mean_of_all(model):
    measured = measure_geometry(model, CONTEXT, GeometryConfig(num_positions=3, num_controls=0))
    own, mean = measured_axes(measured, model, CONTEXT)
    metrics = [metric.matrix for metric in measured.model.metrics]
    for axes, matrix in ((own, metrics[0]), (mean, sum(metrics) / 3)):
        assert torch.allclose(matrix @ axes.directions.T, axes.directions.T * axes.eigenvalues, atol=1e-4)
        assert (axes.eigenvalues.diff() <= 0).all()
    assert torch.equal(mean.positions, torch.stack([metric.position for metric in measured.model.metrics]))
    assert torch.equal(own.positions, mean.positions[:1])
    assert mean.provenance["model sha256"] == model_sha256(model)
    assert (mean.provenance["seed"], mean.provenance["form"], mean.provenance["metric"]) == (3, "exact", "mean of 3")
    assert own.provenance["metric"] == "at 1"


def test_of_lanczos_there_are_the_first_axes_of_the_first_position_alone(model):
    config = GeometryConfig(num_positions=2, num_controls=0, form=LANCZOS, num_top=4)
    own, mean = measured_axes(measure_geometry(model, CONTEXT, config), model, CONTEXT)
    assert mean is own
    assert (len(own), own.dimension) == (4, 8)


def test_conditions_are_told_with_the_axes(model):
    measured = measure_geometry(model, CONTEXT, GeometryConfig(num_positions=2, num_controls=0))
    context = AnalysisContext(conditions={"label": torch.tensor(4)})
    assert measured_axes(measured, model, context)[1].provenance["conditions"] == {"label": 4}


def test_the_report_of_the_geometry_shows_strips(model):
    report = Geometry(GeometryConfig(num_positions=3, num_controls=0)).analyze(model, CONTEXT)
    names = [figure.name for figure in report.figures]
    assert names[-4:] == ["axes-own", "axes-mean", "axes-sphere", "axes-places"]
    assert report.tables[-1].name == "strips"
    assert "Strips show images along an axis." in report.definition
    assert report.notes[-1].startswith("Steps of strips are off by at most ")


def test_of_a_converted_generator_the_axes_are_applied_under_other_paths():
    torch.manual_seed(0)
    rp = rpganify.wrap(
        nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 36), nn.Unflatten(1, (1, 6, 6))),
        buckets=["0", "2"],
        blocks=2,
    )
    report = Geometry(GeometryConfig(num_positions=3, num_controls=0)).analyze(rp, CONTEXT)
    (table,) = (table for table in report.tables if table.name == "strips")
    at = [column.name for column in table.columns].index("at")
    assert len({row[at] for row in table.rows}) == 3
    assert all("-" in row[at] for row in table.rows)
