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
@given(spaces, st.integers(0, 120), seeds)
def test_equally_drawn_paths_hold_every_block_of_a_bucket_equally_often_or_once_more(
    space: PathSpace, num: int, seed: int
) -> None:
    before = torch.get_rng_state()
    paths = space.sample_equally(num, generator=drawn(seed))
    assert paths.shape == (num, space.num_buckets) and torch.equal(space.check(paths), paths)
    for bucket, num_blocks in enumerate(space.num_blocks):
        counts = torch.bincount(paths[:, bucket], minlength=num_blocks)
        assert counts.sum() == num and counts.max() - counts.min() <= 1
    assert torch.equal(space.sample_equally(num, generator=drawn(seed)), paths)
    assert torch.equal(torch.get_rng_state(), before)


@law
@given(spaces, seeds, st.data())
def test_freezing_an_equal_draw_leaves_the_other_buckets_as_they_were(
    space: PathSpace, seed: int, data: st.DataObject
) -> None:
    bucket = data.draw(st.integers(0, space.num_buckets - 1))
    block = data.draw(st.integers(0, space.num_blocks[bucket] - 1))
    free = space.sample_equally(9, generator=drawn(seed))
    held = space.sample_equally(9, generator=drawn(seed), freeze={bucket: block})
    assert (held[:, bucket] == block).all()
    others = [other for other in range(space.num_buckets) if other != bucket]
    assert torch.equal(held[:, others], free[:, others])


def test_each_equally_drawn_path_is_uniform_also_where_blocks_do_not_divide_the_batch() -> None:
    space, chance, num_draws = PathSpace((3, 4)), drawn(0), 6000
    first = torch.stack([space.sample_equally(5, generator=chance)[1] for _ in range(num_draws)])
    counts = torch.bincount(first[:, 0] * 4 + first[:, 1], minlength=12)
    # Of 6000 draws each of 12 paths comes 500 times, with a standard deviation of 21.4.
    assert (counts - num_draws / 12).abs().max() < 4 * 21.4


def test_which_blocks_get_one_more_is_random_and_independent_between_buckets() -> None:
    space, chance = PathSpace((4, 4)), drawn(1)
    extra = []
    for _ in range(1600):
        paths = space.sample_equally(5, generator=chance)
        extra.append([int(torch.bincount(paths[:, bucket], minlength=4).argmax()) for bucket in (0, 1)])
    pairs = torch.bincount(torch.tensor(extra) @ torch.tensor([4, 1]), minlength=16)
    assert (pairs - 100).abs().max() < 4 * 9.7  # standard deviation of a count of mean 100 of 1600


def test_the_order_within_an_equal_draw_is_independent_between_buckets() -> None:
    space = PathSpace((2, 2))
    agreeing = torch.stack([space.sample_equally(64, generator=drawn(seed)) for seed in range(200)])
    share = (agreeing[..., 0] == agreeing[..., 1]).float().mean().item()
    assert abs(share - 0.5) < 4 * 0.5 / (200 * 64) ** 0.5 * 1.01


def test_an_equal_draw_refuses_a_block_or_bucket_that_is_not_there() -> None:
    with pytest.raises(PathError, match=r"There is no bucket 3: this model has buckets 1 to 2\."):
        PathSpace((3, 4)).sample_equally(4, freeze={2: 0})
    with pytest.raises(PathError, match=r"Bucket 2 .* there is no block 4"):
        PathSpace((3, 4)).sample_equally(4, freeze={1: 4})


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
