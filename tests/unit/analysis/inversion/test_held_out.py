"""Paths for training and others for testing."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rpganify.analysis.inversion.held_out import DrawnPaths, hold_out
from rpganify.paths import PathSpace


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(paths):
    return [tuple(path) for path in paths.tolist()]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 50), st.integers(0, 99))
def test_held_out_paths_are_different_and_never_drawn_for_training(num_blocks, wanted, seed):
    space = PathSpace(tuple(num_blocks))
    held_out = hold_out(space, wanted, chance(seed))
    space.check(held_out)
    assert len(set(rows(held_out))) == len(held_out) <= min(wanted, space.cardinality // 5)
    drawn = DrawnPaths(space, chance(seed), held_out).draw(200)
    assert drawn.shape == (200, space.num_buckets)
    assert not set(rows(held_out)) & set(rows(drawn))


def test_as_many_are_held_out_as_are_wanted_up_to_a_fifth():
    assert len(hold_out(PathSpace((10, 10)), 15, chance())) == 15
    assert len(hold_out(PathSpace((10, 10)), 90, chance())) == 20
    assert len(hold_out(PathSpace((40,) * 8), 300, chance())) == 300


def test_nothing_is_held_out_where_a_block_has_no_second_path_to_be_learned_from():
    assert hold_out(PathSpace((1, 50, 1)), 5, chance()).shape == (0, 3)
    assert hold_out(PathSpace((2, 2)), 5, chance()).shape == (0, 2)


def test_drawn_paths_are_those_of_the_space_where_nothing_is_left_out():
    space = PathSpace((7, 3, 20))
    none = torch.empty((0, 3), dtype=torch.int64)
    assert torch.equal(DrawnPaths(space, chance(4), none).draw(50), space.sample(50, generator=chance(4)))


@pytest.mark.parametrize("bucket", [0, 1])
def test_paths_that_are_left_out_do_not_favour_any_other(bucket):
    space = PathSpace((4, 5))
    held_out = hold_out(space, 4, chance(1))
    drawn = DrawnPaths(space, chance(2), held_out).draw(16_000)
    counts = torch.bincount(drawn[:, 0] * 5 + drawn[:, 1], minlength=20)
    kept = counts[counts > 0].double()
    assert len(kept) == 16
    # 1000 each with a standard deviation of 31; five of them.
    assert (kept - 1000).abs().max() < 155
