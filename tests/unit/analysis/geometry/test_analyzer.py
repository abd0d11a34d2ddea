import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.distances import ColourDistance, FeatureDistance, PairDistance
from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.geometry.analyzer import Geometry
from rpganify.analysis.geometry.measure import GeometryConfig, measure_geometry
from rpganify.analysis.geometry.metric import FORMS
from rpganify.analysis.geometry.points import Place
from rpganify.analysis.geometry.report import make_report
from rpganify.errors import AnalysisError
from rpganify.modelfile import Model
from rpganify.report.report import Cell, Report
from rpganify.testing.analyzer import check_analyzer
from tests.unit.analysis.geometry.models import DIM, Straight, converted, standard

SMALL = GeometryConfig(num_positions=4, num_controls=2)


def report_on(model: Model, config: GeometryConfig = SMALL, context: AnalysisContext | None = None) -> Report:
    """Without pictures along axes, which take most of the time."""
    context = context or AnalysisContext()
    return make_report(measure_geometry(model, context, config), model, context)


def row_of(report: Report, table: str, first: Cell = "model") -> dict[str, Cell]:
    found = report.table(table)
    (row,) = (row for row in found.rows if row[0] == first)
    return dict(zip((column.name for column in found.columns), row, strict=True))


@pytest.mark.slow
def test_it_is_an_analyzer():
    check_analyzer(Geometry(SMALL), model=converted())


def test_a_linear_generator_has_its_known_spectrum_and_agrees_with_itself_everywhere():
    model = standard(Straight)
    wanted = 2 * torch.linalg.svdvals(model.layer.weight.detach().double()).square()

    report = report_on(model)

    spectrum = [row[1:4] for row in report.table("spectra").rows]
    for (mean, low, high), value in zip(spectrum, wanted.tolist(), strict=True):
        assert mean == pytest.approx(value, rel=1e-5) == low == high
    agreement = row_of(report, "homogeneity")
    assert agreement["linear"] == pytest.approx(1, abs=1e-6) and agreement["log"] == pytest.approx(1, abs=1e-6)
    anisotropy = row_of(report, "anisotropy")
    ratio = float(wanted.sum() ** 2 / wanted.square().sum())
    assert anisotropy["participation ratio"] == pytest.approx(ratio, rel=1e-5)
    sums = wanted.cumsum(0) / wanted.sum()
    assert anisotropy["dim(0.9)"] == int((sums < 0.9).sum()) + 1


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_a_report_that_says_which_it_was(form: str):
    report = report_on(standard(), GeometryConfig(num_positions=3, form=form, num_controls=0))

    assert report.provenance["form"] == form
    words = {"exact": "It is had exactly", "lanczos": "found by Lanczos", "finite-differences": "central differences"}
    assert words[form] in report.definition
    checked = [note for note in report.notes if note.startswith("Checked at every position")]
    assert len(checked) == 1 and "which rounding explains" in checked[0]


def test_equal_seeds_give_equal_reports_and_the_model_stays_as_it_was():
    model = converted().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.random.get_rng_state()

    one, two = (report_on(model, SMALL, AnalysisContext(seed=3)) for _ in range(2))

    assert one.tables == two.tables and one.summary == two.summary
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_of_a_converted_model_it_says_which_bucket_the_axes_hang_on():
    report = report_on(converted(), GeometryConfig(num_positions=12, num_controls=2))

    # The latent's axes are those of the first layer, which it goes into; all paths through one block of it share them.
    first, second = (row_of(report, "shared-blocks", number) for number in (1, 2))
    gains = [float(one["linear, shared"]) - float(one["linear, not shared"]) for one in (first, second)]  # type: ignore[arg-type]
    assert gains[0] > gains[1]
    assert len(report.per_bucket) == 2 and report.per_bucket[0].startswith(
        "Bucket 1 (first): two paths through one block"
    )
    assert "Two paths agree" in report.summary
    assert "Z under each of 12 random paths" in report.definition
    assert report.table("positions").columns[1].name == "position"


def test_it_says_how_the_controls_compare():
    report = report_on(standard())

    networks = [row[0] for row in report.table("anisotropy").rows]
    assert networks == ["model", "shuffled", "untrained"]
    assert re.search(r"\(\d+\.\d with shuffled weights, \d+\.\d with untrained weights\)", report.summary)


