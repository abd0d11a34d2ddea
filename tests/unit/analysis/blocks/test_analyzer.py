import json
import math
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.blocks.analyzer import Blocks
from rpganify.analysis.blocks.weights import compare_weights
from rpganify.analysis.classifier import Classifier
from rpganify.analysis.classifier_features import classifier_features
from rpganify.analysis.features import PixelFeatures
from rpganify.errors import AnalysisError
from rpganify.report.report import Cell, Report
from rpganify.report.writing import write_reports
from rpganify.testing.analyzer import check_analyzer
from tests.unit.analysis.levels import LevelsGenerator
from tests.unit.analysis.planted import PlantedGenerator
from tests.unit.analysis.synthetic import SyntheticGenerator


def test_planted_effects_are_within_their_intervals_and_the_interval_is_the_bootstraps():
    model = PlantedGenerator((4, 4, 6, 3))
    report = Blocks(num_contexts=60).analyze(model, AnalysisContext())
    rows = {(row[0], row[1], row[2]): row for row in report.table("effects").rows}
    for block in range(4):
        sign = 1 - 2 * (block % 2)
        red, green = rows[1, block, "red"], rows[1, block, "green"]
        low, high = red[5], red[6]
        assert isinstance(low, float) and isinstance(high, float)
        assert low <= 30 * sign <= high and high - low < 16  # it moves with bucket 3, by 25 either way
        assert green[4:7] == (0, 0, 0)
        assert rows[2, block, "green"][4:7] == (40 * sign, 40 * sign, 40 * sign)
        assert rows[2, block, "red"][4:7] == pytest.approx((20 * sign,) * 3)  # whatever the others do


def test_the_dead_block_and_the_duplicates_that_were_planted_are_found_and_told():
    report = Blocks().analyze(LevelsGenerator(), AnalysisContext())
    rows = {
        row[0]: dict(zip([c.name for c in report.table("buckets").columns], row, strict=True))
        for row in report.table("buckets").rows
    }
    assert [rows[bucket]["dead"] for bucket in (1, 2, 3)] == ["0", "none", "none"]
    assert [rows[bucket]["the same"] for bucket in (1, 2, 3)] == ["none", "1 = 3", "none"]
    one, two, three = report.per_bucket
    assert one.startswith("Bucket 1 (one), of 5 blocks: block 0 is dead, none is there twice (")
    assert two.startswith("Bucket 2 (two), of 4 blocks: none is dead, blocks 1 and 3 make nearly the same images, and ")
    assert "block 0 moves the brightness most, by −" in two and two.endswith("] grey levels.")
    assert "(1 and 2 are most alike" in three
    assert report.summary.startswith("Of 12 blocks 1 is dead, and 1 makes nearly the same images as another.")
    assert "differ most in bucket 1 (one)" in report.summary


def test_weights_that_are_not_told_or_all_equal_are_left_out_and_the_report_says_so():
    assert compare_weights(LevelsGenerator(), 0) is None
    report = Blocks().analyze(LevelsGenerator(), AnalysisContext())
    assert "Weights were not compared, as the model tells none that differ: bucket 1, 2, 3." in report.notes
    assert all(row[-1] is None for row in report.table("pairs").rows)


def test_the_class_that_a_block_raises_most_is_told():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = Classifier((1, 8, 8), 3, body="strided").eval().requires_grad_(False)
        network.head.weight.mul_(1000)  # sure of itself
    classifier = classifier_features(network, "tiny")
    model = SyntheticGenerator((4, 3), ("shape", "colour"), (1, 8, 8))
    report = Blocks().analyze(model, AnalysisContext(classifier=classifier))
    raised = [
        row for row in report.table("effects").rows if str(row[2]).startswith("class ") and row[4] >= 0.1 and row[5] > 0
    ]  # type: ignore[operator]
    for bucket, sentence in enumerate(report.per_bucket):
        of_bucket = [row for row in raised if row[0] == bucket + 1]
        if of_bucket:
            most = max(of_bucket, key=lambda row: row[4])  # type: ignore[arg-type,return-value]
            assert f"block {most[1]} raises {most[2]} most, by +" in sentence
        else:
            assert "raises" not in sentence
    assert raised and "pixels" not in {row[2] for row in report.table("effects").rows}
    assert report.provenance["classifier"]["name"] == "tiny"  # type: ignore[index,call-overload]


def contexts_told(model: nn.Module, **settings: object) -> Cell:
    context = AnalysisContext(**settings)  # type: ignore[arg-type]
    return Blocks().analyze(model, context).provenance["settings of the other buckets"]  # type: ignore[return-value]


