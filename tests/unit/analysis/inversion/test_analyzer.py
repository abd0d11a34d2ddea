"""The analyzer `inversion`."""

import csv
import io

import numpy as np
import pytest
import torch
from PIL import Image

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.inversion.analyzer import InversionAnalyzer, InversionConfig
from rpganify.analysis.inversion.figure import PictureRow, draw_pictures, draw_scores
from rpganify.analysis.inversion.predictor_score import BucketScore
from rpganify.analysis.ssim import SsimDistance
from rpganify.data.images import MemoryImages
from rpganify.errors import AnalysisError
from rpganify.report.report import Figure
from rpganify.report.writing import figure_to_png, table_to_csv
from rpganify.testing import check_analyzer
from rpganify.testing.examples import small_model
from tests.unit.analysis.synthetic import SyntheticGenerator
from tests.unit.analysis.variations.test_analyzer import contains

QUICK = InversionAnalyzer(InversionConfig(num_samples=8000, num_shown=3, tuning_steps=5))


SHAPES = ((3, 16, 16), (3, 64, 64))


def rows_of(report, name):
    return list(csv.DictReader(io.StringIO(table_to_csv(report.table(name)))))


@pytest.fixture(scope="module")
def report():
    model = SyntheticGenerator((10, 10, 10), seed=1)
    return QUICK.analyze(model, AnalysisContext(num_paths=40, num_images=200))


def test_what_can_be_seen_is_named_far_more_often_than_by_guessing(report):
    for row in rows_of(report, "prediction"):
        assert float(row["named first, from [%]"]) > 2 * float(row["guessing [%]"])
        assert float(row["named first, from [%]"]) <= float(row["named first [%]"]) <= float(row["among five [%]"])
        assert 0.5 < float(row["told [bits]"]) <= float(row["of [bits]"]) == pytest.approx(np.log2(10))


def test_the_models_own_images_are_found_again(report):
    rows = rows_of(report, "recovery")
    assert [row["bucket"] for row in rows] == ["1", "2", "3", "all"]
    assert all(float(row["by search [%]"]) >= 80 for row in rows)  # two positions are the same pixel
    assert float(rows[0]["guessing [%]"]) == 10
    assert float(rows[3]["guessing [%]"]) == pytest.approx(0.1)
    (own,) = rows_of(report, "distances")
    assert float(own["met exactly [%]"]) == 100
    assert float(own["random path"]) > float(own["predicted path"]) > float(own["found path"])


def test_recovery_is_the_share_of_blocks_that_the_table_of_paths_shows(report):
    pairs = [(row["path"].split("-"), row["found"].split("-")) for row in rows_of(report, "paths")]
    assert len(pairs) == 10
    for bucket, row in enumerate(rows_of(report, "recovery")[:3]):
        share = np.mean([path[bucket] == found[bucket] for path, found in pairs])
        assert float(row["by search [%]"]) == pytest.approx(100 * share)


def test_the_summary_follows_from_the_numbers(report):
    share = np.mean([float(row["by search [%]"]) for row in rows_of(report, "recovery")[:3]])
    assert f"Search finds {share:.0f} % of the blocks of the model's own images again" in report.summary
    best = max(rows_of(report, "prediction"), key=lambda row: float(row["named first [%]"]))
    assert (
        f"bucket {best['bucket']} ({best['name']}) in {float(best['named first [%]']):.0f} % of cases" in report.summary
    )
    assert "guessing: 10 %" in report.summary
    assert report.notes == ()
    assert len(report.per_bucket) == 3
    row = rows_of(report, "prediction")[1]
    assert report.per_bucket[1].startswith("Bucket 2 (shape): an image names its block in ")
    assert (
        f"{float(row['named first [%]']):.0f} % [" in report.per_bucket[1]
        and "(guessing: 10 %)" in report.per_bucket[1]
    )


def test_the_laws_of_an_analyzer_hold():
    config = InversionConfig(num_samples=256, num_shown=2, tuning_steps=2)
    data = MemoryImages("noise", torch.randint(256, (12, 3, 8, 8), dtype=torch.uint8))
    check_analyzer(InversionAnalyzer(config), context=AnalysisContext(num_paths=2, num_images=8, data=data))


