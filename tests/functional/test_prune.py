"""`rpganify prune` on a model on disk."""

from __future__ import annotations

import json
import re

import pytest
import torch

import rpganify
from rpganify.surgery.drop import paths_before


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


QUALITY = ["--data", "digits", "--extractor", "pixels", "--num-images", "300"]


def test_the_worst_blocks_go_and_quality_is_told_before_and_after(converted):
    told = converted.succeeds("prune", "tiny_gan.rpgan", "--low-quality", "--keep", "2", *QUALITY, "-o", "p.rpgan")
    lines = told.stdout.splitlines()
    assert (
        sum(line.startswith("dropped") for line in lines) == 3 and sum(line.startswith("stays") for line in lines) == 5
    )
    assert "and 1 more, of higher scores" in told.stdout
    assert "of 300 images to 300 real ones without the block's" in told.stdout
    assert re.search(
        r"Fréchet distance \(pixels\): \S+ \[.*\] -> \S+ \[.*\]; lower is better; means of 5 sets", told.stdout
    )
    assert re.search(r"size: [\d,]+ -> [\d,]+ values, \d+% less; 0\.\d+ -> 0\.\d+ MB on disk", told.stdout)
    assert rpganify.load(converted.directory / "p.rpgan").plan.num_blocks == (2, 2, 2)


def test_quality_is_told_of_any_pruning_where_there_are_real_images(grown):
    told = grown.succeeds("prune", "g.rpgan", "--drop", "conv1=3-4", *QUALITY, "--json", "-o", "p.rpgan")
    data = json.loads(told.stdout)
    assert data["low_quality"] is None and data["cost"] is None
    quality = data["quality"]
    assert quality["num_images"] == 300 and quality["num_draws"] == 5
    assert quality["before"]["low"] <= quality["before"]["value"] <= quality["before"]["high"]
    sizes = {file: (grown.directory / file) for file in ("g.rpgan", "p.rpgan")}
    on_disk = [sum(one.stat().st_size for one in folder.iterdir()) for folder in sizes.values()]
    assert [data["num_bytes"]["before"], data["num_bytes"]["after"]] == on_disk


def test_a_bucket_that_is_left_with_one_block_becomes_an_ordinary_layer(grown):
    told = grown.succeeds("prune", "g.rpgan", "--drop", "conv1=0,2-4", "-o", "p.rpgan", "--mapping", "numbers.json")
    assert "blocks: 3, 5, 3 -> 3, 3" in told.stdout and "paths: 45 -> 9" in told.stdout
    assert "one block is left of conv1: it is an ordinary layer now, and paths are shorter" in told.stdout
    written = json.loads((grown.directory / "numbers.json").read_text())
    assert written["block of the model before, by new number"]["conv1"] == [1]
    assert written["buckets that are ordinary layers now"] == ["conv1"]
    before, after = (rpganify.load(grown.directory / name) for name in ("g.rpgan", "p.rpgan"))
    paths = after.draw(9)
    with torch.no_grad():
        torch.testing.assert_close(after(paths), before(paths_before(after, paths)), rtol=0, atol=1e-6)
    kept = grown.succeeds("prune", "g.rpgan", "--drop", "conv1=0,2-4", "-o", "k.rpgan", "--keep-buckets", "--json")
    assert json.loads(kept.stdout)["num_blocks"]["after"] == [3, 1, 3] and json.loads(kept.stdout)["ordinary"] == []


CONDITIONAL = """
import torch
from torch import nn


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.label = nn.Embedding(10, 4)
        self.l1, self.l2 = nn.Linear(6, 12), nn.Linear(12, 64)

    def forward(self, z, labels):
        return torch.tanh(self.l2(torch.relu(self.l1(torch.cat([z, self.label(labels)], 1))))).view(-1, 1, 8, 8)
"""


def test_labels_are_drawn_from_the_data_s_where_quality_is_measured(shell):
    shell.write("gan.py", CONDITIONAL)
    shell.succeeds(
        "convert", "gan.py", "--latent", "z:2", "--input", "labels=scalar:int", "--buckets", "l1 l2", "--blocks", "3", "-o",
        "m.rpgan",
    )  # fmt: skip
    told = shell.succeeds("prune", "m.rpgan", "--low-quality", "--worst", "1", *QUALITY, "--json", "-o", "p.rpgan")
    data = json.loads(told.stdout)
    assert len(data["low_quality"]["drops"]) == 1 and data["low_quality"]["definition"].startswith(
        "Ours. Images of random"
    )
    result = shell("prune", "m.rpgan", "--keep", "2", *QUALITY, "-o", "q.rpgan")
    assert result.exit_code == 2 and "also needs labels" in result.stderr  # blocks are compared under one label
    shell.succeeds("prune", "m.rpgan", "--keep", "2", "--condition", "labels=3", "-o", "q.rpgan")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--low-quality"], "it needs --data and --extractor, and was given neither"),
        (["--low-quality", "--data", "digits"], "was given --data digits. For example"),
        (["--keep", "2", "--extractor", "pixels"], "was given --extractor pixels"),
        (["--worst", "2"], "--worst goes with --low-quality"),
        (["--worst", "2", "--keep", "2", "--low-quality", *QUALITY], "Give one of them"),
        (["--drop", "2=0", "--low-quality", *QUALITY], "--drop says which blocks go"),
        (["--low-quality", "--worst", "9", *QUALITY], "The worst 9 blocks cannot be dropped"),
        (["--low-quality", *QUALITY[:-1], "110"], "110 images say little of distances"),
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
