"""The analyzer `latent-inversion`."""

import io
import sys

import pytest
import torch
from PIL import Image
from torch import nn

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.distances import ColourDistance
from rpganify.analysis.latent_inversion.analyzer import LatentInversion, LatentInversionConfig
from rpganify.analysis.opening import open_pixel_distance
from rpganify.conversion.converting import standard
from rpganify.data.images import MemoryImages
from rpganify.errors import AnalysisError
from rpganify.report.writing import figure_to_png
from rpganify.testing import check_analyzer

pytest.importorskip("cma")

SHAPE = (1, 6, 6)
QUICK = LatentInversion(LatentInversionConfig(num_targets=6, num_steps=12, num_positions=3))


def generator() -> nn.Module:
    """Twelve latents that matter very differently."""
    torch.manual_seed(0)
    linear = nn.Linear(12, 36)
    with torch.no_grad():
        linear.weight.copy_(torch.linalg.qr(torch.randn(36, 12)).Q * torch.logspace(0.5, -1.5, 12))
        linear.weight.copy_(linear.weight @ torch.linalg.qr(torch.randn(12, 12)).Q)
    return nn.Sequential(linear, nn.Tanh(), nn.Unflatten(1, SHAPE))


@pytest.fixture(scope="module")
def model():
    return standard(generator())


def real_images(count: int = 40) -> MemoryImages:
    return MemoryImages("noise", torch.randint(256, (count, *SHAPE), dtype=torch.uint8))


@pytest.fixture(scope="module")
def report(model):
    return QUICK.analyze(model, AnalysisContext(data=real_images()))


def rows_of(report, name):
    table = report.table(name)
    return [dict(zip([column.name for column in table.columns], row, strict=True)) for row in table.rows]


def test_every_method_is_run_on_real_images_and_on_the_models_own(report):
    rows = rows_of(report, "final")
    assert [(row["images"], row["number"]) for row in rows] == [("real", 6)] * 7 + [("own", 6)] * 7
    methods = [row["method"] for row in rows[:7]]
    assert methods[:3] == ["Adam, plain", "Adam, eigenbasis", "Adam, preconditioned"]
    assert methods[3:6] == ["Adam, plain, length held", "Adam, eigenbasis, length held", "CMA-ES, plain"]
    assert methods[6].startswith("CMA-ES, first ") and methods[6].endswith(" axes")
    for row in rows:
        assert row["from"] <= row["final"] <= row["to"] < row["start"]
    assert len({row["start"] for row in rows[:7]}) == 1  # the same starts for all


def test_the_distance_in_z_is_told_of_own_images_alone(report):
    rows = rows_of(report, "final")
    assert all(row["distance in z"] is None for row in rows[:7])
    # Under a linear layer of full rank, what is near in images is near along the axes that matter.
    assert all(0 < row["distance in z, top axes"] < 1 for row in rows[7:10])


def test_each_method_is_tested_against_its_plain_basis_and_p_is_corrected_for_all_tests(report):
    rows = rows_of(report, "tests")
    assert [(row["images"], row["against"]) for row in rows] == [
        *[("real", "Adam, plain")] * 2,
        *(("real", "Adam, plain, length held"), ("real", "CMA-ES, plain")),
        *[("own", "Adam, plain")] * 2,
        *(("own", "Adam, plain, length held"), ("own", "CMA-ES, plain")),
    ]
    smallest = min(rows, key=lambda row: row["p"])
    assert smallest["p, corrected"] == pytest.approx(min(1, 8 * smallest["p"]))
    for row in rows:
        assert row["pairs"] == 6
        assert row["p"] <= row["p, corrected"] <= 1
        assert row["from"] <= row["ratio"] <= row["to"]


def test_the_ratio_is_that_of_the_final_distances_in_the_raw_table(report):
    finals = {}
    for row in rows_of(report, "targets"):
        finals.setdefault((row["images"], row["method"]), []).append(row["final"])
    for row in rows_of(report, "tests"):
        ours, theirs = finals[row["images"], row["method"]], finals[row["images"], row["against"]]
        assert row["ratio"] == pytest.approx(sum(ours) / sum(theirs))
        assert row["nearer"] == pytest.approx(100 * sum(a < b for a, b in zip(ours, theirs, strict=True)) / 6)


