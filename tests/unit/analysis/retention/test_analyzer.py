"""The analyzer `retention`, against numbers by hand and a model before it grew."""

import pytest
import torch

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.classes.statistics import share_interval
from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.generation import to_uint8
from rpganify.analysis.quality.frechet import feature_statistics, frechet_distance
from rpganify.analysis.quality.measure import draw_seed
from rpganify.analysis.quality.metrics import neighbour_precision_recall
from rpganify.analysis.quality.samples import real_indices
from rpganify.analysis.retention.analyzer import RetentionAnalyzer
from rpganify.analysis.retention.measure import MAX_ROUNDS
from rpganify.data.images import MemoryImages, to_float
from rpganify.errors import AnalysisError
from rpganify.report.writing import report_to_json
from rpganify.surgery.new_paths import sample_old_paths
from tests.unit.analysis.classes.models import Brightness, grown, real_images
from tests.unit.surgery.models import build, converted

pytest.importorskip("torch_fidelity")

DATA = real_images(1000)
NUM = 100


def context(**settings):
    given = {
        "data": DATA,
        "extractor": Brightness(),
        "classifier": Brightness(),
        "num_images": NUM,
        "old_classes": (0, 1),
    }
    return AnalysisContext(**(given | settings))


def numbers(report, subject, classes):
    for row in report.table("numbers").rows:
        if (row[0], row[2]) == (subject, classes):
            return row[3:]
    return None


def real_features(classes, seed=0):
    members = torch.isin(DATA.labels, torch.tensor(classes)).nonzero()[:, 0]
    chosen = members[real_indices(len(members), 2 * NUM, seed)]
    return Brightness()(to_float(DATA.images(chosen[:NUM]))), Brightness()(to_float(DATA.images(chosen[NUM:])))


def drawn(model, number, draw):
    seed = draw_seed(0, number)
    with torch.no_grad():
        images = to_float(to_uint8(model.images(draw(model, NUM, torch.Generator().manual_seed(seed)))))
    return Brightness()(images), Brightness().classes(images)


def test_images_of_old_classes_are_compared_with_real_ones_of_old_classes_by_hand():
    model = grown()
    report = RetentionAnalyzer().analyze(model.train(), context())
    assert model.training
    rounds = [drawn(model.eval(), number, sample_old_paths) for number in range(MAX_ROUNDS)]
    real, _ = real_features((0, 1))
    features = torch.cat([one[torch.isin(classes, torch.tensor([0, 1]))] for one, classes in rounds])[:NUM]
    assert len(features) == NUM
    found = numbers(report, "old", "old")
    assert found[0] == NUM
    assert found[1] == pytest.approx(frechet_distance(feature_statistics(real), feature_statistics(features)))
    assert found[2] < found[1] < found[3]
    assert found[4:] == pytest.approx(neighbour_precision_recall(features, real))
    whole, _ = real_features((0, 1, 2, 3))
    found = numbers(report, "old", "all")
    assert found[1] == pytest.approx(frechet_distance(feature_statistics(whole), feature_statistics(rounds[0][0])))
    shares = {row[0]: row[1:] for row in report.table("shares").rows}
    expected = share_interval(int((rounds[0][1] >= 2).sum()), NUM)
    assert shares["old paths"] == (100 * expected.value, 100 * expected.low, 100 * expected.high)
    assert shares["the data, by its labels"][0] == pytest.approx(float((DATA.labels >= 2).double().mean()) * 100)


def test_old_paths_have_the_numbers_of_the_model_before_it_grew():
    before = RetentionAnalyzer().analyze(converted(), context())
    after = RetentionAnalyzer().analyze(grown(), context())
    assert numbers(before, "all", "old") is not None
    for classes in ("old", "new", "all"):
        assert numbers(before, "all", classes) == numbers(after, "old", classes)
    assert numbers(after, "new", "all") != numbers(after, "old", "all")
    assert {row[0] for row in before.table("numbers").rows} == {"all", "real"}


def test_other_real_images_are_disjoint_and_come_out_best():
    report = RetentionAnalyzer().analyze(grown(), context())
    real, others = real_features((2, 3))
    found = numbers(report, "real", "new")
    assert found[1] == pytest.approx(frechet_distance(feature_statistics(real), feature_statistics(others)))
    assert numbers(report, "real", "all")[1] < numbers(report, "all", "all")[1] / 3


