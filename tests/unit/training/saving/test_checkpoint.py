import errno
import logging
import shutil

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from torch import nn

from rpganify.errors import ModelFileError, TrainingError
from rpganify.manifest import find_damage
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.randomness import seeded_globals
from rpganify.training.saving import checkpoint as module
from rpganify.training.saving.checkpoint import (
    keep_newest,
    list_checkpoints,
    newest_intact,
    read_checkpoint,
    remove_leftovers,
    write_checkpoint,
)
from rpganify.training.state import TrainingState
from rpganify.training.training_step import TrainingStep
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded

CONFIG = TrainConfig(batch_size=8)


@pytest.fixture(autouse=True)
def _own_randomness():
    with seeded_globals(0):
        yield


def fresh_state(seed=0):
    return TrainingState.initial(seeded(TinyPaths, seed), seeded(Critic, seed + 1), CONFIG)


def moved_state(steps=3):
    """A state after some steps, so that optimizers, streams and power iterations have moved."""
    state = fresh_state()
    step = TrainingStep(Hinge(), digits(50), CONFIG)
    for _ in range(steps):
        step(state)
    return state


def everything(state):
    return {
        **{f"g.{name}": value for name, value in state.generator.state_dict().items()},
        **{f"d.{name}": value for name, value in state.discriminator.state_dict().items()},
        **state.optimizer_tensors(),
    }


def test_what_is_read_is_exactly_what_was_written(tmp_path):
    state = moved_state()
    numbers = state.to_json()
    directory = write_checkpoint(tmp_path, state)
    torch.rand(5)
    other = fresh_state(seed=9)
    read_checkpoint(directory, other)
    assert other.to_json() == numbers
    expected, found = everything(state), everything(other)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert directory.name == "step-000003"
    assert find_damage(directory) is None


def test_a_checkpoint_holds_no_pickle_and_nothing_is_left_beside_it(tmp_path):
    directory = write_checkpoint(tmp_path, moved_state())
    assert sorted(path.name for path in directory.iterdir()) == [
        "discriminator.safetensors",
        "generator.safetensors",
        "manifest.json",
        "optimizers.safetensors",
        "state.json",
    ]
    assert list(tmp_path.iterdir()) == [directory]


def test_the_generator_can_be_written_as_a_model_of_its_own(tmp_path):
    def save_model(model, directory):
        directory.mkdir()
        (directory / "graph.json").write_text("{}")
        module.save_file(model.state_dict(), directory / "generator.safetensors")

    state = moved_state()
    directory = write_checkpoint(tmp_path, state, save_model)
    assert not (directory / "generator.safetensors").exists()
    other = fresh_state(seed=9)
    read_checkpoint(directory, other)
    assert torch.equal(other.generator.first_weight, state.generator.first_weight)
    (directory / "generator.rpgan" / "graph.json").write_text("{ }")
    assert find_damage(directory) == "generator.rpgan/graph.json has 3 bytes, not 2"


def test_parameters_that_share_memory_are_written_and_read(tmp_path):
    state = fresh_state()
    state.discriminator.again = state.discriminator.last
    directory = write_checkpoint(tmp_path, state)
    other = fresh_state(seed=9)
    other.discriminator.again = other.discriminator.last
    read_checkpoint(directory, other)
    assert torch.equal(other.discriminator.again.bias, state.discriminator.last.bias)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, 4), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_noticed_and_named(tmp_path, which, place, bit):
    directory = tmp_path / "step-000003"
    if not directory.exists():
        write_checkpoint(tmp_path, moved_state())
    path = sorted(directory.iterdir())[which]
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    intact = path.read_bytes()
    path.write_bytes(content)
    damage = find_damage(directory)
    path.write_bytes(intact)
    assert damage is not None and path.name in damage
    assert find_damage(directory) is None


@pytest.mark.parametrize("name", ["manifest.json", "state.json", "optimizers.safetensors"])
def test_a_missing_or_truncated_file_is_named(tmp_path, name):
    directory = write_checkpoint(tmp_path, moved_state())
    path = directory / name
    path.write_bytes(path.read_bytes()[:-10])
    assert name in find_damage(directory)
    path.unlink()
    assert find_damage(directory) == f"{name} is missing"


def test_the_newest_intact_checkpoint_is_found_and_damaged_ones_are_named_in_the_log(tmp_path, caplog):
    state = moved_state()
    for step in (3, 10, 200):
        state.step = step
        write_checkpoint(tmp_path, state)
    (tmp_path / "step-000200" / "state.json").write_text("{}")
    (tmp_path / "step-000010" / "generator.safetensors").unlink()
    with caplog.at_level(logging.WARNING):
        assert newest_intact(tmp_path) == tmp_path / "step-000003"
    first, second = (record.getMessage() for record in caplog.records)
    assert "step-000200 is damaged (state.json has 2 bytes" in first
    assert "step-000010 is damaged (generator.safetensors is missing)" in second


