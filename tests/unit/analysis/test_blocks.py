import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.block_effects import BucketEffects, measure_blocks
from rpganify.analysis.block_verdicts import BlocksOfBucket, judge
from rpganify.analysis.block_weights import BucketWeights, compare_weights
from rpganify.analysis.blocks import Blocks
from rpganify.analysis.blocks_alike import similarity_order
from rpganify.analysis.blocks_report import rank_correlation
from rpganify.analysis.blocks_strip import draw_strip, signed
from rpganify.analysis.blocks_words import bucket_sentence
from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.classifier import Classifier
from rpganify.analysis.classifier_features import classifier_features
from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.generation import ImageMaker, evaluating, to_uint8
from rpganify.analysis.statistics import available_statistics
from rpganify.errors import AnalysisError
from rpganify.paths import PathSpace
from rpganify.plan import BucketSpec, Plan
from rpganify.report.report import Cell, Figure, Report
from rpganify.report.writing import figure_to_png, write_reports
from rpganify.testing.analyzer import check_analyzer
from rpganify.testing.examples import small_model
from tests.unit.analysis.planted import PlantedGenerator
from tests.unit.analysis.synthetic import SyntheticGenerator


class LevelsGenerator(nn.Module):
    """Pictures whose grey level is 128 plus what each bucket's block adds; a stripe on the left is always black.

    Block 0 of bucket 1 is dead: with it, the picture is flat grey of level 100, whatever the other buckets do. In bucket 2,
    blocks 1 and 3 add nearly the same. Bucket 3 adds a slope as well. All levels are whole, so that nothing is rounded.
    """

    codes = "paths"
    conditions = ()
    image_shape = (1, 6, 10)
    levels = ((0, -40, 0, 30, 15), (-30, 12, 20, 13), (-20, 6, 20))

    def __init__(self) -> None:
        super().__init__()
        self.plan = Plan(
            tuple(
                BucketSpec(name, (f"layer_{name}",), len(of_bucket))
                for name, of_bucket in zip(("one", "two", "three"), self.levels, strict=True)
            )
        )
        self.scale = nn.Parameter(torch.ones(()))

    @property
    def paths(self) -> PathSpace:
        return self.plan.paths

    def images(self, codes: Tensor) -> Tensor:
        made = []
        for one, two, three in codes.tolist():
            level = 128 + self.levels[0][one] + self.levels[1][two] + self.levels[2][three]
            image = torch.full(self.image_shape, float(level)) + (three - 1) * torch.arange(10.0)
            image[:, :, :2] = 0
            made.append(image if one else torch.full(self.image_shape, 100.0))
        return self.scale * (torch.stack(made) / 127.5 - 1)


def measure(
    model: LevelsGenerator, bucket: int, contexts: Tensor, keys: tuple[str, ...] = ("brightness",)
) -> BucketEffects:
    context = AnalysisContext(batch_pixels=60 * 7)
    with evaluating(model, 0):
        maker = ImageMaker(model, context)
        statistics = available_statistics(model.image_shape, context, keys)
        return measure_blocks(model, maker, context, statistics, bucket, contexts, 3, lambda done: None)


def raw_images(model: LevelsGenerator, contexts: Tensor, bucket: int) -> np.ndarray:
    """`(P, m, values)`, one path at a time."""
    found = []
    for path in contexts.tolist():
        of_context = []
        for block in range(model.paths.num_blocks[bucket]):
            path[bucket] = block
            with torch.no_grad():
                of_context.append(to_uint8(model.images(torch.tensor([path])))[0].flatten().double().numpy())
        found.append(of_context)
    return np.array(found)


@pytest.mark.parametrize("bucket", [0, 1, 2])
def test_effects_distances_and_spreads_equal_a_loop_over_settings_and_blocks(bucket: int):
    model = LevelsGenerator()
    contexts = model.paths.sample(5, generator=torch.Generator().manual_seed(1))
    found = measure(model, bucket, contexts)
    images = raw_images(model, contexts, bucket)
    count, m, _ = images.shape
    brightness = images.mean(axis=2)
    expected = (brightness - brightness.mean(axis=1, keepdims=True)).mean(axis=0)
    (effects,) = found.effects
    assert [effect.value for effect in effects.blocks] == pytest.approx(expected.tolist(), abs=1e-9)
    assert effects.std == pytest.approx(brightness.std()) and effects.unit == "grey levels"
    for one in range(m):
        for other in range(m):
            squares = [np.mean((images[p, one] - images[p, other]) ** 2) for p in range(count)]
            assert float(found.distances[one, other]) == pytest.approx(math.sqrt(np.mean(squares)), abs=1e-9)
        apart = [np.mean((images[p, one] - images[q, one]) ** 2) for p in range(count) for q in range(count) if p != q]
        assert float(found.spreads[one]) == pytest.approx(math.sqrt(np.mean(apart)), abs=1e-6)
    assert torch.equal(found.strip.flatten(2).double(), torch.tensor(images[:3]).transpose(0, 1))


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


