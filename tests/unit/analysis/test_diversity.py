import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.bucket_distances import draw_blocks, draw_free_paths
from rpganify.analysis.distances import ColourDistance
from rpganify.analysis.diversity import Diversity
from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.generation import to_uint8
from rpganify.analysis.ssim import SsimDistance
from rpganify.errors import AnalysisError
from rpganify.report.report import Cell, Report
from rpganify.report.writing import write_reports
from tests.unit.analysis.synthetic import SyntheticGenerator

COLOUR_FIRST = ("colour", "position", "shape")


def column(report: Report, heading: str, table: str = "buckets") -> list[Cell]:
    """Of the buckets, without the two bounds."""
    found = report.table(table)
    index = [c.name for c in found.columns].index(heading)
    return [row[index] for row in found.rows if row[0] is not None]


def distances_of(report: Report, key: str = "colour") -> list[Cell]:
    return column(report, f"{key} distance", "distances")


def bound(report: Report, name: str, heading: str, table: str = "distances") -> Cell:
    found = report.table(table)
    (row,) = (row for row in found.rows if row[1] == name)
    return row[[c.name for c in found.columns].index(heading)]


def analyze(model: SyntheticGenerator, num_paths: int = 20, **settings: object) -> Report:
    context = AnalysisContext(num_paths=num_paths, extractor=PixelFeatures(), **settings)  # type: ignore[arg-type]
    return Diversity().analyze(model, context)


def hellinger_of(one: np.ndarray, other: np.ndarray) -> float:
    total = 0.0
    for channel in range(len(one)):
        p, _ = np.histogram(one[channel], bins=25, range=(0, 255))
        q, _ = np.histogram(other[channel], bins=25, range=(0, 255))
        p, q = p / one[channel].size, q / other[channel].size
        total += math.sqrt(sum((math.sqrt(a) - math.sqrt(b)) ** 2 for a, b in zip(p, q, strict=True))) / math.sqrt(2)
    return total / len(one)


def euclid_of(one: np.ndarray, other: np.ndarray) -> float:
    return math.sqrt(float((((one.astype(float) - other.astype(float)) / 127.5) ** 2).sum()))


@pytest.mark.parametrize("image_shape", [(1, 9, 12), (3, 10, 10)])
def test_the_ratios_equal_a_loop_over_paths_buckets_and_pairs(image_shape: tuple[int, ...]):
    num_paths, num_images = 7, 4
    model = SyntheticGenerator((6, 5, 4, 7), ("colour", "position", "shape", "ground"), image_shape).eval()
    report = analyze(model, num_paths, seed=3, batch_pixels=700)

    chance = torch.Generator().manual_seed(3)
    paths = model.paths.sample(num_paths, generator=chance)
    blocks = [draw_blocks(m, num_paths, num_images, chance).tolist() for m in model.paths.num_blocks]
    for heading, distance in (("D colour", hellinger_of), ("D semantic", euclid_of)):
        ratios: list[list[float]] = [[] for _ in blocks]
        for index, path in enumerate(paths.tolist()):
            sums = []
            for bucket in range(len(blocks)):
                images = []
                for block in blocks[bucket][index]:
                    one = list(path)
                    one[bucket] = block
                    image = model.images(torch.tensor([one]))[0].detach().numpy()
                    images.append(np.clip(np.round((image + 1) * 127.5), 0, 255).astype(np.uint8))
                sums.append(sum(distance(a, b) for i, a in enumerate(images) for j, b in enumerate(images) if i != j))
            for bucket, value in enumerate(sums):
                ratios[bucket].append(value / sums[0])
        means = [sum(of_bucket) / num_paths for of_bucket in ratios]
        assert column(report, heading) == pytest.approx(means, rel=1e-5, abs=1e-9)  # features are float32
        assert column(report, f"{heading} std") == pytest.approx(np.std(ratios, axis=1, ddof=1), rel=1e-4, abs=1e-6)