def test_step_sizes_are_chosen_by_their_mean_distance_on_other_images(report):
    tried = {}
    for row in rows_of(report, "step-sizes"):
        tried.setdefault(row["method"], {})[row["step size"]] = row["mean final distance"]
    for row in rows_of(report, "final"):
        assert row["step size"] == min(tried[row["method"]], key=tried[row["method"]].get)
        assert {0.02, 0.05, 0.1, 0.2, 0.5} <= tried[row["method"]].keys()
    assert report.provenance["images to choose step sizes on"] == 6
    assert "on 6 other images" in report.definition


def test_the_metrics_axes_help_where_latents_matter_differently(report):
    rows = {(row["images"], row["method"]): row for row in rows_of(report, "tests")}
    row = rows["own", "Adam, preconditioned"]
    assert row["ratio"] < 1
    assert "37 per image" in report.definition  # 1 + 3 · 12 passes
    assert report.summary.startswith(
        "On 6 real images, by the squared error of the pixels: Adam in the eigenbasis ends"
    )


def test_there_are_curves_ratios_and_pictures(report):
    assert [figure.name for figure in report.figures] == ["curves", "ratios", "real", "own"]
    for figure in report.figures:
        assert Image.open(io.BytesIO(figure_to_png(figure))).size[0] > 500


def test_several_distances_are_compared_each_and_their_p_values_corrected_together(model):
    context = AnalysisContext(distances=(open_pixel_distance(num_channels=1), open_pixel_distance(num_channels=1)))
    report = QUICK.analyze(model, context)
    assert [figure.name for figure in report.figures] == ["curves", "ratios", "own", "curves-2", "ratios-2", "own-2"]
    rows = rows_of(report, "tests")
    assert len(rows) == 4
    assert rows == rows_of(report, "tests-2")
    smallest = min(rows, key=lambda row: row["p"])
    assert smallest["p, corrected"] == pytest.approx(min(1, 8 * smallest["p"]))
    assert "On the model's own images" in report.summary


def test_a_distance_that_has_no_derivative_is_refused(model):
    with pytest.raises(AnalysisError, match="colour gives no features to differentiate"):
        QUICK.analyze(model, AnalysisContext(distances=(ColourDistance(1),)))


def test_without_cma_the_rest_is_done_and_the_report_says_what_is_missing(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "cma", None)
    report = QUICK.analyze(model, AnalysisContext())
    assert {row["method"] for row in rows_of(report, "final")} == {
        "Adam, plain",
        "Adam, eigenbasis",
        "Adam, preconditioned",
        "Adam, plain, length held",
        "Adam, eigenbasis, length held",
    }
    assert report.notes[0].startswith("CMA-ES was left out. CMA-ES is done by the package cma, which is not installed")
    assert "takes no gradients" not in report.definition


def test_it_can_be_told_to_leave_cma_out(model):
    analyzer = LatentInversion(LatentInversionConfig(num_targets=2, num_steps=2, with_evolution=False))
    report = analyzer.analyze(model, AnalysisContext())
    assert report.notes[0] == "CMA-ES was left out, as its configuration says."
    assert analyzer.other_s(model, AnalysisContext(), 0) == 0


def test_of_a_converted_generator_the_vector_in_the_place_of_Z_is_searched_under_a_path():
    rp = rpganify.wrap(generator(), buckets=["0"], blocks=3)
    report = QUICK.analyze(rp, AnalysisContext(paths=((2,),)))
    assert report.provenance["latent"] == "Z under the path 2"
    assert report.provenance["positions of the metric"] == 1
    assert all(row["final"] < row["start"] for row in rows_of(report, "final"))
    assert "All searches start at Z." in report.definition
    assert "the mean of those at one position" in report.definition


