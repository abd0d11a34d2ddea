import errno
import logging
import threading

import pytest

import rpganify
from rpganify.errors import TrainingError
from rpganify.manifest import find_damage
from rpganify.modelfile import save_model
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.randomness import seeded_globals
from rpganify.training.saving import checkpoint as checkpoint_module
from rpganify.training.saving import writer as module
from rpganify.training.saving.checkpoint import list_checkpoints, write_checkpoint
from rpganify.training.saving.snapshot import SnapshotMemory
from rpganify.training.saving.writer import CheckpointWriter
from rpganify.training.state import TrainingState
from rpganify.training.training_step import TrainingStep
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded
from tests.unit.training.test_with_converted_models import Small

CONFIG = TrainConfig(batch_size=8)
STEP = TrainingStep(Hinge(), digits(50), CONFIG)
BLOCKS_2 = {"buckets": 2, "blocks": 3, "latent": "z:8"}


@pytest.fixture(autouse=True)
def _own_randomness():
    with seeded_globals(0):
        yield


def state_of(generator=None):
    state = TrainingState.initial(generator or seeded(TinyPaths), seeded(Critic, 1), CONFIG)
    STEP(state)
    return state


def writer_at(path, state, told=None, save_generator=None, is_background=True):
    memory = SnapshotMemory(keeps_models=save_generator is not None) if is_background else None
    on_written = (lambda step, directory: None) if told is None else (lambda step, directory: told.append(step))
    return CheckpointWriter(path, save_generator, memory, on_written)


def contents(directory):
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def disk_is_full(monkeypatch, at_step=None):
    """Every checkpoint, or only the one of a step, fails at its first file."""
    write_files = checkpoint_module._write_files

    def failing(directory, snapshot, save_generator):
        if at_step in (None, snapshot.step):
            raise OSError(errno.ENOSPC, "No space left on device")
        write_files(directory, snapshot, save_generator)

    monkeypatch.setattr(checkpoint_module, "_write_files", failing)


