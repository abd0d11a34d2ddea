import dataclasses
import re

import pytest
import torch
from torch import nn

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.controls.analyzer import ControlsAnalyzer, sizes_for
from rpganify.analysis.controls.choices import Choice
from rpganify.analysis.controls.saved import controls_of, load_controls, save_controls
from rpganify.analysis.provenance import model_sha256
from rpganify.errors import AnalysisError
from rpganify.report.report import Report
from rpganify.testing import check_analyzer
from tests.unit.analysis.controls.planted import (
    A_BLOCKS,
    B_BLOCKS,
    CONCEPTS,
    DIM,
    NUM_BLOCKS,
    PathPlanted,
    converted_model,
    planted_classifier,
    standard_model,
)


def context(num_paths: int = 60, **others: object) -> AnalysisContext:
    return AnalysisContext(num_paths=num_paths, classifier=planted_classifier(), **others)


@pytest.fixture(scope="module")
def standard() -> Report:
    return ControlsAnalyzer().analyze(standard_model(), context())


@pytest.fixture(scope="module")
def converted() -> Report:
    torch.manual_seed(0)
    return ControlsAnalyzer().analyze(converted_model(), context(100, num_images=150, twin=standard_model()))


def column(report: Report, table: str, name: str) -> list:
    found = report.table(table)
    index = [one.name for one in found.columns].index(name)
    return [row[index] for row in found.rows]


def test_the_planted_dimensions_of_a_standard_generator_are_found_by_both_ways(standard):
    saved = controls_of(standard)
    assert {choice.coordinate for choice in saved.find("A").choices} == {3}
    assert {choice.coordinate for choice in saved.find("B").choices} == {5, 8}
    sizes = dict(zip(zip(column(standard, "sets", "class"), column(standard, "sets", "found"), strict=True),
                     column(standard, "sets", "dimensions"), strict=True))  # fmt: skip
    assert sizes[("A", "one after another")] == sizes[("A", "optimised shift")] == 1
    assert sizes[("B", "one after another")] == sizes[("B", "optimised shift")] == 2


def test_success_is_high_where_random_sets_fail(standard):
    rows = zip(*(column(standard, "sets", name) for name in ("class", "become the class", "random sets")), strict=True)
    for concept, success, random in rows:
        if concept != "neither":
            assert success > 90 and random < 40


def test_the_planted_blocks_of_a_converted_generator_are_found(converted):
    saved = controls_of(converted)
    assert set(saved.find("A").choices) == set(A_BLOCKS)
    assert set(saved.find("B").choices) == set(B_BLOCKS)
    assert saved.find("A").lowering[0][0].coordinate == 0
    assert all(value > 90 for value in column(converted, "sets", "become the class")[1:])  # some A were B, and stay it
    assert "is part of 1 of 3 controlling sets" in converted.per_bucket[1]
    assert (
        converted.per_bucket[3]
        == "Bucket 4 (idle) raises no class most by itself, and is part of 0 of 3 controlling sets."
    )


def test_beside_the_twin_stands_how_many_dimensions_do_as_much(converted):
    table = converted.table("equal-success")
    row = next(row for row in table.rows if row[0] == "B")
    headings = [one.name for one in table.columns]
    assert row[headings.index("2 blocks")] == 100
    # One block makes B of one path in eight, dimension 5 or 8 alone of one latent in ten.
    assert row[headings.index("dimensions for 1 block")] in (1, 2)
    assert row[headings.index("dimensions for 2 blocks")] == 2
    assert {"twin-sets", "fewest", "equal-success", "equal-variety"} <= {one.name for one in converted.tables}
    assert "The standard twin:" in converted.summary
    assert re.search(
        r"For one set for all images, 1 block is worth .*, 2 blocks are worth 2 dimensions", converted.summary
    )


def test_single_images_need_one_block_for_a_and_one_or_two_for_b(converted):
    shares = {row[0]: row[1:] for row in converted.table("fewest").rows}
    assert shares["A"][0] > 90
    assert shares["B"][0] < 50 and shares["B"][-3] == 100


def test_the_report_has_its_pictures_and_says_where_its_numbers_come_from(standard, converted):
    names = {"sets", "sizes", "translation-rates", "side-effects", "translation", "fewest"}
    for report in (standard, converted):
        assert {figure.name for figure in report.figures} == names
        assert report.provenance["classes"] == list(CONCEPTS)
        assert "thresholds" in report.definition and "ours" in report.definition
    assert standard.provenance["coordinates"] == DIM and converted.provenance["coordinates"] == len(NUM_BLOCKS)
    assert standard.provenance["model sha256"] == model_sha256(standard_model())


