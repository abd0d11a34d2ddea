import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.distances import ColourDistance
from rpganify.analysis.diversity.analyzer import Diversity
from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.ssim import SsimDistance
from rpganify.errors import AnalysisError
from rpganify.report.writing import write_reports
from tests.unit.analysis.diversity_reading import COLOUR_FIRST, analyze, bound, column, distances_of
from tests.unit.analysis.synthetic import SyntheticGenerator


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


def test_structure_is_measured_beside_colour_and_defined():
    model = SyntheticGenerator((6, 6, 6), COLOUR_FIRST)
    report = Diversity().analyze(model, AnalysisContext(num_paths=20, distances=(ColourDistance(3), SsimDistance(3))))
    assert column(report, "D colour")[1:] == [0.0, 0.0]
    structure = column(report, "ssim distance", "distances")
    assert all(isinstance(one, float) and one > 0.05 for one in structure)
    assert "1 − SSIM (Wang et al. 2004" in report.definition and "Not the paper's." in report.definition


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


@pytest.mark.parametrize(
    "name", ["classifier:mnist-308075.safetensors", "classifier:coloured-mnist-2875ba.safetensors"]
)
def test_a_long_name_of_an_extractor_stays_within_its_panel(name: str) -> None:
    class Named(PixelFeatures):
        @property
        def name(self) -> str:
            return name

    model = SyntheticGenerator((4, 4, 4, 4), (*COLOUR_FIRST, "ground"))
    report = Diversity().analyze(model, AnalysisContext(num_paths=4, extractor=Named()))
    (figure,) = report.figures
    drawing = figure.picture
    assert not isinstance(drawing, bytes)
    drawing.draw_without_rendering()
    for axes in drawing.axes:
        assert axes.get_title(loc="left").endswith((".safetensors)", "(Hellinger)"))
        title = axes._left_title  # type: ignore[attr-defined]
        assert title.get_window_extent().x1 <= drawing.bbox.x1
