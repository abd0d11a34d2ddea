"""Trainings that go on, are repeated, or are opened where a checkpoint is damaged; on the command line."""

import json
import signal
import tomllib

import pytest
import torch
from safetensors.torch import load_file

TRAIN = (
    "train tiny_gan.rpgan --data digits --discriminator mlp --batch-size 8 --sample-every 6 --checkpoint-every 2 "
    "--ema 0.9 --loss wgan-gp --loss-arg penalty_weight=5 --loss-arg one_sided=True --d-steps 2 --betas 0,0.9"
).split()
TENSORS = (
    "generator.rpgan/generator.safetensors",
    "ema.rpgan/generator.safetensors",
    "discriminator.safetensors",
    "optimizers.safetensors",
)


def latest(shell, run):
    return shell.directory / run / "checkpoints/latest"


def assert_same_training(shell, one, other):
    for name in TENSORS:
        a, b = load_file(latest(shell, one) / name), load_file(latest(shell, other) / name)
        assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a), name
    numbers = [json.loads((latest(shell, run) / "state.json").read_text()) | {"elapsed_s": 0} for run in (one, other)]
    assert numbers[0] == numbers[1]


def refused(shell, *arguments):
    result = shell(*arguments)
    assert result.exit_code == 1, result.stderr
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    return error


def test_a_run_s_own_file_repeats_it_bit_for_bit(converted):
    converted.succeeds(*TRAIN, "--steps", "4", "-o", "first")
    written = tomllib.loads((converted.directory / "first/config.toml").read_text())
    assert written["loss_arg"] == ["penalty_weight=5", "one_sided=True"] and written["betas"] == "0,0.9"
    converted.succeeds("train", "--config", "first/config.toml", "-o", "second")
    assert_same_training(converted, "first", "second")
    again = tomllib.loads((converted.directory / "second/config.toml").read_text())
    assert again == {**written, "output": "second"}
    assert "first holds a training already" in refused(converted, "train", "--config", "first/config.toml")


def test_a_run_goes_on_by_its_name_alone_also_without_its_model(converted):
    converted.succeeds(*TRAIN, "--steps", "6", "-o", "straight")
    converted.succeeds(*TRAIN, "--steps", "3", "-o", "run")
    (converted.directory / "tiny_gan.rpgan").rename(converted.directory / "elsewhere.rpgan")
    told = converted.succeeds("train", "run", "--resume", "--steps", "6").stderr
    assert "from step 3 on, to step 6" in told
    assert_same_training(converted, "straight", "run")
    written = tomllib.loads((converted.directory / "run/config.toml").read_text())
    assert (written["model"], written["steps"]) == ("tiny_gan.rpgan", 6)


def test_a_run_goes_on_by_the_clock_in_place_of_its_steps(converted):
    converted.succeeds(*TRAIN, "--steps", "3", "-o", "run")
    told = converted.succeeds("train", "run", "--resume", "--minutes", "0.00001").stderr
    assert "from step 3 on, for 1e-05 minutes in all" in told
    written = tomllib.loads((converted.directory / "run/config.toml").read_text())
    assert written["minutes"] == 1e-05 and "steps" not in written


def test_what_may_differ_is_named_and_nothing_else_may(converted):
    converted.succeeds(*TRAIN, "--steps", "3", "-o", "run")
    before = converted.files()
    go_on = ["train", "run", "--resume", "--steps", "4", "--batch-size", "4", "--d-steps", "1"]
    assert "other settings: batch_size: 8 -> 4; d_steps: 2 -> 1. Resume it" in refused(converted, *go_on)
    error = refused(converted, *go_on, "--override", "batch_size")
    assert "other settings: d_steps: 2 -> 1. Resume it with its own, allow a change by --override 'd_steps'" in error
    error = refused(converted, *go_on, "--override", "bach_size", "--override", "d_steps")
    assert "There is no setting 'bach_size' to override. Did you mean 'batch_size'" in error
    assert converted.files() == before
    converted.succeeds(*go_on, "--override", "batch_size", "--override", "d_steps")
    assert json.loads((latest(converted, "run") / "state.json").read_text())["position"] == 3 * 16 + 4
    converted.succeeds("train", "run", "--resume", "--steps", "5")  # with the settings that it has now


@pytest.mark.parametrize(
    ("file", "is_opened"),
    [("ema.rpgan/generator.safetensors", True), ("generator.rpgan/graph.json", False), ("state.json", False)],
)
def test_a_checkpoint_with_a_flipped_byte_is_refused_by_name_and_the_one_before_it_is_used(converted, file, is_opened):
    converted.succeeds(*TRAIN, "--steps", "4", "-o", "straight")
    converted.succeeds(*TRAIN, "--steps", "4", "-o", "run")
    damaged = latest(converted, "run").resolve() / file
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0x10
    damaged.write_bytes(content)
    warning = f"warning: The checkpoint run/checkpoints/step-000004 is damaged ({file} does not have its checksum), so"

    told = converted.succeeds("sample", "run", "-n", "4", "-o", "grid.png").stderr
    assert (warning in told) == is_opened  # what is sampled is in files of its own
    assert f"moving average after step {2 if is_opened else 4}" in told

    told = converted.succeeds("train", "run", "--resume").stderr
    assert warning in told and "from step 2 on, to step 4" in told
    assert_same_training(converted, "straight", "run")
    assert warning not in converted.succeeds("sample", "run", "-n", "4", "-o", "grid.png").stderr


def test_a_new_training_has_nothing_to_override(converted):
    result = converted(*TRAIN, "--steps", "1", "-o", "run", "--override", "batch_size")
    assert result.exit_code == 2
    assert "a new one has the settings that you give. Add --resume, or leave it out." in " ".join(result.stderr.split())
    assert not (converted.directory / "run").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_training_that_is_asked_to_stop_saves_and_says_by_its_exit_code_who_asked(
    converted, monkeypatch, number, code
):
    from rpganify.training.recording.writers import MetricsWriter

    told = MetricsWriter.on_step

    def stop(self, metrics):
        told(self, metrics)
        if metrics.step == 3:
            signal.raise_signal(number)

    converted.succeeds(*TRAIN, "--steps", "5", "-o", "straight")
    monkeypatch.setattr(MetricsWriter, "on_step", stop)
    result = converted(*TRAIN, "--steps", "5", "-o", "run")
    assert result.exit_code == code
    assert "stopped at step 3 of 5, saved. Go on with: rpganify train run --resume" in result.stderr
    assert latest(converted, "run").resolve().name == "step-000003"
    monkeypatch.setattr(MetricsWriter, "on_step", told)
    converted.succeeds("train", "run", "--resume")
    assert_same_training(converted, "straight", "run")
