"""`rpganify linearize` and `rpganify merge` on models on disk."""

from __future__ import annotations

import json

import pytest
import torch

import rpganify
from rpganify.surgery.merge import original_paths


@pytest.fixture
def linear(shell):
    shell.succeeds("convert", "mlp28", "--arg", "channels=8", "--arg", "linear=True", "--blocks", "3", "-o", "m.rpgan")
    return shell


def test_three_buckets_become_one_that_is_proved_and_timed(linear):
    told = linear.succeeds(
        "merge", "m.rpgan", "--buckets", "3-5", "--blocks", "6", "-o", "s.rpgan", "--batch", "1,4", "--rounds", "2"
    )
    assert "verified: images differ from those of the same blocks before by at most" in told.stdout
    assert "times as fast" in told.stdout and "medians of 2 rounds on cpu" in told.stdout
    before, after = (rpganify.load(linear.directory / name) for name in ("m.rpgan", "s.rpgan"))
    assert after.plan.num_blocks == (3, 3, 6)
    paths = after.draw(20, torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(after(paths), before(original_paths(after, paths)), rtol=0, atol=1e-6)


def test_the_figures_are_json_for_a_script(linear):
    told = linear.succeeds(
        "merge", "m.rpgan", "--buckets", "l4,l5", "--product", "2-0", "--product", "1-1", "--batch", "2", "--rounds", "1",
        "--json", "-o", "s.rpgan",
    )  # fmt: skip
    data = json.loads(told.stdout)
    assert data["largest_difference"] < 1e-6 < data["largest_value"]
    assert [row["batch"] for row in data["speed"]] == [2] and data["speed"][0]["ratio"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--buckets", "3-5"], "how many products"),
        (["--buckets", "3,5", "--blocks", "2"], "follow each other"),
        (["--buckets", "4-6", "--blocks", "2"], "There is no bucket '6'"),
        (["--buckets", "4-5", "--product", "3-0"], "there is no block 3"),
        (["--buckets", "4-5", "--blocks", "10"], "There are 9 different products"),
    ],
)
def test_what_cannot_be_merged_is_refused(linear, arguments, message):
    assert message in linear.refuses("merge", "m.rpgan", *arguments, "-o", "s.rpgan")


def test_an_activation_is_in_the_way_until_it_is_linearized(shell):
    shell.succeeds("convert", "mlp28", "--arg", "channels=8", "--blocks", "3", "-o", "m.rpgan")
    message = shell.refuses("merge", "m.rpgan", "--buckets", "3-5", "--blocks", "4", "-o", "s.rpgan")
    assert "Behind l3 is relu (mlp.py:" in message and "`rpganify linearize`" in message
    told = shell.succeeds("linearize", "m.rpgan", "-o", "l.rpgan")
    lines = told.stdout.splitlines()
    assert sum(line.startswith("replaced by the identity: relu (mlp.py:") for line in lines) == 4
    assert lines[-1].startswith("kept, as it brings images into their range: tanh")
    shell.succeeds("merge", "l.rpgan", "--buckets", "3-5", "--blocks", "4", "--rounds", "0", "-o", "s.rpgan")


def test_a_source_is_linearized_as_a_standard_generator(tiny):
    told = tiny.succeeds("linearize", "tiny_gan.py", "-o", "l.rpgan")
    assert "replaced by the identity: relu" in told.stdout and "kept" in told.stdout
    assert "nothing" not in told.stdout
    tiny.succeeds("sample", "l.rpgan", "-n", "4", "-o", "grid.png")
    assert "no activation" in tiny.refuses("linearize", "l.rpgan", "-o", "again.rpgan")
