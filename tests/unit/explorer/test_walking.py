"""From one path to another, one bucket at a time."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rpganify.errors import PathError
from rpganify.explorer.walking import Step, walk
from rpganify.paths import PathSpace

SPACE = PathSpace((5, 5, 5, 5))


def paths(*blocks):
    return torch.tensor(blocks)


def test_a_walk_changes_the_first_bucket_first_and_passes_over_those_that_agree():
    steps = walk(SPACE, paths(0, 1, 2, 3), paths(4, 1, 0, 0))
    assert steps == [
        Step((0, 1, 2, 3)),
        Step((4, 1, 2, 3), 0, 0),
        Step((4, 1, 0, 3), 2, 2),
        Step((4, 1, 0, 0), 3, 3),
    ]


def test_backward_it_changes_the_last_bucket_first():
    steps = walk(SPACE, paths(0, 1, 2, 3), paths(4, 1, 0, 0), is_backward=True)
    assert [step.bucket for step in steps] == [None, 3, 2, 0]
    assert steps[1].path == (0, 1, 2, 0)


def test_a_walk_between_equal_paths_is_that_path():
    assert walk(SPACE, paths(1, 1, 1, 1), paths(1, 1, 1, 1)) == [Step((1, 1, 1, 1))]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=4, max_size=4), st.booleans())
def test_each_step_differs_from_the_one_before_in_its_bucket_alone_and_the_last_one_arrives(pairs, is_backward):
    start, end = zip(*pairs, strict=True)
    steps = walk(SPACE, torch.tensor(start), torch.tensor(end), is_backward=is_backward)
    assert steps[0].path == start and steps[-1].path == end
    for before, step in itertools.pairwise(steps):
        changed = [i for i in range(4) if step.path[i] != before.path[i]]
        assert changed == [step.bucket]
        assert before.path[step.bucket] == step.block


def test_a_path_of_another_space_is_refused():
    with pytest.raises(PathError, match=r"Bucket 1 \(B1\) has blocks 0 to 4; there is no block 7"):
        walk(SPACE, paths(0, 0, 0, 0), paths(7, 0, 0, 0))