def test_all_buckets_varied_equals_a_loop_over_pairs_of_paths_that_differ_in_every_bucket():
    num_paths, num_images = 5, 4
    model = SyntheticGenerator((6, 5), ("colour", "position"), (1, 9, 12)).eval()
    report = analyze(model, num_paths, seed=4, batch_pixels=108 * 30)
    chance = torch.Generator().manual_seed(4)
    model.paths.sample(num_paths, generator=chance)
    for m in model.paths.num_blocks:
        draw_blocks(m, num_paths, num_images, chance)
    with torch.no_grad():
        free = draw_free_paths(model.paths.num_blocks, num_paths, num_images, chance)
        assert all(len(set(blocks)) == num_images for group in free.mT.tolist() for blocks in group)
        images = to_uint8(model.images(free.flatten(0, 1)))
    groups = images.view(num_paths, num_images, 1, 9, 12).numpy()
    for key, distance in (("colour", hellinger_of), ("semantic", euclid_of)):
        means = [np.mean([distance(a, b) for i, a in enumerate(g) for j, b in enumerate(g) if i != j]) for g in groups]
        assert bound(report, "all buckets varied", f"{key} distance") == pytest.approx(np.mean(means), rel=1e-5)
        assert bound(report, "all buckets varied", f"{key} distance std") == pytest.approx(
            np.std(means, ddof=1), rel=1e-4
        )


def test_the_same_path_twice_is_at_distance_0_and_a_generators_own_noise_shows_there():
    class Noisy(SyntheticGenerator):
        def images(self, codes: torch.Tensor) -> torch.Tensor:
            images = super().images(codes)
            return images + 0.2 * torch.randn(len(images), 1, 1, 1)

    for model, is_noisy in (
        (SyntheticGenerator((6, 6, 6), COLOUR_FIRST), False),
        (Noisy((6, 6, 6), COLOUR_FIRST), True),
    ):
        report = analyze(model)
        for key in ("colour", "semantic"):
            same = bound(report, "same path twice", f"{key} distance")
            assert isinstance(same, float) and (same > 0) is is_noisy
            assert isinstance(bound(report, "same path twice", f"D {key}", "buckets"), float)
        told = "Two images of the same path differ, in Colour (Hellinger), Semantics (pixels)"
        assert (told in " ".join(report.notes)) is is_noisy


def test_what_one_bucket_alone_decides_is_as_far_apart_as_with_all_buckets_varied():
    report = analyze(SyntheticGenerator((9, 6, 6), COLOUR_FIRST), num_paths=300)
    whole = bound(report, "all buckets varied", "colour distance")
    assert distances_of(report)[0] == pytest.approx(whole, rel=0.05)
    pixels = bound(report, "all buckets varied", "semantic distance")
    assert all(one < pixels for one in distances_of(report, "semantic"))  # type: ignore[operator]


def test_free_paths_of_a_bucket_with_few_blocks_take_all_of_them_and_repeat_some():
    free = draw_free_paths((2, 7, 1), 50, 4, torch.Generator().manual_seed(0))
    assert free.shape == (50, 4, 3) and torch.all(free[..., 2] == 0)
    assert all(set(group) == {0, 1} for group in free[..., 0].tolist())
    assert all(len(set(group)) == 4 for group in free[..., 1].tolist())


def test_intervals_hold_the_mean_of_many_more_paths_and_narrow_as_paths_are_added():
    model = SyntheticGenerator((8, 8), ("ground", "colour"), (1, 6, 6))
    many = Diversity().analyze(model, AnalysisContext(num_paths=600, seed=99))
    truth = [column(many, "D colour")[1], distances_of(many)[0], distances_of(many)[1]]
    held, widths = 0, {}
    for seed in range(10):
        for num_paths in (25, 100):
            report = Diversity().analyze(model, AnalysisContext(num_paths=num_paths, seed=seed))
            for at, (heading, table, bucket) in enumerate(
                (("D colour", "buckets", 1), ("colour distance", "distances", 0), ("colour distance", "distances", 1))
            ):
                low, high = (column(report, f"{heading}, {end}", table)[bucket] for end in ("from", "to"))
                assert isinstance(low, float) and isinstance(high, float)
                held += low <= truth[at] <= high  # type: ignore[operator]
                widths.setdefault(num_paths, []).append(high - low)
    assert held > 0.88 * 60  # of 95 %: the intervals of one analysis stand and fall together
    assert np.mean(widths[25]) == pytest.approx(2 * np.mean(widths[100]), rel=0.2)


