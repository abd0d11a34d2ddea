"""The path space: counting, drawing, varying, printing and reading paths, and every refusal."""

from __future__ import annotations

import pytest
import torch

from rpganify.errors import PathError
from rpganify.paths import PathSpace

PAPER = PathSpace((40,) * 5)
SPACE = PathSpace((3, 1, 5), ("l1", "block2", "c5"))


def test_the_papers_path_space_has_its_cardinality_and_coverage() -> None:
    assert PAPER.cardinality == 102_400_000
    assert PAPER.coverage(50_000) == 2048.0
    assert PAPER.num_buckets == 5


def test_cardinality_is_exact_beyond_64_bits() -> None:
    assert PathSpace((1000,) * 30).cardinality == 10**90


def test_buckets_without_names_are_called_as_in_the_paper() -> None:
    assert PathSpace((2, 2)).bucket_names == ("B1", "B2")


@pytest.mark.parametrize("num_blocks", [(), (3, 0), (2, -1)])
def test_a_space_without_buckets_or_blocks_is_refused(num_blocks: tuple[int, ...]) -> None:
    with pytest.raises(PathError, match=r"needs at least one bucket and one block in each, got \("):
        PathSpace(num_blocks)


def test_names_that_do_not_match_in_number_are_refused() -> None:
    with pytest.raises(PathError, match=r"1 names for 2 buckets\."):
        PathSpace((2, 2), ("one",))


@pytest.mark.parametrize("num_images", [0, -5])
def test_coverage_of_no_images_is_refused(num_images: int) -> None:
    with pytest.raises(PathError, match=f"{num_images} images make none"):
        SPACE.coverage(num_images)


def test_drawn_paths_are_uniform_over_each_bucket_and_independent() -> None:
    num = 20_000
    paths = SPACE.sample(num, generator=torch.Generator().manual_seed(0))
    assert paths.shape == (num, 3) and paths.dtype == torch.int64 and paths.device.type == "cpu"
    joint = torch.zeros(3, 5)
    joint.index_put_((paths[:, 0], paths[:, 2]), torch.ones(num), accumulate=True)
    # Standard deviation of a cell's share: sqrt(1/15 * 14/15 / num) = 0.0018; 5 of them.
    assert (joint / num - 1 / 15).abs().max() < 0.009
    assert not paths[:, 1].any()


def test_the_same_seed_draws_the_same_paths_and_leaves_torchs_own_state_alone() -> None:
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    one, two = (SPACE.sample(9, generator=torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.equal(one, SPACE.sample(9, generator=torch.Generator().manual_seed(8)))


def test_without_a_generator_paths_come_from_torchs_random_state() -> None:
    torch.manual_seed(1)
    one = PAPER.sample(4)
    torch.manual_seed(1)
    assert torch.equal(one, PAPER.sample(4))
    assert not torch.equal(one, PAPER.sample(4))


def test_no_path_may_be_drawn() -> None:
    assert SPACE.sample(0).shape == (0, 3)


def test_a_frozen_bucket_takes_its_block_and_the_others_are_drawn_as_without_it() -> None:
    free, frozen = (
        SPACE.sample(50, generator=torch.Generator().manual_seed(0), freeze=freeze) for freeze in (None, {2: 4})
    )
    assert (frozen[:, 2] == 4).all()
    assert torch.equal(frozen[:, :2], free[:, :2])
    assert not torch.equal(frozen, free)


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        ({3: 0}, r"There is no bucket 4: this model has buckets 1 to 3\."),
        ({-1: 0}, r"There is no bucket 0: this model has buckets 1 to 3\."),
        ({0: 3}, r"Bucket 1 \(l1\) has blocks 0 to 2; there is no block 3\."),
        ({2: -1}, r"Bucket 3 \(c5\) has blocks 0 to 4; there is no block -1\."),
    ],
)
def test_freezing_what_does_not_exist_is_refused_in_the_numbers_of_people(freeze: dict[int, int], message: str) -> None:
    with pytest.raises(PathError, match=message):
        SPACE.sample(2, freeze=freeze)


def test_varying_a_bucket_lists_all_its_blocks_and_holds_the_others() -> None:
    assert SPACE.vary([1, 0, 2], 2).tolist() == [[1, 0, block] for block in range(5)]
    assert SPACE.vary(torch.tensor([1, 0, 2], dtype=torch.int32), 0).tolist() == [[b, 0, 2] for b in range(3)]


def test_varying_checks_the_bucket_and_the_path() -> None:
    with pytest.raises(PathError, match="There is no bucket 4"):
        SPACE.vary([0, 0, 0], 3)
    with pytest.raises(PathError, match=r"Bucket 2 \(block2\) has blocks 0 to 0; there is no block 1"):
        SPACE.vary([0, 1, 0], 0)
    with pytest.raises(PathError, match=r"Paths are integers of shape \(N, 3\)"):
        SPACE.vary([0, 0], 0)


@pytest.mark.parametrize(
    "paths",
    [torch.zeros(3, dtype=torch.int64), torch.zeros(2, 4, dtype=torch.int64), torch.zeros(2, 3), torch.zeros(1, 1, 3)],
)
def test_what_is_no_batch_of_paths_is_refused_with_its_shape_and_a_way_on(paths: torch.Tensor) -> None:
    with pytest.raises(PathError, match=r"Paths are integers of shape \(N, 3\).*`rp\.paths\.sample\(64\)` draws some"):
        SPACE.check(paths)


def test_complex_and_boolean_tensors_are_no_paths() -> None:
    for dtype in (torch.complex64, torch.bool):
        with pytest.raises(PathError, match="Paths are integers"):
            SPACE.check(torch.zeros(2, 3, dtype=dtype))


@pytest.mark.parametrize(("row", "bucket", "block"), [(1, 0, 3), (0, 2, -1), (2, 1, 1)])
def test_the_first_block_outside_its_bucket_is_named(row: int, bucket: int, block: int) -> None:
    paths = torch.zeros(3, 3, dtype=torch.int64)
    paths[row, bucket] = block
    name = SPACE.bucket_names[bucket]
    with pytest.raises(PathError, match=rf"Bucket {bucket + 1} \({name}\) .* there is no block {block}\."):
        SPACE.check(paths)


def test_paths_of_any_integer_type_are_accepted_as_int64() -> None:
    assert SPACE.check(torch.zeros(2, 3, dtype=torch.uint8)).dtype == torch.int64
    assert SPACE.check(torch.zeros(0, 3, dtype=torch.int32)).shape == (0, 3)


def test_a_path_is_printed_and_read_as_block_numbers_joined_by_dashes() -> None:
    space = PathSpace((40,) * 5)
    assert space.format(torch.tensor([3, 17, 0, 22, 5])) == "3-17-0-22-5"
    assert space.parse(" 3-17-0-22-5\n").tolist() == [3, 17, 0, 22, 5]


@pytest.mark.parametrize(
    "text", ["", "1-0", "1-0-2-0", "1-x-2", "1--2", "-1-0-2", "1-0-2-", "1 0 2", "1-0-2.0", "1-0-²"]
)
def test_text_that_is_no_path_is_refused_with_the_largest_path_as_example(text: str) -> None:
    with pytest.raises(PathError, match=r"is no path of this model: it has 3 buckets.*up to 2-0-4\."):
        SPACE.parse(text)


def test_a_path_that_leaves_its_space_is_refused_when_read() -> None:
    with pytest.raises(PathError, match=r"Bucket 1 \(l1\) has blocks 0 to 2; there is no block 3\."):
        SPACE.parse("3-0-0")
