"""The analyzer `classes`, against counts by hand."""

import pytest
import torch

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.classes.analyzer import Classes
from rpganify.analysis.classes.statistics import share_interval
from rpganify.analysis.generation import to_uint8
from rpganify.analysis.quality.measure import draw_seed
from rpganify.analysis.quality.samples import real_indices
from rpganify.data.images import MemoryImages, to_float
from rpganify.errors import AnalysisError
from rpganify.report.writing import report_to_json, write_reports
from rpganify.surgery.new_paths import is_new, sample_new_paths, sample_old_paths
from tests.unit.analysis.classes.models import NAMES, Brightness, grown, real_images
from tests.unit.surgery.models import build, converted


def context(**settings):
    return AnalysisContext(**({"classifier": Brightness(), "data": real_images(), "num_images": 150} | settings))


def counts(report, subject):
    return [row[4] for row in report.table("counts").rows if row[0] == subject]


def by_hand(model, codes):
    with torch.no_grad():
        images = to_float(to_uint8(model.images(codes)))
    return torch.bincount(Brightness().classes(images), minlength=4).tolist()


def test_images_of_all_old_and_new_paths_are_counted_apart():
    model = grown()
    report = Classes().analyze(model.train(), context(seed=3))
    assert model.training
    model.eval()

    def chance():
        return torch.Generator().manual_seed(draw_seed(3, 0))

    old, new = sample_old_paths(model, 150, chance()), sample_new_paths(model, 150, chance())
    assert not is_new(model, old).any() and is_new(model, new).all()
    assert counts(report, "old") == by_hand(model, old)
    assert counts(report, "new") == by_hand(model, new)
    assert counts(report, "all") == by_hand(model, model.paths.sample(150, generator=chance()))


def test_real_images_are_counted_by_the_same_classifier_and_their_labels_stand_beside():
    data = real_images()
    report = Classes().analyze(converted(), context(num_images=20, seed=1))
    chosen = data.images(real_indices(600, 200, 1))
    assert counts(report, "real") == torch.bincount(Brightness().classes(to_float(chosen)), minlength=4).tolist()
    labels = [row[-1] for row in report.table("shares").rows]
    assert labels == [f"{100 * share:.1f}" for share in torch.bincount(data.labels).div(600).tolist()]
    assert report.notes[0] == "The classifier gives 100.0 % of the real images their label."


def test_every_share_has_its_interval_and_the_distance_its_reference_of_chance():
    report = Classes().analyze(converted(), context())
    for row in report.table("counts").rows:
        expected = share_interval(row[4], row[5])
        assert row[6:] == (expected.value, expected.low, expected.high)
    shares = {key: torch.tensor(counts(report, key)).double() for key in ("all", "real")}
    distance = (shares["all"] / 150 - shares["real"] / 600).abs().sum() / 2
    row = report.table("distances").rows[0]
    assert row[:3] == ("this model", 150, pytest.approx(float(distance)))
    assert 0.01 < row[4] < 0.1  # about 0.06 of 150 images
    assert f"Total variation distance from the real images' classes: {distance:.3f} [" in report.summary


def test_old_and_new_classes_are_told_apart_where_it_is_known_which_are_which():
    report = Classes().analyze(grown(), context(old_classes=(0, 1, 2)))
    rows = {row[0]: row for row in report.table("shares").rows}
    assert list(rows) == ["dark", "dim", "light", "bright (new)", "all old classes", "all new classes"]
    assert rows["all new classes"][1:] == rows["bright (new)"][1:]
    assert "New classes: " in report.summary and " of old paths, " in report.summary
    assert "all new classes" not in [row[0] for row in Classes().analyze(grown(), context()).table("shares").rows]


def test_a_standard_generator_is_counted_too_and_beside_a_model_as_its_twin():
    twin = rpganify.standard(build(5), latent="z:8")
    alone = Classes().analyze(twin, context())
    assert {row[0] for row in alone.table("counts").rows} == {"all", "real"}
    beside = Classes().analyze(converted(), context(twin=twin))
    assert counts(beside, "twin") == counts(alone, "all")
    assert Classes().num_images(converted(), context(twin=twin)) == 300


def test_without_real_images_the_shares_stand_alone():
    report = Classes().analyze(grown(), context(data=None))
    assert [column.name for column in report.table("shares").columns][1:] == [
        "old paths", "paths with a new block", "all paths",
    ]  # fmt: skip
    assert report.table("distances").rows[0][2] is None and "No real images to compare with" in report.notes[0]


def test_many_classes_are_shown_where_they_differ_most():
    class Many(Brightness):
        class_names = tuple(f"class {number}" for number in range(30))

        def scores(self, images):
            return -(self(images)[:, :1] * 90 - torch.arange(-15, 15)).abs()

    report = Classes().analyze(converted(), context(classifier=Many(), data=None))
    assert "The 20 of 30 classes whose shares differ most" in report.figures[0].caption
    assert len(report.table("shares").rows) == 30


def test_numbers_name_classes_that_have_no_names():
    class Nameless(Brightness):
        class_names = ()

    report = Classes().analyze(converted(), context(classifier=Nameless(), data=None))
    assert [row[0] for row in report.table("shares").rows] == ["0", "1", "2", "3"]
    report = Classes().analyze(converted(), context(classifier=Nameless()))
    assert tuple(row[0] for row in report.table("shares").rows) == NAMES


def test_the_same_seed_gives_the_same_report_and_files(tmp_path):
    model = grown()
    report = Classes().analyze(model, context(old_classes=(0, 1)))
    again = Classes().analyze(model, context(old_classes=(0, 1)))
    assert report_to_json(report) == report_to_json(again)
    assert (tmp_path / "classes-shares.png") in write_reports([report], tmp_path, title="Classes")


def test_a_classifier_and_images_of_the_model_s_shape_are_needed():
    with pytest.raises(AnalysisError, match="classes tells classes apart by a classifier, and none was named"):
        Classes().analyze(converted(), context(classifier=None))
    other = MemoryImages("other", torch.zeros(200, 1, 9, 9, dtype=torch.uint8))
    with pytest.raises(AnalysisError, match=r"the generator makes \(1, 8, 8\) and other holds \(1, 9, 9\)"):
        Classes().analyze(converted(), context(data=other))