def test_each_channel_is_told_relative_and_absolute():
    report = analyze(SyntheticGenerator((6, 6, 6), COLOUR_FIRST))
    for channel in ("red", "green", "blue"):
        relative, plain = column(report, f"D {channel}", "channels"), column(report, f"{channel} distance", "channels")
        assert relative == [1.0, 0.0, 0.0] and plain[1:] == [0.0, 0.0] and isinstance(plain[0], float)
    mean = np.mean([column(report, f"{channel} distance", "channels")[0] for channel in ("red", "green", "blue")])
    assert distances_of(report)[0] == pytest.approx(mean)  # the number for colour is the mean of its channels


def test_a_sentence_per_bucket_says_how_far_it_moves_images_of_what_all_do():
    report = analyze(SyntheticGenerator((6, 6, 6), COLOUR_FIRST))
    colour, position, _ = report.per_bucket
    whole, mean = bound(report, "all buckets varied", "colour distance"), distances_of(report)[0]
    share = f"{100 * mean / whole:.0f} % ["  # type: ignore[operator]
    assert colour.startswith(f"Changing bucket 1 (colour) changes the images {share}")
    assert "] as much as changing all buckets in Colour (Hellinger) and " in colour
    assert colour.endswith("] in Semantics (pixels).")
    nothing = "Changing bucket 2 (position) changes the images 0 % [0, 0] as much as changing all buckets in Colour"
    assert position.startswith(nothing)
    still = SyntheticGenerator((3, 3), ("ground", "colour"), (1, 8, 8))
    with torch.no_grad():
        for block in still.blocks.values():
            block.fill_(0.5)
    assert analyze(still).per_bucket[0] == (
        "Neither changing bucket 1 (ground) nor changing all buckets changes the images."
    )


def test_the_number_of_images_told_in_advance_is_the_number_that_is_made():
    class Counting(SyntheticGenerator):
        made = 0

        def images(self, codes: torch.Tensor) -> torch.Tensor:
            self.made += len(codes)
            return super().images(codes)

    model, context = Counting((6, 3, 1), COLOUR_FIRST), AnalysisContext(num_paths=7)
    Diversity().analyze(model, context)
    assert model.made == Diversity().num_images(model, context) == 7 * (4 + 3 + 4 + 2)


def test_structure_is_measured_beside_colour_and_defined():
    model = SyntheticGenerator((6, 6, 6), COLOUR_FIRST)
    report = Diversity().analyze(model, AnalysisContext(num_paths=20, distances=(ColourDistance(3), SsimDistance(3))))
    assert column(report, "D colour")[1:] == [0.0, 0.0]
    structure = column(report, "ssim distance", "distances")
    assert all(isinstance(one, float) and one > 0.05 for one in structure)
    assert "1 − SSIM (Wang et al. 2004" in report.definition and "Not the paper's." in report.definition


def test_blocks_drawn_for_a_path_are_distinct_and_all_equally_likely():
    drawn = draw_blocks(8, 4000, 4, torch.Generator().manual_seed(0))
    assert all(len(set(row)) == 4 for row in drawn.tolist())
    shares = torch.bincount(drawn.flatten(), minlength=8) / 4000
    assert torch.allclose(shares, torch.tensor(0.5), atol=0.04)  # 5 standard deviations of a share of 4000


def test_position_and_shape_change_no_colour_and_colour_changes_no_position():
    report = analyze(SyntheticGenerator((6, 6, 6), COLOUR_FIRST))
    assert column(report, "D colour") == [1.0, 0.0, 0.0]
    assert distances_of(report)[1:] == [0.0, 0.0]
    assert all(isinstance(value, float) and value > 0 for value in column(report, "D semantic"))
    for channel in ("red", "green", "blue"):
        assert column(report, f"D {channel}", "channels")[1:] == [0.0, 0.0]


def test_bucket_1_is_1_without_deviation():
    report = analyze(SyntheticGenerator((6, 6, 6), COLOUR_FIRST))
    for key in ("colour", "semantic"):
        assert column(report, f"D {key}")[0] == 1.0 and column(report, f"D {key} std")[0] == 0.0


def test_where_bucket_1_changes_nothing_there_is_no_ratio_and_the_report_says_so():
    report = analyze(SyntheticGenerator((6, 6, 6), ("position", "shape", "colour")))
    assert column(report, "D colour") == [None, None, None]
    assert column(report, "D colour std") == [None, None, None]
    distances = distances_of(report)
    assert distances[:2] == [0.0, 0.0] and isinstance(distances[2], float) and distances[2] > 0.1
    assert "changes nothing in colour, red, green, blue on 20 of 20 paths" in " ".join(report.notes)


