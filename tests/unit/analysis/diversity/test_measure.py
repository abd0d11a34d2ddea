import math

import numpy as np
import pytest
import torch

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.diversity.analyzer import Diversity
from rpganify.analysis.diversity.measure import draw_blocks, draw_free_paths
from rpganify.analysis.generation import to_uint8
from tests.unit.analysis.diversity_reading import COLOUR_FIRST, analyze, bound, column, distances_of
from tests.unit.analysis.synthetic import SyntheticGenerator


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


def test_pairs_are_averaged_so_that_two_images_and_four_give_comparable_numbers():
    model = SyntheticGenerator((40, 40), ("colour", "ground"), (1, 8, 8))
    four = distances_of(Diversity().analyze(model, AnalysisContext(num_paths=200)))
    two = distances_of(Diversity(num_images=2).analyze(model, AnalysisContext(num_paths=200)))
    assert two == pytest.approx(four, rel=0.05)  # the sum over pairs would differ by a factor of six


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


def test_the_number_of_images_told_in_advance_is_the_number_that_is_made():
    class Counting(SyntheticGenerator):
        made = 0

        def images(self, codes: torch.Tensor) -> torch.Tensor:
            self.made += len(codes)
            return super().images(codes)

    model, context = Counting((6, 3, 1), COLOUR_FIRST), AnalysisContext(num_paths=7)
    Diversity().analyze(model, context)
    assert model.made == Diversity().num_images(model, context) == 7 * (4 + 3 + 4 + 2)