def effects_of(distances: list[list[float]], spreads: list[float]) -> BucketEffects:
    m = len(spreads)
    still = Estimate(0.0, 0.0, 0.0)
    from rpganify.analysis.block_effects import Effects

    return BucketEffects(
        bucket=0,
        contexts=torch.zeros(8, 2, dtype=torch.int64),
        effects=(Effects("brightness", "grey levels", 1.0, (still,) * m),),
        distances=torch.tensor(distances, dtype=torch.float64),
        spreads=torch.tensor(spreads, dtype=torch.float64),
        strip=torch.zeros(m, 2, 1, 4, 4, dtype=torch.uint8),
    )


def apart(pairs: dict[tuple[int, int], float], m: int, usual: float = 50.0) -> list[list[float]]:
    return [[0.0 if i == j else pairs.get((min(i, j), max(i, j)), usual) for j in range(m)] for i in range(m)]


def test_blocks_a_fifth_as_far_apart_as_usual_are_the_same_and_chains_of_them_make_one_group():
    pairs = {(0, 2): 10.0, (2, 3): 9.0, (1, 5): 10.01}
    verdicts = judge(effects_of(apart(pairs, 7), [30.0] * 7), None, noise=0.0)
    assert verdicts.median_distance == 50 and verdicts.duplicate_limit == pytest.approx(10)
    assert verdicts.duplicates == ((0, 2, 3),) and verdicts.dead == ()
    two = judge(effects_of(apart({(0, 1): 1.0, (4, 6): 2.0, (1, 6): 50.0}, 7), [30.0] * 7), None, 0.0)
    assert two.duplicates == ((0, 1), (4, 6))


def test_blocks_no_farther_apart_than_the_same_path_twice_are_the_same():
    verdicts = judge(effects_of(apart({(0, 1): 14.9, (2, 3): 15.1}, 5, 40.0), [90.0] * 5), None, noise=12.0)
    assert verdicts.duplicate_limit == pytest.approx(15) and verdicts.duplicates == ((0, 1),)


def test_blocks_that_are_all_alike_are_one_group_of_duplicates_not_none():
    found = effects_of(apart({}, 4, 0.0), [30.0] * 4)
    verdicts = judge(found, None, noise=0.0)
    assert verdicts.duplicates == ((0, 1, 2, 3),)
    sentence = bucket_sentence(BlocksOfBucket(found, None, verdicts), "l1")
    assert sentence == "Bucket 1 (l1), of 4 blocks: all of them make the same images."


def test_a_block_whose_image_stays_whatever_the_others_do_is_dead_unless_all_of_them_stay():
    verdicts = judge(effects_of(apart({}, 5), [30.0, 3.0, 31.0, 30.0, 3.1]), None, 0.0)
    assert verdicts.constant == (1,) == verdicts.dead and verdicts.constant_limit == pytest.approx(3)
    decisive = judge(effects_of(apart({}, 5), [0.0] * 5), None, 0.0)  # no other bucket does anything
    assert decisive.constant == () and decisive.constant_limit is None
    noisy = judge(effects_of(apart({}, 5), [2.4, 2.6, 30.0, 30.0, 30.0]), None, 2.0)
    assert noisy.constant == (0, 1)  # a tenth is 3; and 1.25 times the noise, 2.5, is less


def test_a_block_with_weights_a_tenth_as_large_as_usual_is_dead():
    weights = BucketWeights(torch.ones(4, 4), torch.tensor([1.0, 0.1, 0.11, 1.2]))
    verdicts = judge(effects_of(apart({}, 4), [30.0, 30.0, 30.0, 3.0]), weights, 0.0)
    # The median is that of torch, the lower of the two in the middle: 0.11.
    assert verdicts.silent == () and verdicts.dead == (3,)
    weights = BucketWeights(torch.ones(4, 4), torch.tensor([1.0, 0.1, 1.1, 1.2]))
    assert judge(effects_of(apart({}, 4), [30.0] * 4), weights, 0.0).silent == (1,)


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


def test_weight_distances_equal_a_loop_over_parameters_and_pairs():
    model = small_model()
    with torch.no_grad():
        model.bucket_parameters(0)["project.bias"].fill_(0.5)  # the same in all blocks: tells none from another
    found = compare_weights(model, 0)
    assert found is not None
    parameters = [one.detach().double() for name, one in model.bucket_parameters(0).items() if name != "project.bias"]
    scaled = torch.cat([(one / one.std(correction=0)).flatten(1) for one in parameters], dim=1)
    for i in range(3):
        assert float(found.sizes[i]) == pytest.approx(float(scaled[i].square().mean().sqrt()))
        for j in range(3):
            expected = math.sqrt(float((scaled[i] - scaled[j]).square().mean()))
            assert float(found.distances[i, j]) == pytest.approx(expected, abs=1e-12)


