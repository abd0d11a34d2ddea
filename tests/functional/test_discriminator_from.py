"""`rpganify train --discriminator-from RUN`."""

import json

import pytest
import torch
from safetensors.torch import load_file

TRAIN = ["train", "g.rpgan", "--data", "digits", "--discriminator", "mlp", "--batch-size", "8", "--only-new"]


@pytest.fixture
def grown(converted):
    converted.succeeds("train", "tiny_gan.rpgan", *TRAIN[2:-1], "--steps", "3", "-o", "first")
    converted.succeeds("grow", "first", "--add", "1,0,0", "-o", "g.rpgan")
    return converted


def discriminator(shell, run, step):
    return load_file(shell.directory / run / f"checkpoints/step-{step:06d}/discriminator.safetensors")


def assert_equal(one, other):
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_the_first_step_finds_the_discriminator_of_the_run_before(grown):
    """A rate of almost 0 leaves its weights where they began."""
    slow = ["--discriminator-lr", "1e-30", "--steps", "1"]
    told = grown.succeeds(*TRAIN, *slow, "--discriminator-from", "first", "-o", "known").stderr
    assert "discriminator: begins with the weights of first/checkpoints/step-000003" in told
    assert "begins with" not in grown.succeeds(*TRAIN, *slow, "-o", "fresh").stderr
    before, known, fresh = (discriminator(grown, *place) for place in (("first", 3), ("known", 1), ("fresh", 1)))
    # The vectors of spectral norm move on with every use.
    weights = [name for name in before if not name.endswith(("_u", "_v"))]
    assert weights
    for name in weights:
        assert torch.equal(known[name], before[name])
    assert not all(torch.equal(fresh[name], before[name]) for name in weights)


def test_a_run_records_it_and_goes_on_from_its_own_checkpoint(grown):
    options = [*TRAIN, "--discriminator-from", "first", "--checkpoint-every", "2"]
    grown.succeeds(*options, "--steps", "4", "-o", "straight")
    grown.succeeds(*options, "--steps", "2", "-o", "run")
    record = json.loads((grown.directory / "run/config.json").read_text())
    assert record["settings"]["discriminator_from"] == "first"
    assert record["provenance"]["discriminator from"] == "first/checkpoints/step-000003"
    assert len(record["provenance"]["discriminator sha256"]) == 64
    (grown.directory / "first").rename(grown.directory / "gone")
    told = grown.succeeds("train", "run", "--resume", "--steps", "4").stderr
    assert "begins with" not in told and "from step 2 on, to step 4" in told
    assert_equal(discriminator(grown, "run", 4), discriminator(grown, "straight", 4))
    assert json.loads((grown.directory / "run/config.json").read_text())["provenance"] == record["provenance"]
    result = grown("train", "run", "--resume", "--steps", "5", "--discriminator-from", "gone")
    assert result.exit_code == 1 and "other settings: discriminator_from: first -> gone" in result.stderr


def test_a_run_that_was_stopped_before_its_first_checkpoint_begins_with_it_again(grown):
    options = [*TRAIN, "--discriminator-from", "first", "--steps", "2"]
    grown.succeeds(*options, "-o", "straight")
    grown.succeeds(*options, "-o", "run")
    (grown.directory / "run/checkpoints/step-000002").rename(grown.directory / "lost")
    assert "begins with" in grown.succeeds("train", "run", "--resume").stderr
    assert_equal(discriminator(grown, "run", 2), discriminator(grown, "straight", 2))


def test_another_discriminator_is_refused_before_anything_is_written(grown):
    message = grown.refuses(*TRAIN, "--discriminator-arg", "channels=24", "--discriminator-from", "first", "-o", "run")
    assert "first has another discriminator than" in message
    assert "The run was started by `rpganify" in message
    assert not (grown.directory / "run").exists()


def test_a_run_that_gives_its_discriminator_is_not_replaced_by_the_training(grown):
    options = [*TRAIN, "--discriminator-from", "first", "--steps", "1", "-o", "first", "--force"]
    message = grown.refuses(*options)
    assert "first is part of first, which --force would replace" in message