def test_paths_on_which_bucket_1_changes_nothing_are_counted_and_left_out():
    model = SyntheticGenerator((5, 6), ("colour", "ground"), (1, 8, 8))
    with torch.no_grad():
        model.blocks["colour"][:4] = 0.5
        model.blocks["colour"][4] = -0.5  # one of five differs: four random blocks miss it on a fifth of the paths
    report = analyze(model, num_paths=40)
    raw = report.table("paths")
    first = [row[2] for row in raw.rows if row[1] == 1]
    zero = first.count(0.0)
    assert 0 < zero < 20
    assert f"changes nothing in colour, semantic on {zero} of 40 paths" in " ".join(report.notes)
    assert f"over the other {40 - zero}" in " ".join(report.notes)
    second = [row[2] for row in raw.rows if row[1] == 2]
    kept = [b / a for a, b in zip(first, second, strict=True) if a]  # type: ignore[operator]
    assert column(report, "D colour")[1] == pytest.approx(sum(kept) / len(kept))


def test_a_bucket_with_few_blocks_is_compared_by_all_it_has_and_one_with_a_single_block_not_at_all():
    report = analyze(SyntheticGenerator((6, 3, 1), ("colour", "ground", "shape")))
    assert column(report, "images per path") == [4, 3, 1]
    assert column(report, "D colour")[2] is None and distances_of(report)[2] is None
    assert report.per_bucket[2] == "Bucket 3 (shape) has one block, so changing it changes nothing."
    told = " ".join(report.notes)
    assert (
        "bucket 3 (shape)" in told
        and "fewer images than the others, as the bucket has no more blocks: bucket 2 (3)" in told
    )


def test_pairs_are_averaged_so_that_two_images_and_four_give_comparable_numbers():
    model = SyntheticGenerator((40, 40), ("colour", "ground"), (1, 8, 8))
    four = distances_of(Diversity().analyze(model, AnalysisContext(num_paths=200)))
    two = distances_of(Diversity(num_images=2).analyze(model, AnalysisContext(num_paths=200)))
    assert two == pytest.approx(four, rel=0.05)  # the sum over pairs would differ by a factor of six


def test_a_first_bucket_of_one_block_leaves_nothing_to_compare_with():
    report = analyze(SyntheticGenerator((1, 4), ("position", "colour")))
    assert column(report, "D colour") == [None, None]
    assert "there is nothing to compare with" in " ".join(report.notes)


def test_the_report_names_the_extractor_and_says_that_it_is_not_the_papers():
    report = analyze(SyntheticGenerator((6, 6, 6), COLOUR_FIRST))
    assert report.provenance["extractor"]["name"] == "pixels"  # type: ignore[index,call-overload]
    assert "The features are pixels. The paper uses InceptionV3" in " ".join(report.notes)
    assert "The features are pixels." in report.definition


def test_without_an_extractor_only_colour_is_measured_and_the_report_says_so():
    report = Diversity().analyze(SyntheticGenerator((6, 6, 6), COLOUR_FIRST), AnalysisContext(num_paths=5))
    assert "D semantic" not in [c.name for c in report.table("buckets").columns]
    assert "Semantic diversity was not measured" in " ".join(report.notes)
    assert report.provenance["extractor"] == "none"


def test_the_summary_names_the_bucket_that_changes_most():
    model = SyntheticGenerator((6, 6), ("ground", "colour"), (3, 16, 16))
    with torch.no_grad():
        model.blocks["colour"].fill_(0.5)  # all alike
    assert "Colour (Hellinger) changes most with bucket 1 (ground) itself" in analyze(model).summary


def test_equal_seeds_give_equal_numbers_and_other_seeds_others():
    model = SyntheticGenerator((6, 6, 6), COLOUR_FIRST)
    one, again, other = (analyze(model, seed=seed).tables for seed in (1, 1, 2))
    assert one == again and one != other


def test_numbers_do_not_depend_on_the_batch_size():
    model = SyntheticGenerator((6, 6, 6), COLOUR_FIRST)
    assert analyze(model, batch_pixels=1).tables == analyze(model, batch_pixels=2**20).tables


