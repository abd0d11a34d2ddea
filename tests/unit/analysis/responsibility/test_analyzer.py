import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.classifier import Classifier
from rpganify.analysis.classifier_features import classifier_features
from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.generation import to_uint8
from rpganify.analysis.responsibility.analyzer import Responsibility
from rpganify.analysis.responsibility.statistics import available_statistics
from rpganify.errors import AnalysisError
from rpganify.report.report import Report
from rpganify.report.writing import write_reports
from rpganify.testing.analyzer import check_analyzer
from tests.unit.analysis import anova
from tests.unit.analysis.planted import PlantedGenerator
from tests.unit.analysis.synthetic import SyntheticGenerator

Interval = tuple[float, float, float]


def shares(report: Report, statistic: str, what: str = "alone", table: str = "buckets") -> list[Interval | None]:
    """Value and ends of each bucket, as fractions."""
    found = report.table(table)
    start = [column.name for column in found.columns].index(what)
    rows = [row[start : start + 3] for row in found.rows if row[2] == statistic]
    return [None if row[0] is None else tuple(float(cell) / 100 for cell in row) for row in rows]  # type: ignore[arg-type,misc]


def pair(report: Report, one: int, two: int, statistic: str) -> Interval:
    (row,) = (
        row
        for row in report.table("pairs").rows
        if (str(row[0])[0], str(row[1])[0], row[2]) == (str(one), str(two), statistic)
    )
    value, low, high = (float(cell) / 100 for cell in row[3:])  # type: ignore[arg-type]
    return value, low, high


def holds(found: Interval | None, truth: float, room: float = 1e-9) -> bool:
    return found is not None and found[1] - room <= truth <= found[2] + room


def analyze(model: nn.Module, num_paths: int = 100, statistics: tuple[str, ...] = (), **settings: object) -> Report:
    context = AnalysisContext(num_paths=num_paths, **settings)  # type: ignore[arg-type]
    return Responsibility(statistics).analyze(model, context)


def test_planted_effects_and_their_interaction_are_found_within_their_intervals():
    truth = PlantedGenerator.red
    report = analyze(PlantedGenerator(), statistics=("red", "green"))
    assert report.provenance["scheme"] == "300 rows of Saltelli's scheme"  # 10 images each
    for what, expected in (("alone", truth.first), ("alone or with others", truth.total)):
        for found, share in zip(shares(report, "red", what), expected, strict=True):
            assert found is not None and holds(found, share) and found[2] - found[1] < 0.2
    joint = shares(report, "red", "only with others")
    assert holds(joint[0], truth.pair) and holds(joint[2], truth.pair) and holds(joint[1], 0) and holds(joint[3], 0)
    assert holds(pair(report, 1, 3, "red"), truth.pair) and pair(report, 1, 3, "red")[1] > 0.15
    for one, two in ((1, 2), (1, 4), (2, 3), (2, 4), (3, 4)):
        assert holds(pair(report, one, two, "red"), 0)
    for what in ("alone", "alone or with others"):
        assert shares(report, "green", what) == [(0, 0, 0), (1, 1, 1), (0, 0, 0), (0, 0, 0)]


def test_the_intervals_of_the_whole_analysis_hold_the_truth_about_as_often_as_they_say():
    truth, hits = PlantedGenerator.red, 0
    for seed in range(20):
        report = analyze(PlantedGenerator(), 40, ("red",), seed=seed)
        hits += sum(holds(a, b) for a, b in zip(shares(report, "red")[:3], truth.first, strict=False))
        hits += sum(
            holds(a, b) for a, b in zip(shares(report, "red", "alone or with others")[:3], truth.total, strict=False)
        )
        hits += holds(pair(report, 1, 3, "red"), truth.pair)
    assert 0.86 * 140 < hits < 140  # 95 % of 140 would be 133; those of one analysis stand and fall together


class FewPixels(PixelFeatures):
    """Every 17th pixel, so that the oracle ends."""

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, ::17]


