"""The search for a path, against trying all of them."""

import pytest
import torch

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.distances import ColourDistance
from rpganify.analysis.generation import ImageMaker, evaluating, to_float
from rpganify.analysis.inversion.search import ImageTargets, search_blocks
from rpganify.analysis.opening import open_pixel_distance
from tests.unit.analysis.synthetic import SyntheticGenerator


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


class Rugged(SyntheticGenerator):
    """Any image for any path: nothing is learned about one path from another."""

    def __init__(self, num_blocks: tuple[int, ...]) -> None:
        super().__init__(num_blocks, ("position", "shape", "colour")[: len(num_blocks)], (1, 2, 2))
        self.table = torch.rand(*num_blocks, 1, 2, 2, generator=chance(3)) * 2 - 1

    def images(self, codes):
        return self.table[tuple(self.paths.check(codes).T)]


def everything(space):
    return torch.cartesian_prod(*(torch.arange(m) for m in space.num_blocks))


@pytest.fixture
def maker():
    model = SyntheticGenerator((5, 4, 6), seed=2)
    with evaluating(model, 0):
        yield ImageMaker(model, AnalysisContext())


def targets_of(maker, images, distance=None):
    return ImageTargets(maker, images, distance or open_pixel_distance(num_channels=images.shape[1]))


def test_distances_are_those_of_each_paths_image_to_its_target(maker):
    images = torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8, generator=chance())
    paths = maker.model.paths.sample(5, generator=chance(1))
    owners = torch.tensor([1, 0, 0, 1, 1])
    differences = to_float(maker(paths)) - to_float(images[owners])
    expected = differences.flatten(1).double().norm(dim=1)
    torch.testing.assert_close(targets_of(maker, images).distances(owners, paths), expected, rtol=1e-6, atol=0)


def test_a_models_own_images_are_found_again_from_any_start(maker):
    space = maker.model.paths
    truth = space.sample(12, generator=chance(5))
    found = search_blocks(targets_of(maker, maker(truth)), space, space.sample(12, generator=chance(6))[:, None])
    assert torch.equal(found.distances, torch.zeros(12, dtype=torch.float64))
    assert torch.equal(maker(found.paths), maker(truth))


@pytest.mark.parametrize("beam", [1, 4])
def test_a_found_path_is_never_farther_than_a_start_and_no_change_of_one_bucket_is_nearer(beam):
    model = Rugged((5, 6, 4))
    maker, space = ImageMaker(model, AnalysisContext()), model.paths
    images = torch.randint(256, (6, 1, 2, 2), dtype=torch.uint8, generator=chance(1))
    starts = space.sample(18, generator=chance(2)).view(6, 3, 3)
    targets = targets_of(maker, images)
    found = search_blocks(targets, space, starts, beam=beam)
    for index in range(6):
        one = torch.full((18,), index)
        assert found.distances[index] <= targets.distances(one[:3], starts[index]).min()
        for bucket in range(3):
            around = space.vary(found.paths[index], bucket)
            assert found.distances[index] <= targets.distances(one[: len(around)], around).min()


def test_a_wide_beam_finds_the_nearest_of_all_paths():
    model = Rugged((5, 6, 4))
    maker, space = ImageMaker(model, AnalysisContext()), model.paths
    images = torch.randint(256, (8, 1, 2, 2), dtype=torch.uint8, generator=chance(1))
    targets = targets_of(maker, images)
    paths = everything(space)
    best = [targets.distances(torch.full((len(paths),), index), paths).min() for index in range(8)]
    found = search_blocks(targets, space, space.sample(8, generator=chance(2))[:, None], beam=120)
    torch.testing.assert_close(found.distances, torch.stack(best))


def test_a_wider_beam_gets_past_where_two_buckets_must_change_together():
    model = Rugged((6, 6, 6))
    maker, space = ImageMaker(model, AnalysisContext()), model.paths
    truth = space.sample(40, generator=chance(4))
    starts = space.sample(40, generator=chance(5))[:, None]
    shares = []
    for beam in (1, 8):
        found = search_blocks(targets_of(maker, maker(truth)), space, starts, beam=beam)
        shares.append(float((found.paths == truth).all(dim=1).double().mean()))
    assert shares[1] > shares[0] + 0.2


def test_no_path_is_measured_twice_for_an_image():
    model = Rugged((3, 3))
    maker, space = ImageMaker(model, AnalysisContext()), model.paths
    images = torch.randint(256, (4, 1, 2, 2), dtype=torch.uint8, generator=chance())
    starts = space.sample(20, generator=chance()).view(4, 5, 2)
    assert search_blocks(targets_of(maker, images), space, starts, beam=9).num_images <= 4 * 9


def test_another_distance_counts_where_it_is_given(maker):
    space = maker.model.paths
    truth = torch.tensor([[0, 0, 3]])
    found = search_blocks(targets_of(maker, maker(truth), ColourDistance(3)), space, torch.tensor([[[4, 3, 0]]]))
    assert found.paths[0, 2] == 3  # position and shape leave the histograms as they are
    assert found.distances[0] == 0


def test_buckets_of_one_block_are_passed_over_and_progress_ends_at_all():
    model = Rugged((1, 4, 1))
    maker, seen = ImageMaker(model, AnalysisContext()), []
    truth = torch.tensor([[0, 2, 0], [0, 3, 0]])
    found = search_blocks(
        targets_of(maker, maker(truth)),
        model.paths,
        torch.zeros(2, 1, 3, dtype=torch.int64),
        progress=lambda *s: seen.append(s),
    )
    assert torch.equal(found.paths, truth)
    assert seen[-1] == (2, 2) and all(done <= total == 2 for done, total in seen)


def test_a_space_of_one_path_has_it():
    model = Rugged((1, 1))
    maker = ImageMaker(model, AnalysisContext())
    targets = targets_of(maker, torch.zeros(1, 1, 2, 2, dtype=torch.uint8))
    assert search_blocks(targets, model.paths, torch.zeros(1, 1, 2, dtype=torch.int64)).paths.tolist() == [[0, 0]]