def test_there_may_be_no_intact_checkpoint(tmp_path):
    assert newest_intact(tmp_path / "nowhere") is None
    (tmp_path / "step-000001").mkdir()
    assert newest_intact(tmp_path) is None


def test_checkpoints_are_ordered_by_step_and_other_folders_are_none(tmp_path):
    for name in ("step-999999", "step-1000000", "step-000002", "step-2", "step-000003.old", ".aside-step-000004"):
        (tmp_path / name).mkdir()
    (tmp_path / "step-000005").touch()
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-000002", "step-999999", "step-1000000"]


def test_only_the_newest_are_kept(tmp_path):
    state = moved_state()
    for step in range(1, 6):
        state.step = step
        write_checkpoint(tmp_path, state)
    keep_newest(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000004", "step-000005"]


def test_a_damaged_checkpoint_of_the_same_step_is_replaced(tmp_path):
    state = moved_state()
    directory = write_checkpoint(tmp_path, state)
    (directory / "state.json").unlink()
    write_checkpoint(tmp_path, state)
    assert find_damage(directory) is None
    assert list(tmp_path.iterdir()) == [directory]


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / ".aside-1234").mkdir()
    (tmp_path / ".aside-1234" / "state.json").touch()
    (tmp_path / "step-000001").mkdir()
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000001"]
    remove_leftovers(tmp_path / "nowhere")


# The operating system's error, and what safetensors makes of it.
FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
]


def disk_is_full_from(call, monkeypatch, error=FULL[0]):
    """`save_file` writes half of its file and fails at the given call."""
    save_file, calls = module.save_file, iter(range(100))

    def failing(tensors, path):
        save_file(tensors, path)
        if next(calls) >= call:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            raise error

    monkeypatch.setattr(module, "save_file", failing)


@pytest.mark.parametrize("error", FULL, ids=["OSError", "SafetensorError"])
@pytest.mark.parametrize("call", [0, 1, 2])
def test_a_full_disk_loses_nothing_and_leaves_nothing(tmp_path, monkeypatch, call, error):
    state = moved_state()
    kept = write_checkpoint(tmp_path, state)
    state.step = 4
    disk_is_full_from(call, monkeypatch, error)
    with pytest.raises(
        TrainingError,
        match=r"step-000004 cannot be written: .*No space left on device.*\. Nothing that was on the disk is lost "
        r"\(step-000003 is intact\)\. Make room",
    ):
        write_checkpoint(tmp_path, state)
    assert list(tmp_path.iterdir()) == [kept]
    assert find_damage(kept) is None


def test_a_full_disk_at_the_first_checkpoint_says_that_there_is_none(tmp_path, monkeypatch):
    disk_is_full_from(0, monkeypatch)
    with pytest.raises(TrainingError, match=r"Nothing .* is lost \(no earlier checkpoint was there\)"):
        write_checkpoint(tmp_path / "checkpoints", moved_state())


def test_a_model_writer_that_fails_is_reported_in_the_same_way(tmp_path):
    def save_model(model, directory):
        raise ModelFileError("The graph cannot be written.")

    with pytest.raises(TrainingError, match=r"step-000003 cannot be written: The graph cannot be written\. Nothing"):
        write_checkpoint(tmp_path, moved_state(), save_model)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_under_the_model_writer_is_said_once(tmp_path):
    def save_model(model, directory):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise ModelFileError("It could not be written. Nothing is lost.") from error

    with pytest.raises(TrainingError, match=r"written: \[Errno \d+\] No space left on device\. Nothing that was on"):
        write_checkpoint(tmp_path, moved_state(), save_model)


def test_ctrl_c_while_writing_leaves_nothing(tmp_path):
    def save_model(model, directory):
        directory.mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(tmp_path, moved_state(), save_model)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_other_networks_is_refused(tmp_path):
    directory = write_checkpoint(tmp_path, moved_state())
    other = TrainingState.initial(seeded(TinyPaths, num_blocks=(3, 5)), seeded(Critic), CONFIG)
    with pytest.raises(
        TrainingError, match=r"(?s)step-000003 holds other networks than the ones to train.*second_weig"
    ):
        read_checkpoint(directory, other)
    wrong = TrainingState.initial(seeded(TinyPaths), nn.Linear(2, 2), CONFIG)
    with pytest.raises(TrainingError, match=r"(?s)holds other networks.*Resume with the model and discriminator"):
        read_checkpoint(directory, wrong)


def test_a_copied_checkpoint_is_intact_elsewhere(tmp_path):
    directory = write_checkpoint(tmp_path / "here", moved_state())
    shutil.copytree(directory, tmp_path / "there" / "step-000003")
    assert find_damage(tmp_path / "there" / "step-000003") is None


def test_buffers_that_the_state_dict_leaves_out_are_written_too(tmp_path):
    states = [fresh_state(), fresh_state(seed=9)]
    for value, state in enumerate(states):
        state.generator.register_buffer("average", torch.tensor(float(value)), persistent=False)
    read_checkpoint(write_checkpoint(tmp_path, states[1]), states[0])
    assert states[0].generator.average == 1