def test_progress_counts_the_paths_up_to_the_last():
    seen: list[tuple[str, int, int]] = []
    model = SyntheticGenerator((6, 3, 1), ("colour", "ground", "shape"), (1, 8, 8))
    context = AnalysisContext(num_paths=7, progress=lambda *step: seen.append(step), batch_pixels=64 * 38)
    Diversity().analyze(
        model, context
    )  # 38 images at once are three paths of 4 + 3, four with all varied, and one more
    assert seen == [("diversity", 3, 7), ("diversity", 6, 7), ("diversity", 7, 7)]


def test_a_hundred_paths_of_five_buckets_take_seconds():
    class Flat(SyntheticGenerator):
        def images(self, codes: torch.Tensor) -> torch.Tensor:
            return torch.rand(len(codes), 3, 32, 32) * 2 - 1

    start = time.perf_counter()
    Diversity().analyze(Flat((40,) * 3, image_shape=(3, 32, 32)), AnalysisContext(extractor=PixelFeatures()))
    assert time.perf_counter() - start < 10  # it takes about one; images of a real generator come on top


def test_fewer_than_two_images_are_refused():
    with pytest.raises(AnalysisError, match="at least 2 images per bucket, got 1; the paper takes 4"):
        Diversity(num_images=1)


def test_a_standard_generator_is_refused_and_told_how_to_become_one_with_buckets():
    class Standard(nn.Module):
        codes = "z"

    with pytest.raises(AnalysisError, match=r"diversity compares buckets, and Standard has none.*rpganify convert"):
        Diversity().analyze(Standard(), AnalysisContext())


@pytest.mark.parametrize(
    ("num_blocks", "factors"),
    [((3,), ("colour",)), ((1, 1), ("position", "shape")), ((4, 6, 6), ("position", "shape", "colour"))],
)
def test_every_case_is_drawn_and_written(num_blocks: tuple[int, ...], factors: tuple[str, ...], tmp_path: Path):
    report = analyze(SyntheticGenerator(num_blocks, factors), num_paths=5)
    write_reports([report], tmp_path, title="m")
    assert json.loads((tmp_path / "diversity.json").read_text())["provenance"]["num_paths"] == 5
    assert (tmp_path / "diversity-bars.png").stat().st_size > 5000


class Brightness:
    """A stranger's distance."""

    key, title, parts = "brightness", "Brightness", ("brightness",)

    def describe(self, images: torch.Tensor) -> torch.Tensor:
        return images.double().flatten(1).mean(dim=1)

    def pairs(self, described: torch.Tensor) -> torch.Tensor:
        return (described[:, :, None] - described[:, None, :]).abs()[..., None]


def test_a_stranger_s_distance_is_measured_shown_and_defined():
    model = SyntheticGenerator((4, 4), ("ground", "position"), (3, 8, 8)).eval()
    report = analyze(model, 5, distances=(Brightness(), ColourDistance(3)))
    headings = [c.name for c in report.table("buckets").columns]
    assert "D brightness" in headings and "D colour" in headings and "D semantic" not in headings
    assert "Brightness: as the plugin that offers this distance defines it" in report.definition
    assert "Hellinger" in report.definition and "Semantics" not in report.definition + " ".join(report.notes)
    assert report.provenance["distances"] == ["Brightness", "Colour (Hellinger)"]


def test_two_distances_of_one_word_are_refused():
    with pytest.raises(
        AnalysisError, match=r"Brightness, Brightness are both called 'brightness'.*one after the other"
    ):
        analyze(SyntheticGenerator((2,), ("ground",), (1, 8, 8)).eval(), 2, distances=(Brightness(), Brightness()))


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        (lambda described: torch.zeros(1), r"shape \(1,\)"),
        (lambda described: torch.full((*described.shape, described.shape[1], 1), torch.nan), "values that are NaN"),
    ],
)
def test_a_distance_of_another_shape_or_without_a_value_is_refused(pairs, found):
    wrong = Brightness()
    wrong.pairs = pairs
    with pytest.raises(AnalysisError, match=rf"image distance 'Brightness' gave {found}.*Correct the plugin"):
        analyze(SyntheticGenerator((3,), ("ground",), (1, 8, 8)).eval(), 2, distances=(wrong,))