def test_real_images_are_brought_nearer_and_tuned():
    model = small_model()
    data = MemoryImages("noise", torch.randint(256, (12, 3, 8, 8), dtype=torch.uint8))
    report = QUICK.analyze(model, AnalysisContext(num_paths=4, num_images=50, data=data))
    own, real = rows_of(report, "distances")
    assert (own["images"], real["images"], real["number"]) == ("the model's own", "real", "8")
    assert float(real["found path"]) < float(real["random path"])
    assert float(real["met exactly [%]"]) == 0
    assert "The nearest paths to real images are at " in report.summary
    assert [figure.name for figure in report.figures] == ["prediction", "own", "real"]
    assert any("A Z of its own brings the mean squared error of the pixels of 3 real images" in n for n in report.notes)
    assert report.provenance["data"] == "noise"


def test_another_distance_is_searched_by_and_named():
    context = AnalysisContext(num_paths=4, num_images=50, distances=(SsimDistance(3),))
    report = InversionAnalyzer(InversionConfig(num_samples=256)).analyze(SyntheticGenerator((3, 3, 3)), context)
    assert report.table("distances").title == "Mean distance to the wanted image: Structure (1 − SSIM)"


def test_where_nothing_can_be_held_out_the_report_says_so():
    model = SyntheticGenerator((1, 5, 1))
    report = InversionAnalyzer(InversionConfig(num_samples=256)).analyze(model, AnalysisContext(num_images=20))
    assert "tested on paths that it may have been trained on" in report.notes[0]


def test_data_of_another_shape_is_refused():
    data = MemoryImages("large", torch.zeros(3, 3, 32, 32, dtype=torch.uint8))
    with pytest.raises(
        AnalysisError, match=r"large holds images of shape \(3, 32, 32\), the generator makes \(3, 16, 16\)"
    ):
        QUICK.analyze(SyntheticGenerator((2, 2, 2)), AnalysisContext(num_images=10, data=data))


@pytest.mark.parametrize("wrong", [{"num_starts": 0}, {"num_shown": 0}, {"tuning_steps": -1}])
def test_sizes_that_make_no_inversion_are_refused(wrong):
    with pytest.raises(AnalysisError, match="at least 1 start and 1 image to show"):
        InversionConfig(**wrong)


def test_the_announced_number_of_images_grows_with_data_and_paths():
    model = SyntheticGenerator((3, 3, 3))
    data = MemoryImages("noise", torch.zeros(12, 3, 16, 16, dtype=torch.uint8))
    few, more, real = (
        QUICK.num_images(model, context)
        for context in (AnalysisContext(), AnalysisContext(num_paths=1000), AnalysisContext(data=data))
    )
    assert few < more and few < real
    quick, slow = (
        QUICK.other_s(SyntheticGenerator((3, 3, 3), image_shape=shape), AnalysisContext(), 0) for shape in SHAPES
    )
    assert 0 < quick < slow


def test_the_grid_holds_every_image_pixel_for_pixel_in_as_many_bands_as_it_takes():
    images = torch.randint(256, (12, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    drawing = draw_pictures([PictureRow("Image", "", images), PictureRow("Search", "", 255 - images)], ["0-1"] * 12)
    with Image.open(io.BytesIO(figure_to_png(Figure("grid", "", drawing)))) as picture:
        page = np.asarray(picture.convert("RGB"))
    for image in (images[0], images[9], 255 - images[10], 255 - images[11]):
        tile = image.permute(1, 2, 0).numpy().repeat(20, 0).repeat(20, 1)
        assert contains(page, tile)


def test_the_chart_has_two_bars_a_bucket_at_their_heights():
    def score(value):
        return BucketScore(10, Estimate(value, value - 0.05, value + 0.05), Estimate(0.9, 0.8, 0.95), Estimate(1, 0, 2))

    drawing = draw_scores([score(0.3), score(0.6)], ["$a_1", "a very long name of a bucket"])
    heights = [round(bar.get_height()) for bar in drawing.axes[0].patches]
    assert heights == [30, 90, 60, 90]
