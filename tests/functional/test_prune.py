"""`rpganify prune` on a model on disk."""

from __future__ import annotations

import json

import pytest
import torch

import rpganify


@pytest.fixture
def grown(converted):
    converted.succeeds("grow", "tiny_gan.rpgan", "--add", "0,2,0", "--init", "copy", "-o", "g.rpgan")
    return converted


def test_growing_and_dropping_again_gives_the_first_model_back(grown):
    told = grown.succeeds("prune", "g.rpgan", "--drop", "conv1=3-4", "-o", "back.rpgan")
    assert "blocks: 3, 5, 3 -> 3, 3, 3" in told.stdout and "paths: 45 -> 27" in told.stdout
    first, back = (rpganify.load(grown.directory / name) for name in ("tiny_gan.rpgan", "back.rpgan"))
    assert back.plan == first.plan
    one, other = first.state_dict(), back.state_dict()
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_duplicates_go_and_the_numbers_are_kept(grown):
    told = grown.succeeds("prune", "g.rpgan", "-o", "p.rpgan", "--mapping", "numbers.json", "--json")
    data = json.loads(told.stdout)
    assert data["num_blocks"] == {"before": [3, 5, 3], "after": [3, 3, 3]}
    assert data["cost"]["image_distance"] == 0
    written = json.loads((grown.directory / "numbers.json").read_text())
    assert written == {"block of the model before, by new number": data["kept"]}
    assert data["kept"]["conv1"] == [0, 1, 2]


def test_cost_and_gain_are_told(grown):
    told = grown.succeeds("prune", "g.rpgan", "--keep", "2", "-o", "p.rpgan")
    assert "closest that stays" in told.stdout and "of random paths go through a dropped block" in told.stdout
    assert "% less" in told.stdout
    grown.succeeds("prune", "g.rpgan", "--target-coverage", "0.5", "--data-size", "24", "-o", "q.rpgan")
    assert rpganify.load(grown.directory / "q.rpgan").paths.cardinality >= 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--drop", "2=0-4"], "Bucket 2 (conv1) would be left without a block"),
        (["--keep", "0"], "cannot keep 0"),
        (["--drop", "2=0", "--keep", "1"], "Give one of them"),
        (["--target-coverage", "1"], "--data-size"),
        (["--drop", "nine=0"], "There is no bucket 'nine'"),
    ],
)
def test_what_cannot_be_pruned_is_refused(grown, arguments, message):
    assert message in grown.refuses("prune", "g.rpgan", *arguments, "-o", "p.rpgan")


def test_a_drop_that_is_not_written_so_is_wrong_usage(grown):
    result = grown("prune", "g.rpgan", "--drop", "conv1:3", "-o", "p.rpgan")
    assert result.exit_code == 2 and "is not BUCKET=BLOCKS" in result.stderr