def test_a_model_that_makes_too_few_of_some_classes_has_no_number_there_and_it_is_said():
    class Dark(Brightness):
        def scores(self, images):
            return torch.tensor([[5.0, 1, 0, 0]]).expand(len(images), 4)

    report = RetentionAnalyzer().analyze(grown(), context(classifier=Dark()))
    assert numbers(report, "all", "new") is None and numbers(report, "all", "old") is not None
    assert ("all paths", "new", None, "too few", None, None) in report.table("quality").rows
    assert "Too few images of all paths are of new classes to be compared there." in report.notes
    assert "Images of new classes: 0.0 [0.0, 3.7] % of old paths" in report.summary


def test_without_a_classifier_all_images_are_compared_with_each_group():
    model = grown()
    report = RetentionAnalyzer().analyze(model, context(classifier=None))
    features, _ = drawn(model, 0, sample_old_paths)
    for classes, key in (((0, 1), "old"), ((2, 3), "new"), ((0, 1, 2, 3), "all")):
        expected = frechet_distance(feature_statistics(real_features(classes)[0]), feature_statistics(features))
        assert numbers(report, "old", key)[1] == pytest.approx(expected)
    assert "no classifier was named" in report.definition
    assert "shares" not in [table.name for table in report.tables]


class Squares(PixelFeatures):
    """128 features."""

    def __call__(self, images):
        return torch.cat([images.flatten(1), images.flatten(1).square()], dim=1)


def test_too_many_features_leave_out_the_distance_and_say_how_many_images_it_would_take():
    report = RetentionAnalyzer().analyze(grown(), context(extractor=Squares(), num_images=147))
    assert numbers(report, "all", "all")[1:4] == (None, None, None) == numbers(report, "real", "old")[1:4]
    assert numbers(report, "all", "all")[4] is not None
    (note,) = [note for note in report.notes if "left out" in note]
    assert "128 features per image need at least 148 images of each group of classes" in note
    enough = RetentionAnalyzer().analyze(grown(), context(extractor=Squares(), num_images=148))
    assert numbers(enough, "real", "old")[1] > 0 and not [note for note in enough.notes if "left out" in note]


def test_a_model_that_has_grown_is_shown_in_pictures_another_is_not():
    report = RetentionAnalyzer().analyze(grown(), context(classifier=None))
    assert [figure.name for figure in report.figures] == ["panels", "quality"]
    assert "images made with a new block are framed" in report.figures[0].caption
    other = RetentionAnalyzer().analyze(converted(), context(classifier=None))
    assert [figure.name for figure in other.figures] == ["quality"]


def test_the_same_seed_gives_the_same_report():
    reports = [RetentionAnalyzer().analyze(grown(), context(classifier=None, seed=seed)) for seed in (4, 4, 5)]
    first, again, other = (report_to_json(report) for report in reports)
    assert first == again != other


def test_a_standard_generator_is_measured_as_one_trained_from_nothing():
    report = RetentionAnalyzer().analyze(rpganify.standard(build(5), latent="z:8"), context())
    assert numbers(report, "all", "all") is not None and report.summary.count("of this model") >= 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"data": MemoryImages("plain", DATA.pixels)},
            r"by the labels of the real images, and plain has none\. Name data",
        ),
        ({"old_classes": ()}, r"which classes the model had before it grew\. Say it: `--old-classes 0-6`"),
        ({"old_classes": (0, 1, 2, 3)}, r"Of the classes of levels, 4 are old and 0 new"),
        ({"extractor": None}, "no extractor was named"),
        ({"num_images": 99}, "it takes at least 100 of both"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(settings, message):
    with pytest.raises(AnalysisError, match=message):
        RetentionAnalyzer().analyze(grown(), context(**settings))


def test_a_classifier_of_other_classes_is_refused():
    class Three(Brightness):
        def scores(self, images):
            return super().scores(images)[:, :3]

    with pytest.raises(
        AnalysisError, match=r"tells 3 classes apart, and levels has 4\. .*`rpganify classifier levels -o"
    ):
        RetentionAnalyzer().analyze(grown(), context(classifier=Three()))