class OwnScale(nn.Module):
    """A parameter that is no layer's, so that it cannot be born anew."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(0.5, 2, DIM))

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(z * self.scale).view(-1, 1, 2, 3)


def test_a_control_that_cannot_be_had_is_left_out_and_said():
    model = rpganify.standard(OwnScale(), latent=f"z:{DIM}")

    report = report_on(model)

    assert [row[0] for row in report.table("anisotropy").rows] == ["model", "shuffled"]
    assert any(note.startswith("There is no control with untrained weights: scale belongs to") for note in report.notes)


def test_the_first_distance_that_can_be_differentiated_is_taken_else_the_pixels():
    class Doubled(PixelFeatures):
        name = "doubled"

        def as_function(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
            return lambda images: 2 * images.flatten(1)

    def measured(*distances: PairDistance) -> float:
        report = Geometry(GeometryConfig(2, num_controls=0)).analyze(standard(), AnalysisContext(distances=distances))
        value = row_of(report, "anisotropy")["largest eigenvalue"]
        assert isinstance(value, float)
        return value

    pixels, doubled = FeatureDistance(PixelFeatures()), FeatureDistance(Doubled())
    assert measured() == measured(ColourDistance(1), pixels)
    assert measured(ColourDistance(1), doubled, pixels) == pytest.approx(4 * measured(), rel=1e-6)


def test_moving_a_part_of_the_latent_gives_the_matching_part_of_the_metric():
    model = standard()
    whole = measure_geometry(model, AnalysisContext(), GeometryConfig(3, num_controls=0))
    part = measure_geometry(model, AnalysisContext(), GeometryConfig(3, place=Place(part=(1, 2, 5)), num_controls=0))

    for one, other in zip(whole.model.metrics, part.model.metrics, strict=True):
        assert one.matrix is not None and other.matrix is not None
        torch.testing.assert_close(other.matrix, one.matrix[[1, 2, 5]][:, [1, 2, 5]], atol=1e-6, rtol=1e-5)


def test_moving_a_layers_output_pulls_back_to_the_latents_metric():
    model = standard()
    inner = measure_geometry(model, AnalysisContext(), GeometryConfig(3, place=Place(layer="first"), num_controls=0))
    outer = measure_geometry(model, AnalysisContext(), GeometryConfig(3, num_controls=0))

    weight = model.first.weight.detach().double()
    for one, other in zip(inner.model.metrics, outer.model.metrics, strict=True):
        assert one.matrix is not None and other.matrix is not None
        torch.testing.assert_close(weight.T @ one.matrix @ weight, other.matrix, atol=1e-5, rtol=1e-4)


def test_as_many_positions_are_taken_as_there_are_paths_to_average_over():
    report = Geometry(GeometryConfig(num_controls=0)).analyze(standard(), AnalysisContext(num_paths=5))

    assert len(report.table("positions").rows) == 5


def test_it_says_beforehand_how_much_work_it_is():
    def cost(form: str, num_controls: int) -> int:
        config = GeometryConfig(form=form, num_controls=num_controls)
        return Geometry(config).num_images(standard(), AnalysisContext())

    assert 30 * DIM < cost("exact", 0) < cost("exact", 10) < cost("finite-differences", 10)


def test_one_position_is_nothing_to_compare():
    with pytest.raises(AnalysisError, match=r"at least 2 positions; got 1, and 10 of control networks"):
        GeometryConfig(num_positions=1)


def test_a_model_with_one_path_is_measured_around_its_z():
    report = report_on(converted((1, 1)))

    assert "Z and 3 normal vectors in its place, from seed 0, under the path 0-0" in report.definition
    assert report.per_bucket == ()


def test_figures_hold_a_mark_for_each_network_and_position():
    report = report_on(standard())

    figures = {figure.name: figure.picture for figure in report.figures}
    assert list(figures) == ["spectra", "homogeneity", "agreement"]
    linear, log = figures["spectra"].axes  # type: ignore[union-attr]
    assert len(linear.lines) == 1 and len(log.lines) == 3
    assert [len(line.get_xdata()) for line in log.lines] == [DIM] * 3  # type: ignore[arg-type]
    matrices = figures["homogeneity"].axes[:2]  # type: ignore[union-attr]
    assert all(axes.images[0].get_array().shape == (4, 4) for axes in matrices)  # type: ignore[union-attr]
    bars, marks = figures["agreement"].axes  # type: ignore[union-attr]
    assert sum(patch.get_height() for patch in bars.patches) == 2 * 6  # type: ignore[attr-defined]
    assert [len(one.get_offsets()) for one in marks.collections] == [6, 6]  # type: ignore[arg-type]
