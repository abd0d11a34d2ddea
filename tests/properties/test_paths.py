"""The laws of path spaces."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rpganify.errors import PathError
from rpganify.paths import PathSpace
from tests.laws import law

spaces = st.lists(st.integers(1, 50), min_size=1, max_size=6).map(lambda blocks: PathSpace(tuple(blocks)))
seeds = st.integers(0, 1000)


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@law
@given(spaces, seeds)
def test_reading_what_was_printed_gives_the_path_back(space: PathSpace, seed: int) -> None:
    path = space.sample(1, generator=drawn(seed))[0]
    assert torch.equal(space.parse(space.format(path)), path)


@law
@given(spaces, st.integers(0, 40), seeds)
def test_drawn_paths_lie_in_the_space(space: PathSpace, num: int, seed: int) -> None:
    paths = space.sample(num, generator=drawn(seed))
    assert paths.shape == (num, space.num_buckets)
    assert torch.equal(space.check(paths), paths)


@law
@given(spaces, seeds, st.data())
def test_freezing_holds_some_buckets_and_leaves_the_others_as_they_were(
    space: PathSpace, seed: int, data: st.DataObject
) -> None:
    frozen = data.draw(st.sets(st.integers(0, space.num_buckets - 1)))
    freeze = {bucket: data.draw(st.integers(0, space.num_blocks[bucket] - 1)) for bucket in sorted(frozen)}
    free, held = space.sample(9, generator=drawn(seed)), space.sample(9, generator=drawn(seed), freeze=freeze)
    for bucket in range(space.num_buckets):
        expected = torch.full((9,), freeze[bucket]) if bucket in freeze else free[:, bucket]
        assert torch.equal(held[:, bucket], expected)


@law
@given(spaces, seeds, st.data())
def test_varying_one_bucket_holds_the_others_and_visits_each_block_once(
    space: PathSpace, seed: int, data: st.DataObject
) -> None:
    path = space.sample(1, generator=drawn(seed))[0]
    bucket = data.draw(st.integers(0, space.num_buckets - 1))
    before = path.clone()
    paths = space.vary(path, bucket)
    assert paths[:, bucket].tolist() == list(range(space.num_blocks[bucket]))
    others = [other for other in range(space.num_buckets) if other != bucket]
    assert torch.equal(paths[:, others], path[others].expand(len(paths), -1))
    assert torch.equal(path, before)


@law
@given(spaces)
def test_cardinality_is_the_product_and_coverage_its_share(space: PathSpace) -> None:
    assert space.cardinality == math.prod(space.num_blocks)
    assert space.coverage(7) == space.cardinality / 7


@law
@given(spaces, st.text(max_size=12))
def test_any_text_is_a_path_of_the_space_or_refused(space: PathSpace, text: str) -> None:
    try:
        path = space.parse(text)
    except PathError as error:
        assert str(error)
    else:
        assert torch.equal(space.check(path[None])[0], path)


@law
@given(spaces, st.data())
def test_a_block_outside_its_bucket_is_always_refused(space: PathSpace, data: st.DataObject) -> None:
    bucket = data.draw(st.integers(0, space.num_buckets - 1))
    block = data.draw(st.integers(-(10**9), -1) | st.integers(space.num_blocks[bucket], 10**9))
    paths = torch.zeros(3, space.num_buckets, dtype=torch.int64)
    paths[1, bucket] = block
    with pytest.raises(PathError, match=f"Bucket {bucket + 1} .* there is no block {block}"):
        space.check(paths)