@pytest.mark.parametrize("max_images", [320, 3000])
def test_position_shape_and_colour_have_the_shares_that_all_their_paths_give(max_images: int):
    model = SyntheticGenerator((7, 6, 8), image_shape=(3, 12, 12)).eval()
    context = AnalysisContext(extractor=FewPixels(), seed=1)
    report = Responsibility(max_images=max_images).analyze(model, context)
    is_exact = max_images > 7 * 6 * 8
    assert report.provenance["scheme"] == ("all paths" if is_exact else "40 rows of Saltelli's scheme")
    paths = torch.tensor(list(product(*(range(m) for m in model.paths.num_blocks))))
    with torch.no_grad():
        images = to_uint8(model.images(paths))
    held = []
    for statistic in available_statistics(model.image_shape, context):
        first, total, pairs = anova.indices(statistic.measure(images).view(7, 6, 8, -1).numpy())
        joint = [t - f for t, f in zip(total, first, strict=True)]
        compared = [(pair(report, i + 1, j + 1, statistic.title), truth) for (i, j), truth in pairs.items()]
        for what, truths in (("alone", first), ("alone or with others", total), ("only with others", joint)):
            compared += zip(shares(report, statistic.title, what), truths, strict=True)  # type: ignore[arg-type]
        for found, truth in compared:
            width = found[2] - found[1]
            assert (width == 0) if is_exact else holds(found, truth, width + 0.001), statistic.key  # six deviations
            held.append(holds(found, truth))
    assert len(held) == 8 * 12
    assert all(held) if is_exact else sum(held) > 0.85 * len(held)  # those of one analysis stand and fall together


def test_colours_are_decided_by_the_bucket_of_colour_alone():
    report = analyze(SyntheticGenerator((7, 6, 8), image_shape=(3, 12, 12)))
    for statistic in ("red", "green", "blue", "brightness", "saturation"):
        assert shares(report, statistic) == [(0, 0, 0), (0, 0, 0), pytest.approx((1, 1, 1))]


def test_outline_and_contrast_multiply_to_the_shares_of_a_product():
    model = SyntheticGenerator((8, 9), ("shape", "colour"), (1, 16, 16)).eval()
    report = Responsibility(("edges",)).analyze(model, AnalysisContext())
    with torch.no_grad():
        outlines = model.blocks["shape"]
        lengths = sum((outlines.diff(dim=axis) != 0).sum(dim=(1, 2)) for axis in (1, 2)).double().sqrt()
        levels = to_uint8(model.blocks["colour"])[:, 0].double()
        contrasts = (levels - float(to_uint8(torch.tensor(-0.9)))).abs()
    g, h = ((float(one.mean()) ** 2, float(one.var(correction=0))) for one in (lengths, contrasts))
    variance = g[1] * h[0] + g[0] * h[1] + g[1] * h[1]
    alone = [found[0] for found in shares(report, "edge energy") if found is not None]
    assert alone == pytest.approx([g[1] * h[0] / variance, g[0] * h[1] / variance], rel=1e-9)
    assert pair(report, 1, 2, "edge energy")[0] == pytest.approx(g[1] * h[1] / variance, rel=1e-9)


def test_a_classifiers_probabilities_are_one_vector_and_each_class_by_itself():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = Classifier((3, 8, 8), 3).eval().requires_grad_(False)
    classifier = classifier_features(network, "tiny")
    model = SyntheticGenerator((5, 4), ("shape", "colour"), (3, 8, 8)).eval()
    report = analyze(model, classifier=classifier)
    with torch.no_grad():
        images = to_uint8(model.images(torch.tensor(list(product(range(5), range(4)))))).float() / 127.5 - 1
    chances = classifier.scores(images).double().softmax(dim=1).view(5, 4, 3).numpy()
    assert [found[0] for found in shares(report, "class") if found] == pytest.approx(
        anova.indices(chances)[0], abs=1e-6
    )
    for index in range(3):
        found = [one[0] for one in shares(report, f"class {index}", table="parts") if one]
        assert found == pytest.approx(anova.indices(chances[..., index : index + 1])[0], abs=1e-6)  # scores are float32
    rows = {row[0]: row for row in report.table("statistics").rows}
    assert rows["class"][1] is None and rows["class 1"][1] == pytest.approx(chances[..., 1].mean())
    assert report.provenance["classifier"]["name"] == "tiny"  # type: ignore[index,call-overload]
    assert "Class probabilities were left out" not in " ".join(report.notes)