def test_the_number_of_settings_is_bounded_by_the_number_of_blocks():
    assert contexts_told(LevelsGenerator(), num_paths=20) == 20
    assert contexts_told(LevelsGenerator(), num_paths=2) == 8  # no fewer, or intervals mean nothing
    assert Blocks().num_images(SyntheticGenerator((40, 40, 40)), AnalysisContext()) == 25 * 122
    assert contexts_told(SyntheticGenerator((5,), ("colour",), (1, 4, 4))) == 2  # no other bucket, so no other setting


def test_the_number_of_images_told_in_advance_is_the_number_that_is_made():
    class Counting(SyntheticGenerator):
        made = 0

        def images(self, codes: Tensor) -> Tensor:
            self.made += len(codes)
            return super().images(codes)

    model, context = Counting((4, 3, 1), image_shape=(1, 8, 8)), AnalysisContext(num_paths=9)
    seen: list[tuple[str, int, int]] = []
    Blocks().analyze(model, AnalysisContext(num_paths=9, progress=lambda *step: seen.append(step)))
    assert model.made == Blocks().num_images(model, context) == 9 * 9
    assert seen[-1] == ("blocks", 81, 81) and [step[1] for step in seen] == sorted(step[1] for step in seen)


def test_images_in_another_memory_order_are_measured_as_well():
    class ChannelsLast(SyntheticGenerator):
        def images(self, codes: Tensor) -> Tensor:
            return super().images(codes).contiguous(memory_format=torch.channels_last)

    plain, other = (kind((5, 4), ("shape", "colour"), (3, 8, 8)) for kind in (SyntheticGenerator, ChannelsLast))
    one, two = (Blocks(num_contexts=3).analyze(model, AnalysisContext()).table("pairs") for model in (plain, other))
    assert one == two


def test_a_generators_own_noise_raises_the_limit_and_is_told():
    report = Blocks().analyze(PlantedGenerator((4, 4, 4, 4), noise=6.0), AnalysisContext())
    told = " ".join(report.definition.split())
    found = re.search(r"1.25 times what two images of the same path differ by, here (\S+) grey levels", told)
    assert found is not None and float(found[1]) == pytest.approx(6 * math.sqrt(2), rel=0.2)  # of 100 paths, 7 %
    assert report.table("buckets").rows[3][4] == "0 = 1 = 2 = 3"  # the idle bucket's blocks differ by noise alone


def test_equal_seeds_give_equal_reports_whatever_the_batch_size():
    model = SyntheticGenerator((4, 5), ("shape", "colour"), (3, 8, 8))
    blocks = Blocks(num_contexts=5)
    one, again = (blocks.analyze(model, AnalysisContext(seed=2)).tables for _ in range(2))
    assert one == again != blocks.analyze(model, AnalysisContext(seed=3)).tables
    small = blocks.analyze(model, AnalysisContext(seed=2, batch_pixels=64 * 6)).table("pairs")
    for row, other in zip(one[3].rows, small.rows, strict=True):
        assert row == pytest.approx(other)


def test_models_without_buckets_or_blocks_and_a_single_setting_are_refused():
    class Standard(nn.Module):
        codes = "z"

    with pytest.raises(AnalysisError, match=r"blocks compares buckets, and Standard has none.*rpganify convert"):
        Blocks().analyze(Standard(), AnalysisContext())
    with pytest.raises(AnalysisError, match=r"Every bucket of this model has one block.*--blocks 10"):
        Blocks().analyze(SyntheticGenerator((1, 1), ("shape", "colour")), AnalysisContext())
    with pytest.raises(AnalysisError, match="at least 2 settings of the other buckets, got 1"):
        Blocks(num_contexts=1)


def test_it_keeps_the_laws_of_an_analyzer():
    check_analyzer(Blocks())


@pytest.mark.parametrize(
    ("num_blocks", "factors", "shape"),
    [
        ((2,), ("colour",), (3, 8, 8)),
        ((70, 1, 2), ("position", "shape", "colour"), (1, 8, 8)),
        ((3, 20), ("shape", "colour"), (3, 160, 120)),
    ],
)
def test_every_case_is_drawn_and_written(
    num_blocks: tuple[int, ...], factors: tuple[str, ...], shape: tuple[int, ...], tmp_path: Path
):
    model = SyntheticGenerator(num_blocks, factors, shape)
    report: Report = Blocks(num_contexts=2).analyze(model, AnalysisContext(extractor=PixelFeatures()))
    write_reports([report], tmp_path, title="m")
    written = json.loads((tmp_path / "blocks.json").read_text())
    assert len(written["per_bucket"]) == len(num_blocks)
    expected = [f"strip-{i + 1}" for i, m in enumerate(num_blocks) if m > 1]
    expected += [f"alike-{i + 1}" for i, m in enumerate(num_blocks) if m > 2]
    assert sorted(figure.name for figure in report.figures) == sorted(expected)
    assert ("the first 64 blocks" in report.figures[0].caption) is (num_blocks[0] > 64)
