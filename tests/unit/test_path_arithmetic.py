"""Path arithmetic: swapping blocks, mixing two paths, walking from one to the other, and drawing different ones."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rpganify.errors import PathError
from rpganify.paths import PathSpace, PathStep

SPACE = PathSpace((5, 5, 5, 5))
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=4, max_size=4)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_swapping_changes_the_named_buckets_of_a_new_path_only():
    path = torch.tensor([0, 1, 2, 3])
    assert SPACE.swap(path, {3: 0, 1: 4}).tolist() == [0, 4, 2, 0]
    assert path.tolist() == [0, 1, 2, 3]
    assert SPACE.swap([0, 1, 2, 3], {}).tolist() == [0, 1, 2, 3]


def test_a_bucket_or_block_that_is_not_there_cannot_be_swapped():
    with pytest.raises(PathError, match="There is no bucket 5: this model has buckets 1 to 4"):
        SPACE.swap([0, 1, 2, 3], {4: 0})
    with pytest.raises(PathError, match=r"Bucket 4 \(B4\) has blocks 0 to 4; there is no block 12"):
        SPACE.swap([0, 1, 2, 3], {3: 12})
    with pytest.raises(PathError, match=r"Bucket 1 \(B1\) has blocks 0 to 4; there is no block 9"):
        SPACE.swap([9, 1, 2, 3], {0: 1})
    with pytest.raises(PathError, match=r"Paths are integers of shape \(N, 4\)"):
        SPACE.swap([1, 2, 3], {0: 1})


def test_a_mixture_has_the_second_path_s_blocks_in_the_named_buckets():
    assert SPACE.mix([0, 0, 0, 0], [1, 2, 3, 4], [1, 3]).tolist() == [0, 2, 0, 4]
    assert SPACE.mix([0, 0, 0, 0], [1, 2, 3, 4], []).tolist() == [0, 0, 0, 0]
    assert SPACE.mix([0, 0, 0, 0], [1, 2, 3, 4], range(4)).tolist() == [1, 2, 3, 4]
    with pytest.raises(PathError, match="There is no bucket 6"):
        SPACE.mix([0, 0, 0, 0], [1, 2, 3, 4], [5])


@given(PAIRS)
def test_all_mixtures_are_every_choice_of_either_path_once_from_the_first_to_the_second(pairs):
    first, second = zip(*pairs, strict=True)
    if first == second:
        with pytest.raises(PathError, match="there is nothing to mix"):
            SPACE.mixtures(first, second)
        return
    paths = [tuple(path) for path in SPACE.mixtures(first, second).tolist()]
    assert paths == list(itertools.product(*(dict.fromkeys(pair) for pair in pairs)))
    assert paths[0] == first and paths[-1] == second


def test_some_mixtures_are_different_ones_of_all_and_the_same_for_one_seed():
    every = {tuple(path) for path in SPACE.mixtures([0] * 4, [1] * 4).tolist()}
    some = SPACE.mixtures([0] * 4, [1] * 4, 9, generator=seeded())
    assert some.shape == (9, 4) and len({tuple(path) for path in some.tolist()} & every) == 9
    assert torch.equal(some, SPACE.mixtures([0] * 4, [1] * 4, 9, generator=seeded()))
    assert not torch.equal(some, SPACE.mixtures([0] * 4, [1] * 4, 9, generator=seeded(1)))
    with pytest.raises(PathError, match=r"0-0-0-0 and 0-0-1-1 differ in 2 buckets.* 4 mixtures, .*; 5 cannot be drawn"):
        SPACE.mixtures([0, 0, 0, 0], [0, 0, 1, 1], 5)


def test_some_mixtures_of_paths_with_very_many_buckets_can_be_drawn():
    space = PathSpace((2,) * 200)
    some = space.mixtures([0] * 200, [1] * 200, 50, generator=seeded())
    assert len({tuple(path) for path in some.tolist()}) == 50
    assert 0.4 < some.float().mean() < 0.6  # 10,000 fair coins: a standard deviation is 0.005


def test_a_walk_changes_the_first_bucket_first_and_passes_over_those_that_agree():
    assert SPACE.walk([0, 1, 2, 3], [4, 1, 0, 0]) == [
        PathStep((0, 1, 2, 3)),
        PathStep((4, 1, 2, 3), 0, 0),
        PathStep((4, 1, 0, 3), 2, 2),
        PathStep((4, 1, 0, 0), 3, 3),
    ]


def test_backward_it_changes_the_last_bucket_first():
    steps = SPACE.walk([0, 1, 2, 3], [4, 1, 0, 0], is_backward=True)
    assert [step.bucket for step in steps] == [None, 3, 2, 0]
    assert steps[1].path == (0, 1, 2, 0)


def test_a_walk_between_equal_paths_is_that_path():
    assert SPACE.walk([1, 1, 1, 1], torch.tensor([1, 1, 1, 1])) == [PathStep((1, 1, 1, 1))]


@given(PAIRS, st.booleans())
def test_each_step_differs_from_the_one_before_in_its_bucket_alone_and_the_last_one_arrives(pairs, is_backward):
    start, end = zip(*pairs, strict=True)
    steps = SPACE.walk(torch.tensor(start), torch.tensor(end), is_backward=is_backward)
    assert steps[0].path == start and steps[-1].path == end
    for before, step in itertools.pairwise(steps):
        changed = [i for i in range(4) if step.path[i] != before.path[i]]
        assert changed == [step.bucket]
        assert before.path[step.bucket] == step.block


def test_a_walk_to_a_path_of_another_space_is_refused():
    with pytest.raises(PathError, match=r"Bucket 1 \(B1\) has blocks 0 to 4; there is no block 7"):
        SPACE.walk([0, 0, 0, 0], [7, 0, 0, 0])


def test_different_paths_are_different_and_all_of_them_are_every_path():
    space = PathSpace((3, 4, 2))
    every = sorted(tuple(path) for path in space.sample_distinct(24, generator=seeded()).tolist())
    assert every == list(itertools.product(range(3), range(4), range(2)))
    assert space.sample_distinct(0).shape == (0, 3)
    for wrong in (25, -1):
        with pytest.raises(PathError, match=f"There are 24 different paths, and {wrong} cannot be drawn"):
            space.sample_distinct(wrong)


def test_different_paths_are_uniform_and_follow_the_seed():
    space = PathSpace((3, 4, 2))
    counts = torch.zeros(24)
    chance = seeded()
    for _ in range(3000):
        first, second, third = space.sample_distinct(2, generator=chance)[0].tolist()
        counts[first * 8 + second * 2 + third] += 1
    assert (counts / 3000 - 1 / 24).abs().max() < 5 * (1 / 24 * 23 / 24 / 3000) ** 0.5
    large = PathSpace((40,) * 30)
    some = large.sample_distinct(100, generator=seeded())
    assert torch.equal(some, large.sample_distinct(100, generator=seeded()))
    assert len({tuple(path) for path in some.tolist()}) == 100 and large.check(some).max() > 30
