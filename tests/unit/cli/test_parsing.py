"""Option values as the library takes them."""

import pytest
import typer

from rpganify.cli.parsing import (
    find_bucket,
    parse_block_cases,
    parse_blocks,
    parse_buckets,
    parse_indices,
    parse_literals,
    parse_pairs,
    parse_sizes,
)
from rpganify.errors import PathError


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (None, None),
        ([], None),
        (["  "], None),
        (["5"], 5),
        (["-1"], -1),
        (["l1 block2 b5,c5"], ["l1", "block2", "b5,c5"]),
        (["l1", "block2,block3"], ["l1", "block2,block3"]),
        (["l1"], ["l1"]),
        (["5 c5"], ["5", "c5"]),
    ],
)
def test_buckets_are_a_number_or_entries_parted_by_spaces_and_repetition(values, expected):
    assert parse_buckets(values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (None, None),
        (["40"], 40),
        (["0"], 0),
        (["20 20 8"], [20, 20, 8]),
        (["20,20, 8"], [20, 20, 8]),
        (["20", "8"], [20, 8]),
    ],
)
def test_blocks_are_one_count_or_one_for_each_bucket(values, expected):
    assert parse_blocks(values) == expected


@pytest.mark.parametrize("text", ["many", "4.5", "20x8"])
def test_blocks_that_are_no_whole_numbers_are_wrong_usage(text):
    with pytest.raises(typer.BadParameter, match=rf"{text!r} is no number of blocks; give one for all \(40\)"):
        parse_blocks([text])


def test_a_pair_keeps_everything_behind_its_first_equals_sign_as_text():
    assert parse_pairs(["latent_dim=128", "mode=a=b", "name="], "--arg", "latent_dim=128") == {
        "latent_dim": "128",
        "mode": "a=b",
        "name": "",
    }


@pytest.mark.parametrize("text", ["latent_dim", "=3", "2x=3", "a b=3"])
def test_a_pair_without_a_name_and_a_value_is_wrong_usage(text):
    with pytest.raises(typer.BadParameter, match="is not name=value, such as latent_dim=128"):
        parse_pairs([text], "--arg", "latent_dim=128")


def test_a_name_given_twice_is_wrong_usage():
    with pytest.raises(typer.BadParameter, match="'dim' is given twice"):
        parse_pairs(["dim=1", "dim=2"], "--arg", "latent_dim=128")


def test_literals_are_read_and_other_text_stays_text():
    texts = ["a=10", "b=0.5", "c=True", "d=(1, 2)", "e=relu", "f=1e"]
    expected = {"a": 10, "b": 0.5, "c": True, "d": (1, 2), "e": "relu", "f": "1e"}
    assert parse_literals(texts, "--loss-arg", "penalty_weight=10") == expected


@pytest.mark.parametrize(("text", "index"), [("1", 0), ("3", 2), ("l1", 0), ("c5", 2)])
def test_a_bucket_is_found_by_its_number_from_1_and_by_its_name(text, index):
    assert find_bucket(("l1", "block2", "c5"), text) == index


def test_a_name_wins_over_a_number():
    assert find_bucket(("2", "1"), "1") == 1


@pytest.mark.parametrize("text", ["0", "4", "-1", "blok2", ""])
def test_an_unknown_bucket_is_refused_with_all_that_there_are(text):
    with pytest.raises(PathError, match=r"There is no bucket .*: this model has 1 \(l1\), 2 \(block2\), 3 \(c5\)\."):
        find_bucket(("l1", "block2", "c5"), text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, None), ("40", [40]), ("1,10,40", [1, 10, 40]), ("20 20 8, 40", [(20, 20, 8), 40]), ("5,5", [5])],
)
def test_commas_part_numbers_of_blocks_to_try_and_spaces_those_of_the_buckets(text, expected):
    assert parse_block_cases(text) == expected


@pytest.mark.parametrize("text", ["", "1,,2", "1,"])
def test_nothing_between_two_commas_is_refused(text):
    with pytest.raises(typer.BadParameter, match="is no number; write 1,10,40"):
        parse_block_cases(text)


def test_sizes_are_whole_numbers_from_1_parted_by_commas():
    assert parse_sizes(None, "--batch") is None
    assert parse_sizes("16, 64,16", "--batch") == [16, 64]
    for text in ("", "0", "16,-1", "1.5"):
        with pytest.raises(typer.BadParameter, match=r"is no number, 1 or larger; several are parted by commas"):
            parse_sizes(text, "--batch")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0-3,7", [0, 1, 2, 3, 7]), ("5", [5]), ("4, 2-2, 1-4", [1, 2, 3, 4]), (None, [])],
)
def test_places_are_numbers_and_ranges_from_0_in_rising_order(text, expected):
    assert parse_indices(text, "--part") == expected


@pytest.mark.parametrize("text", ["", "3-", "-3", "4-2", "a", "1,,2", "1.5"])
def test_what_is_no_place_or_range_is_wrong_usage(text):
    with pytest.raises(typer.BadParameter, match="neither a place nor a range of them; write 0-63, or 0-3,7"):
        parse_indices(text, "--part")