@pytest.mark.parametrize("kind", ["tensors only", "converted model", "standard model"])
def test_what_is_written_while_the_training_goes_on_is_what_was_there_before_bit_for_bit(tmp_path, slow_disk, kind):
    build = {
        "tensors only": lambda: seeded(TinyPaths),
        "converted model": lambda: rpganify.wrap(seeded(Small), **BLOCKS_2),
        "standard model": lambda: rpganify.standard(seeded(Small), latent="z:8"),
    }[kind]
    state = state_of(build())
    save_generator = None if kind == "tensors only" else save_model
    with writer_at(tmp_path / "background", state, save_generator=save_generator) as writer:
        for step in (1, 3):  # the second snapshot uses the first one's memory
            slow_disk.hold()
            expected = write_checkpoint(tmp_path / "foreground", state, save_generator)
            writer.begin(state)
            assert slow_disk.reached.wait(60)
            STEP(state)
            STEP(state)
            assert list_checkpoints(tmp_path / "background")[(step - 1) // 2 :] == []
            writer.finish()
            assert writer.newest == tmp_path / "background" / expected.name
            assert find_damage(writer.newest) is None
            assert contents(writer.newest) == contents(expected)
    assert contents(tmp_path / "foreground" / "step-000001") != contents(tmp_path / "foreground" / "step-000003")


def test_the_next_checkpoint_waits_for_the_one_before_and_both_are_told_of_in_order(tmp_path, slow_disk):
    told, state = [], state_of()
    with writer_at(tmp_path, state, told) as writer:
        writer.begin(state)
        STEP(state)
        assert (told, slow_disk.num_waits) == ([], 0)
        writer.begin(state)
        assert (told, slow_disk.num_waits) == ([1], 1)
    assert told == [1, 2]
    assert [find_damage(directory) for directory in list_checkpoints(tmp_path)] == [None, None]


def test_telling_waits_for_nothing_and_tells_once(tmp_path, slow_disk):
    told, state = [], state_of()
    with writer_at(tmp_path, state, told) as writer:
        writer.tell()
        writer.begin(state)
        assert slow_disk.reached.wait(60)
        writer.tell()
        assert (told, writer.newest, list_checkpoints(tmp_path)) == ([], None, [])
        writer.settle()
        assert told == []
        writer.tell()
        writer.tell()
        assert told == [1]
    assert (told, slow_disk.num_waits) == ([1], 1)


def test_it_is_told_in_the_training_s_thread_and_written_in_another(tmp_path):
    threads, state = [], state_of()

    def save(model, directory):
        threads.append(threading.current_thread())
        save_tensors(model, directory)

    memory = SnapshotMemory(keeps_models=True)
    with CheckpointWriter(tmp_path, save, memory, lambda *_: threads.append(threading.current_thread())) as writer:
        for _ in range(2):
            writer.begin(state)
            STEP(state)
    worker, main = threads[0], threading.main_thread()
    assert threads == [worker, main, worker, main] and worker is not main
    assert not worker.is_alive()


def save_tensors(model, directory):
    directory.mkdir()
    checkpoint_module.save_file(model.state_dict(), directory / "generator.safetensors")


def test_without_memory_for_snapshots_it_writes_in_place_and_tells_at_once(tmp_path):
    told, state = [], state_of()
    with writer_at(tmp_path, state, told, is_background=False) as writer:
        writer.begin(state)
        assert (told, writer.newest) == ([1], tmp_path / "step-000001")


@pytest.mark.parametrize("moment", ["tell", "begin", "finish", "leave"])
def test_a_failure_surfaces_once_with_the_lost_step_and_the_newest_intact_checkpoint(tmp_path, monkeypatch, moment):
    told, state = [], state_of()
    disk_is_full(monkeypatch, at_step=2)

    def work():
        with writer_at(tmp_path, state, told) as writer:
            writer.begin(state)
            STEP(state)
            writer.begin(state)
            STEP(state)
            writer.settle()
            if moment != "leave":
                getattr(writer, moment)(*([state] if moment == "begin" else []))

    with pytest.raises(
        TrainingError,
        match=r"step-000002 cannot be written: .*No space left on device\. Nothing that was on the disk is lost "
        r"\(step-000001 is intact\)\. Make room or mend the folder, then go on with --resume\.$",
    ):
        work()
    assert told == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["step-000001"]


def test_a_damaged_checkpoint_is_not_called_the_newest_intact_one(tmp_path, monkeypatch):
    state = state_of()
    for _ in range(2):
        write_checkpoint(tmp_path, state)
        STEP(state)
    (tmp_path / "step-000002" / "state.json").unlink()
    disk_is_full(monkeypatch)
    with pytest.raises(TrainingError, match=r"step-000003 cannot .*\(step-000001 is intact\)"):
        write_checkpoint(tmp_path, state)


def test_an_error_that_ends_the_training_waits_for_the_checkpoint_and_stays_what_it_was(tmp_path, slow_disk):
    told, state = [], state_of()
    with pytest.raises(ZeroDivisionError), writer_at(tmp_path, state, told) as writer:
        writer.begin(state)
        raise ZeroDivisionError
    assert (told, slow_disk.num_waits) == ([1], 1)
    assert find_damage(tmp_path / "step-000001") is None


def test_a_checkpoint_lost_beside_another_refusal_is_said_with_it(tmp_path, monkeypatch):
    disk_is_full(monkeypatch)
    state = state_of()
    with (
        pytest.raises(TrainingError, match=r"^Step 2: too hot\. The checkpoint .*step-000001 cannot be written: "),
        writer_at(tmp_path, state) as writer,
    ):
        writer.begin(state)
        raise TrainingError("Step 2: too hot.")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_a_checkpoint_lost_beside_an_error_of_another_kind_is_in_the_log(tmp_path, monkeypatch, caplog, error):
    disk_is_full(monkeypatch)
    state = state_of()
    with caplog.at_level(logging.ERROR), pytest.raises(error), writer_at(tmp_path, state) as writer:
        writer.begin(state)
        raise error
    (record,) = caplog.records
    assert "step-000001 cannot be written: " in record.getMessage() and record.exc_info is None


def test_a_listener_that_fails_does_not_take_the_place_of_what_ended_the_training(tmp_path, caplog):
    def failing(step, directory):
        raise LookupError("the listener's own")

    state = state_of()
    writer = CheckpointWriter(tmp_path, None, SnapshotMemory(keeps_models=False), failing)
    with caplog.at_level(logging.ERROR), pytest.raises(KeyboardInterrupt), writer:
        writer.begin(state)
        raise KeyboardInterrupt
    assert "the listener's own" in caplog.text
    assert find_damage(tmp_path / "step-000001") is None


def test_ctrl_c_while_it_is_waited_for_leaves_at_once_and_the_checkpoint_is_finished_all_the_same(
    tmp_path, slow_disk, monkeypatch
):
    def interrupted(futures):
        raise KeyboardInterrupt

    state, before = state_of(), set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt), writer_at(tmp_path, state) as writer:
        writer.begin(state)
        assert slow_disk.reached.wait(60)
        monkeypatch.setattr(module, "wait", interrupted)
        writer.finish()
    assert list_checkpoints(tmp_path) == []
    slow_disk.opened.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    assert find_damage(tmp_path / "step-000001") is None
