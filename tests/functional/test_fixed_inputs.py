"""One Z, several, or one for each image, on the command line."""

import json

import pytest
import torch
from safetensors.torch import load_file

import rpganify

TRAINING = ["--data", "digits", "--steps", "2", "--batch-size", "8", "--discriminator-arg", "channels=8"]


@pytest.fixture
def several(tiny):
    tiny.succeeds(
        "convert", "tiny_gan.py", "--buckets", "l1 conv1 conv2", "--blocks", "3", "--num-Z", "4", "-o", "z.rpgan"
    )
    return tiny


def test_several_z_are_a_row_of_the_plan_and_a_column_of_the_path(tiny):
    options = [
        "tiny_gan.py",
        "--buckets",
        "l1 conv1 conv2",
        "--blocks",
        "3",
        "--num-Z",
        "4",
        "--write-plan",
        "plan.json",
    ]
    table = tiny.succeeds("convert", *options, "-o", "z.rpgan").stdout
    first = next(line for line in table.splitlines() if line.split()[:1] == ["1"])
    assert first.split() == ["1", "Z", "Z", "6", "4", "24"]
    assert "paths: 4 · 3³ = 108" in table
    plan = json.loads((tiny.directory / "plan.json").read_text())
    assert plan["buckets"][0] == {"name": "Z", "layers": ["Z"], "num_blocks": 4}
    tiny.succeeds("convert", "tiny_gan.py", "--plan", "plan.json", "-o", "again.rpgan")
    assert rpganify.load(tiny.directory / "again.rpgan").plan.num_blocks == (4, 3, 3, 3)


def test_several_z_are_trained_varied_analyzed_and_exported(several):
    before = rpganify.load(several.directory / "z.rpgan").Z.detach().clone()
    several.succeeds("train", "z.rpgan", *TRAINING, "--lr", "1e-2", "-o", "run")
    model = rpganify.load(several.directory / "run")
    assert (before != model.Z).any(1).all()  # learned: each of them, as 16 images draw all four
    several.succeeds("sample", "run", "--vary", "Z", "--path", "0-1-2-0", "-o", "z.png")
    several.succeeds("analyze", "run", "variations", "-o", "report")
    several.succeeds("export", "run", "--path", "3-1-2-0", "--latent", "latent.safetensors", "-o", "plain.safetensors")
    (latent,) = load_file(several.directory / "latent.safetensors").values()
    assert torch.equal(latent, model.Z[3:4].detach())


@pytest.mark.parametrize("choice", ["fixed", "random"])
def test_z_that_is_not_learned_stays_as_it_was_born_while_the_blocks_learn(converted, choice):
    before = rpganify.load(converted.directory / "tiny_gan.rpgan")
    converted.succeeds("train", "tiny_gan.rpgan", *TRAINING, "--Z", choice, "-o", "run")
    after = rpganify.load(converted.directory / "run")
    assert torch.equal(after.Z, before.Z)
    assert not torch.equal(after.get_parameter("l1.weight"), before.get_parameter("l1.weight"))
    converted.succeeds("sample", "run", "-n", "4", "-o", "grid.png")


def test_random_z_trains_otherwise_than_a_fixed_one_and_as_its_seed_says(converted):
    weights = {}
    for name, options in (
        ("fixed", ["--Z", "fixed"]),
        ("random", ["--Z", "random"]),
        ("again", ["--Z", "random"]),
    ):
        converted.succeeds("train", "tiny_gan.rpgan", *TRAINING, *options, "-o", name)
        weights[name] = rpganify.load(converted.directory / name).get_parameter("l1.weight")
    assert torch.equal(weights["random"], weights["again"])
    assert not torch.equal(weights["random"], weights["fixed"])


def test_random_z_beside_several_z_is_refused(several):
    result = several("train", "z.rpgan", *TRAINING, "--Z", "random", "-o", "run")
    assert result.exit_code == 1
    assert "paths of this model choose one of its 4 Z (bucket 1, Z)" in result.stderr


def test_num_z_does_not_go_with_a_plan_and_is_at_least_one(several):
    result = several("convert", "tiny_gan.py", "--num-Z", "2", "--plan", "plan.json")
    assert result.exit_code == 2 and "leave out --buckets, --blocks and --num-Z" in result.stderr.replace("\n", " ")
    assert "num_Z=0 is no number of fixed inputs" in several.refuses(
        "convert", "tiny_gan.py", "--num-Z", "0", "-o", "x.rpgan"
    )