def test_independent_random_weights_are_root_two_apart_in_as_many_chunks_as_it_takes():
    class Wide(nn.Module):
        def bucket_parameters(self, bucket: int) -> dict[str, nn.Parameter]:
            draws = torch.randn(3, 200, 700, generator=torch.Generator().manual_seed(bucket))
            return {"weight": nn.Parameter(0.02 * draws), "bias": nn.Parameter(torch.zeros(3, 5))}

    found = compare_weights(Wide(), 0)
    assert found is not None
    off_diagonal = found.distances[~torch.eye(3, dtype=torch.bool)]
    assert off_diagonal.tolist() == pytest.approx([math.sqrt(2)] * 6, rel=0.01)
    assert found.sizes.tolist() == pytest.approx([1, 1, 1], rel=0.01)


def test_weights_that_are_not_told_or_all_equal_are_left_out_and_the_report_says_so():
    assert compare_weights(LevelsGenerator(), 0) is None
    report = Blocks().analyze(LevelsGenerator(), AnalysisContext())
    assert "Weights were not compared, as the model tells none that differ: bucket 1, 2, 3." in report.notes
    assert all(row[-1] is None for row in report.table("pairs").rows)


def test_a_copied_block_is_at_distance_0_in_weights_and_in_images():
    model = small_model()
    with torch.no_grad():
        for parameter in model.bucket_parameters(0).values():
            parameter[2] = parameter[0]
    report = Blocks().analyze(model, AnalysisContext())
    (pair,) = (row for row in report.table("pairs").rows if row[:3] == (1, 0, 2))
    assert pair[3:] == (0, 0)
    assert report.table("buckets").rows[0][4] == "0 = 2"


def test_blocks_with_like_images_stand_side_by_side():
    values = torch.tensor([0.0, 10.0, 1.0, 11.0, 2.0])
    order = similarity_order((values[:, None] - values[None]).abs())
    places = [order.index(block) for block in (0, 2, 4)]
    assert sorted(order) == list(range(5)) and max(places) - min(places) == 2
    assert similarity_order(torch.zeros(2, 2)) == [0, 1]


def test_the_rank_correlation_of_images_and_weights_is_over_pairs():
    found = effects_of(apart({(0, 1): 10.0, (0, 2): 30.0, (1, 2): 20.0}, 3), [9.0] * 3)
    verdicts = judge(found, None, 0.0)
    weights = torch.tensor(apart({(0, 1): 0.1, (0, 2): 0.9, (1, 2): 0.2}, 3))
    assert rank_correlation(BlocksOfBucket(found, BucketWeights(weights, torch.ones(3)), verdicts)) == pytest.approx(1)
    assert rank_correlation(BlocksOfBucket(found, BucketWeights(-weights, torch.ones(3)), verdicts)) == pytest.approx(
        -1
    )
    assert rank_correlation(BlocksOfBucket(found, BucketWeights(torch.ones(3, 3), torch.ones(3)), verdicts)) is None
    assert rank_correlation(BlocksOfBucket(found, None, verdicts)) is None


def test_the_strip_holds_every_image_enlarged_pixel_for_pixel():
    model = LevelsGenerator()
    contexts = model.paths.sample(4, generator=torch.Generator().manual_seed(0))
    effects = measure(model, 1, contexts)
    drawing = draw_strip(BlocksOfBucket(effects, None, judge(effects, None, 0.0)), "two", ())
    with Image.open(io.BytesIO(figure_to_png(Figure("s", "s", drawing)))) as image:
        page = np.asarray(image.convert("L"))
    for block in range(4):
        for column in range(3):
            tile = effects.strip[block, column, 0].numpy().repeat(10, 0).repeat(10, 1)  # 96 pixels of 10: tenfold
            top, left = 36 + 150 + block * 76 + (76 - 60) // 2, 236 + column * 108
            assert np.array_equal(page[top : top + 60, left : left + 100], tile), (block, column)


@pytest.mark.parametrize(
    ("value", "scale", "told"), [(12.4, 20, "+12"), (-0.44, 5, "−0.4"), (0.034, 0.5, "+0.03"), (-0.001, 1, "0")]
)
def test_an_effect_has_its_sign_and_as_many_decimals_as_its_scale_asks_for(value: float, scale: float, told: str):
    assert signed(value, scale) == told


def test_the_class_that_a_block_raises_most_is_told():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = Classifier((1, 8, 8), 3).eval().requires_grad_(False)
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
