"""`rpganify grow` and `rpganify train --only-new` on a model on disk."""

from __future__ import annotations

import json

import pytest
import torch

import rpganify
from rpganify.conversion.replication import tensors_by_name
from rpganify.surgery.grow import data_before


@pytest.fixture
def model(shell):
    shell.succeeds("convert", "mlp28", "--arg", "channels=8", "--blocks", "3", "-o", "m.rpgan")
    return shell.directory / "m.rpgan"


def test_a_model_grows_and_learns_and_everything_old_stays(shell, model):
    told = shell.succeeds("grow", "m.rpgan", "--add", "2,1,0,0,0", "-o", "g.rpgan")
    assert "verified: in eval mode the images of 64 old paths are bit for bit as they were" in told.stdout
    assert "new paths: 297, old ones: 243" in told.stdout
    assert "next: rpganify train g.rpgan --data NAME --only-new -o runs/g" in told.stderr
    trained = shell.succeeds(
        "train", "g.rpgan", "--data", "digits", "--only-new", "--steps", "4", "--ema", "0.9", "-o", "run"
    )
    lines = [line for line in trained.stdout.splitlines() if line.startswith("verified, ")]
    assert len(lines) == 2 and "verified, moving average: all" in lines[1]
    assert "are bit for bit as they were; of " in lines[0]
    before, after = rpganify.load(model), rpganify.load(shell.directory / "run")
    assert after.plan.num_blocks == (5, 4, 3, 3, 3)
    paths = before.draw(30, torch.Generator().manual_seed(0))
    assert torch.equal(after(paths), before(paths))
    assert torch.equal(tensors_by_name(after)["Z"], tensors_by_name(before)["Z"])
    assert not torch.equal(
        after.get_parameter("l1.weight")[3], rpganify.load(shell.directory / "g.rpgan").get_parameter("l1.weight")[3]
    )


def test_a_registered_architecture_is_built_anew_without_being_named(shell, model):
    told = shell.succeeds("grow", "m.rpgan", "--add", "1,0,0,0,0", "-o", "g.rpgan")
    assert "random order" not in told.stderr
    grown = rpganify.load(shell.directory / "g.rpgan").get_parameter("l1.weight")
    torch.manual_seed(3)
    built = rpganify.architecture("mlp28", channels=8)
    assert grown[3].shape == built.l1.weight.shape
    assert not any(torch.equal(grown[3].flatten().sort().values, row.flatten().sort().values) for row in grown[:3])


def test_a_stranger_s_generator_is_built_anew_from_its_source(tiny):
    shell = tiny
    shell.succeeds("convert", "tiny_gan.py", "--blocks", "2", "-o", "t.rpgan")
    num_buckets = rpganify.load(shell.directory / "t.rpgan").plan.num_buckets
    add = ",".join(["1"] * num_buckets)
    assert "in a random order; --source" in shell.succeeds("grow", "t.rpgan", "--add", add, "-o", "a.rpgan").stderr
    assert (
        "random order"
        not in shell.succeeds("grow", "t.rpgan", "--add", add, "--source", "tiny_gan.py", "-o", "b.rpgan").stderr
    )
    one, other = (rpganify.load(shell.directory / name).get_parameter("l1.weight") for name in ("a.rpgan", "b.rpgan"))
    assert torch.equal(one[0].flatten().sort().values, one[2].flatten().sort().values)
    assert not torch.equal(other[0].flatten().sort().values, other[2].flatten().sort().values)


def test_the_result_is_json_for_a_script(shell, model):
    told = json.loads(
        shell.succeeds("grow", "m.rpgan", "--add", "0 0 0 0 2", "--init", "copy", "-o", "g", "--json").stdout
    )
    assert told["added"] == [0, 0, 0, 0, 2] and told["old_paths_difference"] == 0 and told["written"] == "g"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--add", "5,5"], "2 numbers of new blocks (5,5) for 5 buckets"),
        (["--add", "0,0,0,0,0"], "Nothing to add"),
        (["--add", "1,0,0,0,-1"], "are no numbers of new blocks"),
        (["--add", "1,0,0,0,0", "--init", "wild"], "wild"),
    ],
)
def test_what_does_not_fit_is_refused(shell, model, arguments, message):
    assert message in shell.refuses("grow", "m.rpgan", *arguments, "-o", "g.rpgan")


def test_a_standard_generator_cannot_grow(shell, model):
    shell.succeeds("train", "mlp28", "--standard", "--arg", "channels=8", "--data", "digits", "--steps", "1", "-o", "s")
    assert "has no buckets and blocks" in shell.refuses("grow", "s", "--add", "1", "-o", "g.rpgan")


def test_training_only_new_blocks_needs_some(shell, model):
    message = shell.refuses("train", "m.rpgan", "--data", "digits", "--only-new", "--steps", "1", "-o", "run")
    assert "has no new blocks" in message


def test_samples_are_drawn_among_old_or_new_paths(shell, model):
    shell.succeeds("grow", "m.rpgan", "--add", "2,0,0,0,0", "-o", "g.rpgan")
    for among, is_new in (("old", False), ("new", True)):
        told = shell.succeeds("sample", "g.rpgan", "-n", "12", "--among", among, "-o", f"{among}.npy", "--json")
        blocks = [int(path.split("-")[0]) for path in json.loads(told.stdout)["paths"]]
        assert len(blocks) == 12 and all((block >= 3) is is_new for block in blocks)
    assert "has no new blocks" in shell.refuses("sample", "m.rpgan", "--among", "new", "-o", "grid.png")
    result = shell("sample", "g.rpgan", "--among", "new", "--vary", "1", "-o", "grid.png")
    assert result.exit_code == 2 and "chooses random paths" in result.stderr


def test_a_grown_model_knows_on_what_its_run_was_trained_before(shell, model):
    train = ["--data", "digits[0-6]", "--steps", "1", "--batch-size", "4"]
    shell.succeeds("train", "m.rpgan", *train, "-o", "run")
    for source in ("run", "run/checkpoints/step-000001", "run/checkpoints/latest/generator.rpgan"):
        told = shell.succeeds("grow", source, "--add", "1,0,0,0,0", "-o", "g.rpgan", "--force").stderr
        assert ("--only-new --discriminator-from run -o runs/g" in told) is (source == "run")
        assert data_before(rpganify.load(shell.directory / "g.rpgan")) == "digits[0-6]"
    shell.succeeds("grow", "m.rpgan", "--add", "1,0,0,0,0", "-o", "u.rpgan")
    assert data_before(rpganify.load(shell.directory / "u.rpgan")) == ""
    assert data_before(rpganify.load(model)) == ""
