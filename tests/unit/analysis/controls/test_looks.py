import pytest
import torch

from rpganify.analysis.controls.looks import Ordinary, ordinary_among_own, ordinary_among_real, variety


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_what_lies_among_the_images_is_ordinary_and_what_lies_apart_is_not():
    generator = chance()
    latents, features = torch.randn(400, 3, generator=generator), torch.randn(400, 4, generator=generator)
    ordinary = ordinary_among_own(latents, features)
    others = torch.randn(400, 3, generator=generator)
    assert ordinary.share(others, torch.randn(400, 4, generator=generator)) == pytest.approx(0.9, abs=0.04)
    assert ordinary.share(others, torch.randn(400, 4, generator=generator) + 20) == 0
    assert ordinary.share(others[:10], features[:10]) == 1


def test_the_limit_is_the_distance_that_nine_of_ten_keep_to_their_neighbour():
    # On a line, 41 images with gaps 1, and 4 ever farther out.
    codes = torch.arange(45.0)[:, None]
    ordinary = ordinary_among_own(codes, torch.cat([torch.arange(41.0), 100 * 2 ** torch.arange(4.0)])[:, None])
    assert ordinary.limit == pytest.approx(1)
    assert ordinary.share(codes[:3] - 100, torch.tensor([[40.5], [42.5], [-1.0]])) == pytest.approx(2 / 3)


def test_images_of_a_broken_block_are_not_made_ordinary_by_one_another():
    # A sixteenth of all paths goes through block 5 of the first bucket, which makes images of its own.
    paths = torch.randint(16, (400, 3), generator=chance())
    features = torch.randn(400, 2, generator=chance(1)) + 30 * (paths[:, :1] == 5)
    ordinary = ordinary_among_own(paths, features)
    through = torch.randint(16, (100, 3), generator=chance(2))
    through[:, 0] = 5
    made = torch.randn(100, 2, generator=chance(3))
    assert ordinary.share(through, made + 30) == 0
    assert ordinary.share(through, made) > 0.8


def test_real_images_have_no_coordinates_to_share():
    features = torch.randn(300, 4, generator=chance())
    ordinary = ordinary_among_real(features)
    paths = torch.zeros(200, 2, dtype=torch.int64)
    assert ordinary.is_real and not ordinary_among_own(paths, features[:200]).is_real
    assert ordinary.share(paths, torch.randn(200, 4, generator=chance(1))) == pytest.approx(0.9, abs=0.05)
    assert ordinary.share(paths, torch.randn(200, 4, generator=chance(1)) + 20) == 0
    assert ordinary_among_real(features[:9]).limit is None


def test_what_leaves_less_than_half_of_the_ordinary_images_breaks_them():
    known = Ordinary(None, torch.zeros(1, 1), 1.0, base=0.8)
    assert known.is_broken(0.39) and not known.is_broken(0.41) and not known.is_broken(None)
    assert not Ordinary(None, torch.zeros(1, 1), 1.0).is_broken(0.0)


def test_where_all_share_a_coordinate_nothing_can_be_said():
    paths = torch.zeros(50, 2, dtype=torch.int64)
    ordinary = ordinary_among_own(paths, torch.randn(50, 2, generator=chance()))
    assert ordinary.limit is None
    assert ordinary.share(paths + 1, torch.zeros(50, 2)) is None
    few = ordinary_among_own(torch.arange(20)[:, None], torch.randn(20, 2, generator=chance()))
    assert few.share(torch.tensor([[3]]), torch.zeros(1, 2)) is not None


def test_variety_is_a_ratio_of_variances_and_needs_enough_images():
    generator = chance()
    own = torch.randn(4000, 3, generator=generator)
    assert variety(2 * torch.randn(4000, 3, generator=generator), own) == pytest.approx(4, rel=0.1)
    assert variety(torch.ones(20, 3), own) == 0
    assert variety(own[:9], own) is None and variety(own, own[:9]) is None
    assert variety(own, torch.ones(20, 3)) is None