def test_images_of_another_shape_and_too_few_are_refused(model):
    other = MemoryImages("large", torch.zeros(3, 1, 8, 8, dtype=torch.uint8))
    with pytest.raises(
        AnalysisError, match=r"large holds images of shape \(1, 8, 8\), the generator makes \(1, 6, 6\)"
    ):
        QUICK.analyze(model, AnalysisContext(data=other))
    with pytest.raises(AnalysisError, match="noise holds 3 images; 3 are needed to choose step sizes on, and one more"):
        QUICK.analyze(model, AnalysisContext(data=real_images(3)))


@pytest.mark.parametrize(
    "sizes", [{"num_targets": 0}, {"num_steps": 0}, {"num_positions": 0}, {"relative_epsilon": -1.0}]
)
def test_sizes_that_make_no_inversion_are_refused(sizes):
    with pytest.raises(AnalysisError, match="at least 1 target, step and position, and ε >= 0; got "):
        LatentInversionConfig(**sizes)


def test_more_paths_mean_more_targets_and_more_passes(model):
    analyzer = LatentInversion()
    few, many = (analyzer.num_images(model, AnalysisContext(num_paths=paths)) for paths in (10, 100))
    assert 10 * few < many
    assert analyzer.num_images(model, AnalysisContext(data=real_images())) > many


def test_the_laws_of_an_analyzer_hold():
    config = LatentInversionConfig(num_targets=2, num_steps=5, num_positions=2)
    check_analyzer(LatentInversion(config), context=AnalysisContext(num_paths=2))


def test_a_standard_generator_is_left_as_it_was(model):
    config = LatentInversionConfig(num_targets=2, num_steps=5, num_positions=2, with_evolution=False)
    check_analyzer(LatentInversion(config), model=model, context=AnalysisContext(num_paths=2, data=real_images()))


def test_a_budget_too_small_for_a_generation_is_refused_before_anything_is_searched(model):
    analyzer = LatentInversion(LatentInversionConfig(num_targets=2, num_steps=3))
    told = []
    context = AnalysisContext(progress=lambda what, done, total: told.append(what))
    with pytest.raises(AnalysisError, match="in 12 dimensions has 11 images, and only 10 passes are allowed"):
        analyzer.analyze(model, context)
    assert told == []


def test_a_held_length_is_that_of_the_start(model):
    config = LatentInversionConfig(num_targets=4, num_steps=10, num_positions=2, with_evolution=False)
    report = LatentInversion(config).analyze(model, AnalysisContext())
    lengths = {}
    for row in rows_of(report, "targets"):
        lengths.setdefault(row["method"], []).append(row["length of z"])
    held = lengths["Adam, plain, length held"]
    assert held == pytest.approx(lengths["Adam, eigenbasis, length held"], rel=1e-5)
    assert held != pytest.approx(lengths["Adam, plain"], rel=1e-3)
    chance = torch.Generator().manual_seed(0)
    model.draw(8, chance)  # four images to choose step sizes on and four that count
    starts = model.draw(8, chance).flatten(1)[4:]
    assert held == pytest.approx(starts.square().mean(dim=1).sqrt().tolist(), rel=1e-5)


def test_from_the_latent_0_no_length_is_held():
    rp = rpganify.wrap(generator(), buckets=["0"], blocks=2)
    with torch.no_grad():
        rp.Z.zero_()
    config = LatentInversionConfig(num_targets=2, num_steps=2, with_evolution=False)
    report = LatentInversion(config).analyze(rp, AnalysisContext(paths=((0,),)))
    assert not any("length held" in row["method"] for row in rows_of(report, "final"))


def test_own_images_of_a_converted_generator_are_made_around_its_Z():
    rp = rpganify.wrap(generator(), buckets=["0"], blocks=2)
    config = LatentInversionConfig(num_targets=300, num_steps=1, with_evolution=False)
    report = LatentInversion(config).analyze(rp, AnalysisContext(paths=((0,),)))
    # From Z itself to vectors around it: 1/√2 of the distance between two of those; one step of Adam changes little.
    distances = [row["distance in z"] for row in rows_of(report, "final") if row["method"] == "Adam, plain"]
    assert distances == pytest.approx([0.5**0.5], abs=0.1)