@pytest.mark.parametrize("kind", ["standard", "converted"])
def test_controls_of_a_report_are_saved_and_do_what_the_report_says(request, tmp_path, kind):
    report = request.getfixturevalue(kind)
    model = standard_model() if kind == "standard" else converted_model()
    file = tmp_path / "controls.safetensors"
    save_controls(controls_of(report), file)
    saved = load_controls(file)
    saved.check_model(model_sha256(model))
    codes = model.draw(200, torch.Generator().manual_seed(9))
    with torch.no_grad():
        before = planted_classifier().classes(model.images(codes))
        after = planted_classifier().classes(model.images(saved.find("B").apply(codes)))
    assert float((before == 2).float().mean()) < 0.2 and float((after == 2).float().mean()) > 0.9
    assert set(saved.told) == {"classifier", "seed", "smallest gain", "codes", "versions", "success, %"}


def test_equal_seeds_give_equal_numbers_and_the_model_stays_as_it_was():
    model = converted_model().train()
    before, state = model_sha256(model), torch.random.get_rng_state()
    one, other, another = (ControlsAnalyzer().analyze(model, context(16, num_images=16, seed=s)) for s in (1, 1, 2))
    assert [table.rows for table in one.tables] == [table.rows for table in other.tables]
    assert one.table("sets").rows != another.table("sets").rows
    assert model_sha256(model) == before and model.training
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.slow
def test_it_keeps_the_laws_of_analyzers():
    check_analyzer(ControlsAnalyzer(), model=converted_model(), context=context(16, num_images=16))


def test_the_expected_number_of_images_is_about_what_is_made(standard, converted):
    for report, model, given in (
        (standard, standard_model(), context()),
        (converted, converted_model(), context(100, num_images=150)),
    ):
        made = report.provenance["images"]
        assert isinstance(made, int)
        assert made / 3 < ControlsAnalyzer().num_images(model, given) < 3 * made
    small, large = (sizes_for(context(num)) for num in (10, 100))
    assert small.num_search == 10 and large.num_held == 500
    assert ControlsAnalyzer().num_images(standard_model(), AnalysisContext()) == 0


def test_without_a_classifier_it_says_how_to_get_one():
    with pytest.raises(AnalysisError, match="controls tells classes apart by a classifier, and none was named"):
        ControlsAnalyzer().analyze(standard_model(), AnalysisContext())


def test_of_one_bucket_that_varies_there_is_no_control():
    model = rpganify.wrap(PathPlanted(), buckets=["one", "two"], blocks=[5, 1]).eval()
    message = (
        "A control puts blocks into some buckets while others vary, and of this model 1 bucket has more than one block"
    )
    with pytest.raises(AnalysisError, match=message):
        ControlsAnalyzer().analyze(model, context())


def test_what_is_no_picture_is_refused():
    flat = rpganify.standard(nn.Sequential(nn.Linear(4, 6)))
    with pytest.raises(AnalysisError, match=re.escape("controls measures pictures of 1 (grey) or 3 (colour) channels")):
        ControlsAnalyzer().analyze(flat, context())


@pytest.mark.parametrize("gain", [0.0, 1.0])
def test_a_gain_that_is_no_part_of_a_probability_is_refused(gain):
    with pytest.raises(AnalysisError, match=f"above 0 and below 1; got {gain}"):
        ControlsAnalyzer(min_gain=gain)


def test_a_class_that_no_image_shows_and_one_that_nothing_raises_are_noted():
    class Never(nn.Module):
        def features(self, images):
            return images.flatten(1)[:, :2]

        def scores_of(self, features):
            return torch.stack([features[:, 0], features[:, 1], -50 - 0 * features[:, 0]], dim=1)

        def forward(self, images):
            return self.scores_of(self.features(images))

    given = dataclasses.replace(context(24), classifier=dataclasses.replace(planted_classifier(), network=Never()))
    report = ControlsAnalyzer().analyze(converted_model(), given)
    said = " ".join(report.notes)
    assert "there is none of B" in said or "none of A, B" in said
    assert "No set was found that raises" in said and "B" in said.split("No set was found that raises")[1]
    assert controls_of(report).find("B").choices == ()
    assert Choice(0, 2.0) in controls_of(report).find("neither").choices or report.figures