def test_without_a_classifier_classes_are_left_out_and_the_report_says_how_to_get_them():
    report = analyze(SyntheticGenerator((3, 3), ("shape", "colour"), (1, 8, 8)))
    assert "Class probabilities were left out: no classifier was named (`--classifier FILE`)." in report.notes
    assert "parts" not in [table.name for table in report.tables]


def test_naming_classes_without_a_classifier_is_refused():
    with pytest.raises(AnalysisError, match="Class probabilities need a classifier, and none was named"):
        analyze(SyntheticGenerator((3, 3), ("shape", "colour"), (1, 8, 8)), statistics=("class",))


def test_a_classifier_that_gives_no_numbers_is_refused():
    class Broken:
        name, image_shape, is_papers, provenance = "broken", (1, 8, 8), False, {}

        def scores(self, images: torch.Tensor) -> torch.Tensor:
            return torch.full((len(images), 2), torch.nan)

    with pytest.raises(AnalysisError, match=r"'class' is NaN or infinite on some images.*weight file may be damaged"):
        analyze(SyntheticGenerator((3, 3), ("shape", "colour"), (1, 8, 8)), classifier=Broken())


def test_too_few_images_are_refused_with_the_number_that_would_do():
    model = PlantedGenerator()
    with pytest.raises(AnalysisError, match=r"60 images make 6 rows .* 10 images each for 4 buckets.*`--paths 3`"):
        analyze(model, num_paths=2)
    assert analyze(model, num_paths=3, statistics=("red",)).provenance["images"] == 90


def test_a_standard_generator_is_refused():
    class Standard(nn.Module):
        codes = "z"

    with pytest.raises(
        AnalysisError, match=r"responsibility compares buckets, and Standard has none.*rpganify convert"
    ):
        analyze(Standard())


def test_a_bucket_of_one_block_has_no_index_and_costs_no_images():
    model = PlantedGenerator((6, 8, 10, 1))
    report = analyze(model, 10, ("red",))
    assert shares(report, "red")[3] is None and shares(report, "red")[0] is not None
    assert report.provenance["images"] == 296  # 37 rows of 8; with a fourth bucket it would be 30 of 10
    assert "Of one block only, so nothing varies and there is no index (–): bucket 4 (idle)." in report.notes
    assert report.per_bucket[3] == "Bucket 4 (idle) has one block, so there is nothing that it could decide."


def test_a_statistic_that_is_the_same_everywhere_has_no_index_and_the_report_says_so():
    report = analyze(PlantedGenerator(), 10, ("blue", "red"))
    assert shares(report, "blue") == [None] * 4 and shares(report, "red")[0] is not None
    assert "no variance to share and no index (–): blue." in " ".join(report.notes)
    nothing = analyze(PlantedGenerator(), 10, ("blue",))
    assert nothing.summary == "No statistic varies from path to path, so no bucket is responsible for anything."
    assert nothing.per_bucket[0] == "Bucket 1 (one) decides nothing, as no statistic varies."


def test_a_generators_own_noise_is_noticed():
    noisy = analyze(PlantedGenerator(noise=8.0), 20, ("red",))
    assert "Two images of the same path differ by up to" in " ".join(noisy.notes)
    assert "--freeze-noise" in " ".join(noisy.notes)
    idle = shares(noisy, "red", "alone or with others")[3]
    assert idle is not None and idle[1] > 0  # noise is in every total index, as the note says
    assert holds(shares(noisy, "red")[3], 0)
    assert "Two images of the same path" not in " ".join(analyze(PlantedGenerator(), 20, ("red",)).notes)


def test_sentences_name_what_a_bucket_decides_and_follow_from_the_numbers():
    report = analyze(PlantedGenerator(), statistics=("red", "green"))
    one, two, three, idle = report.per_bucket
    value, low, high = (round(100 * number) for number in shares(report, "red")[0] or ())
    assert one.startswith(
        f"Bucket 1 (one) alone decides {value} % [{low}, {high}] of the red, more of this than any other"
    )
    value, low, high = (round(100 * number) for number in pair(report, 1, 3, "red"))
    assert one.endswith(f"above all with bucket 3 ({value} % [{low}, {high}]).")
    assert two.startswith("Bucket 2 (two) alone decides 100 % [100, 100] of the green and")
    assert "more of the green than any other bucket" in two and "together" not in two
    assert "together with others, it decides" in three and "above all with bucket 1" in three
    assert (
        idle == "Bucket 4 (idle) alone decides no share that can be told from 0 (the largest is 0 % [0, 0] of the red)."
    )
    assert "bucket 1 (one) has most of the red" in report.summary and "(100 %)" in report.summary


def test_exact_shares_are_told_without_intervals():
    report = analyze(PlantedGenerator((2, 2, 2, 2)), statistics=("red", "green"))
    assert report.provenance["scheme"] == "all paths" and report.provenance["images"] == 16
    assert report.per_bucket[0] == (
        "Bucket 1 (one) alone decides 44 % of the red, more of this than any other bucket; "
        "together with others, it decides 31 % of the red, above all with bucket 3 (31 %)."
    )
    assert "Nothing is estimated" in report.definition and "Each interval by itself" not in " ".join(report.notes)


def test_equal_seeds_give_equal_numbers_and_other_seeds_others_whatever_the_batch_size():
    model = PlantedGenerator()
    one, again, other = (analyze(model, 10, seed=seed).tables for seed in (1, 1, 2))
    assert one == again and one != other
    small = analyze(model, 10, seed=1, batch_pixels=16 * 7)
    for what in ("alone", "alone or with others", "only with others"):
        for statistic in ("brightness", "contrast", "edge energy", "red"):
            expected = shares(analyze(model, 10, seed=1), statistic, what)
            assert np.array(shares(small, statistic, what), float) == pytest.approx(
                np.array(expected, float), nan_ok=True
            )


def test_progress_counts_the_images_up_to_the_last():
    seen: list[tuple[str, int, int]] = []
    analyze(PlantedGenerator(), 4, ("red",), progress=lambda *step: seen.append(step))
    assert seen == [("responsibility", 60, 120), ("responsibility", 120, 120)]


@pytest.mark.parametrize("num_paths", [1, 100])
def test_the_number_of_images_told_in_advance_is_the_number_that_is_made(num_paths: int):
    class Counting(PlantedGenerator):
        made = 0

        def images(self, codes: torch.Tensor) -> torch.Tensor:
            self.made += len(codes)
            return super().images(codes)

    model = Counting((2, 2, 4, 1) if num_paths == 1 else (6, 8, 10, 7))
    context = AnalysisContext(num_paths=num_paths)
    expected = Responsibility().num_images(model, context)
    Responsibility().analyze(model, context)
    assert model.made == expected


def test_it_keeps_the_laws_of_an_analyzer():
    check_analyzer(Responsibility())


@pytest.mark.parametrize(
    ("num_blocks", "factors"),
    [((3,), ("colour",)), ((1, 1), ("position", "shape")), ((1, 30, 40), ("position", "shape", "colour"))],
)
def test_every_case_is_drawn_and_written(num_blocks: tuple[int, ...], factors: tuple[str, ...], tmp_path: Path):
    model = SyntheticGenerator(num_blocks, factors, (3, 8, 8))
    report = analyze(model, num_paths=10, extractor=PixelFeatures())
    write_reports([report], tmp_path, title="m")
    written = json.loads((tmp_path / "responsibility.json").read_text())
    assert len(written["per_bucket"]) == len(num_blocks)
    assert np.sum([path.suffix == ".png" for path in tmp_path.iterdir()]) >= len(report.figures)
    assert len(report.figures) == (2 if sum(m > 1 for m in num_blocks) > 1 else 1)


def test_large_images_are_sampled_where_all_of_them_would_not_fit_in_memory():
    class Large(PlantedGenerator):
        image_shape = (3, 1200, 1200)

    context = AnalysisContext()
    small, large = (Responsibility().num_images(kind((2, 2, 2, 2)), context) for kind in (PlantedGenerator, Large))
    assert small == 16 + 16 and large == 3000 + 16
