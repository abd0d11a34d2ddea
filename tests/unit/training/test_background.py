"""The trainer while its checkpoints are written beside it."""

import dataclasses
import errno
import json
import signal
import subprocess
import sys
import threading
import time

import pytest

from rpganify.errors import TrainingError
from rpganify.manifest import find_damage
from rpganify.training.callbacks import Callback
from rpganify.training.losses import Hinge
from rpganify.training.saving import checkpoint as checkpoint_module
from rpganify.training.saving.checkpoint import list_checkpoints, newest_intact
from tests.unit.training.fakes import TinyLatent, TinyPaths
from tests.unit.training.test_trainer import (
    CONFIG,
    InterruptAt,
    Recorder,
    assert_equal_files,
    assert_equal_weights,
    checkpoints_in,
    timeless,
    trainer_at,
)

IN_PLACE = dataclasses.replace(CONFIG, background_checkpoints=False)


class At(Callback):
    """Does something after one step."""

    def __init__(self, step, action):
        self._step, self._action = step, action

    def on_step(self, metrics):
        if metrics.step == self._step:
            self._action()


@pytest.mark.parametrize("build", [TinyPaths, TinyLatent])
def test_a_training_and_its_checkpoints_are_the_same_in_the_background_and_in_place(tmp_path, build):
    often = {"checkpoint_every": 1, "keep": 12}
    for name, config in (("background", CONFIG), ("in place", IN_PLACE)):
        trainer_at(tmp_path / name, dataclasses.replace(config, **often), build=build).run()
    assert timeless(tmp_path / "background") == timeless(tmp_path / "in place")
    both = [list_checkpoints(tmp_path / name / "checkpoints") for name in ("background", "in place")]
    assert len(both[0]) == len(both[1]) == 12
    for one, other in zip(*both, strict=True):
        assert one.name == other.name
        files = [json.loads((path / "manifest.json").read_text())["files"] for path in (one, other)]
        for listed in files:
            listed.pop("state.json")  # it holds the time that the training took
        assert files[0] == files[1]
        numbers = [json.loads((path / "state.json").read_text()) | {"elapsed_s": 0} for path in (one, other)]
        assert numbers[0] == numbers[1]
        assert find_damage(one) is find_damage(other) is None


def test_steps_are_done_while_a_checkpoint_is_written_and_it_is_told_of_after_them_in_the_main_thread(
    tmp_path, slow_disk
):
    threads = []

    class Threads(Callback):
        def on_checkpoint(self, step, directory):
            threads.append(threading.current_thread())

    recorder = Recorder()
    trainer_at(tmp_path, callbacks=[recorder, Threads()]).run()
    steps = [("step", step) for step in range(1, 13)]
    # The disk holds the first checkpoint until the second waits for it.
    assert recorder.seen[: 1 + 10 + 1] == [("start", 0, 12), *steps[:10], ("checkpoint", 5)]
    assert [entry for entry in recorder.seen if entry[0] == "step"] == steps
    assert [entry for entry in recorder.seen if entry[0] == "checkpoint"] == [("checkpoint", n) for n in (5, 10, 12)]
    assert recorder.seen[-2:] == [("checkpoint", 12), ("end", 12)]
    assert threads == [threading.main_thread()] * 3


def test_an_older_checkpoint_is_removed_only_once_the_newer_one_is_on_the_disk(tmp_path, slow_disk):
    slow_disk.opened.set()
    seen = []

    def wait_for_the_first():
        newest = tmp_path / "checkpoints" / "step-000005"
        while find_damage(newest) is not None or any(newest.parent.glob(".aside-*")):
            time.sleep(0.01)
        time.sleep(0.05)

    callbacks = [
        At(8, wait_for_the_first),
        At(9, slow_disk.hold),
        At(11, lambda: seen.extend([slow_disk.reached.wait(60), *checkpoints_in(tmp_path)])),
    ]
    trainer_at(tmp_path, dataclasses.replace(CONFIG, keep=1), callbacks=callbacks).run()
    assert seen == [True, "step-000005"]
    assert checkpoints_in(tmp_path) == ["step-000012"]


@pytest.mark.parametrize(("lost", "newest"), [(5, None), (10, 5), (12, 10)])
def test_a_full_disk_in_the_background_ends_the_training_by_the_next_checkpoint_at_the_latest(
    tmp_path, monkeypatch, lost, newest
):
    straight = trainer_at(tmp_path / "straight")
    straight.run()
    write_files = checkpoint_module._write_files

    def failing(directory, snapshot, save_generator):
        if snapshot.step == lost:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_files(directory, snapshot, save_generator)

    monkeypatch.setattr(checkpoint_module, "_write_files", failing)
    recorder = Recorder()
    kept = f"step-{newest:06d} is intact" if newest else "no earlier checkpoint was there"
    with pytest.raises(TrainingError, match=rf"step-{lost:06d} cannot be written: .*No space left.*\({kept}\)"):
        trainer_at(tmp_path / "run", callbacks=[recorder]).run()
    steps = [step for kind, step, *_ in recorder.seen if kind == "step"]
    assert lost <= steps[-1] <= lost + 5
    assert recorder.seen[-1][0] != "end"
    assert checkpoints_in(tmp_path / "run") == [f"step-{step:06d}" for step in (5, 10) if step < lost]
    monkeypatch.undo()
    again = trainer_at(tmp_path / "run", network_seed=3)
    again.resume() if newest else again.run()
    if newest:
        assert_equal_weights(straight, again)


def test_ctrl_c_waits_for_the_checkpoint_under_way_and_saves_its_own(tmp_path, slow_disk):
    straight = trainer_at(tmp_path / "straight")
    straight.run()
    slow_disk.hold()
    recorder = Recorder()
    result = trainer_at(tmp_path / "run", data=InterruptAt(7), callbacks=[recorder]).run()
    assert (result.step, result.is_interrupted, result.checkpoint.name) == (7, True, "step-000007")
    assert recorder.seen[-4:] == [("step", 7), ("checkpoint", 5), ("checkpoint", 7), ("end", 7)]
    assert newest_intact(tmp_path / "run" / "checkpoints") == result.checkpoint
    resumed = trainer_at(tmp_path / "run", network_seed=3)
    resumed.resume()
    assert_equal_weights(straight, resumed)
    assert_equal_files(tmp_path / "straight", tmp_path / "run")


def test_a_second_ctrl_c_saves_nothing_more_but_waits_for_what_is_being_written(tmp_path, slow_disk):
    recorder = Recorder()
    config = dataclasses.replace(CONFIG, d_steps=2)
    with pytest.raises(KeyboardInterrupt):
        trainer_at(tmp_path, config, data=InterruptAt(13, 14), callbacks=[recorder]).run()  # both within step 7
    assert recorder.seen[-2:] == [("step", 6), ("checkpoint", 5)]
    assert checkpoints_in(tmp_path) == ["step-000005"]
    assert find_damage(tmp_path / "checkpoints" / "step-000005") is None


def test_a_loss_that_is_no_longer_finite_waits_for_the_checkpoint_before_it(tmp_path, slow_disk):
    class Exploding(Hinge):
        is_on = False

        def generator(self, fake_scores):
            return fake_scores.mean() * (float("nan") if Exploding.is_on else 1)

    recorder = Recorder()
    explode = At(7, lambda: setattr(Exploding, "is_on", True))
    with pytest.raises(TrainingError, match=r"^Step 6: The generator loss became nan\. .*gone back 5 times"):
        trainer_at(tmp_path, loss=Exploding(), callbacks=[recorder, explode]).run()
    assert recorder.seen[-2:] == [("step", 7), ("checkpoint", 5)]
    assert find_damage(tmp_path / "checkpoints" / "step-000005") is None


def test_a_refusal_to_write_into_the_run_names_the_checkpoint_that_was_still_on_its_way(tmp_path, slow_disk):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        TrainingError,
        match=r"^Step 6: writing into .* failed: .*No space left on device\. The newest checkpoint is .*step-000005; --r",
    ):
        trainer_at(tmp_path, callbacks=[At(6, full)]).run()
    assert slow_disk.num_waits == 1


# Trains, and stops for ever in the thread that writes step 10, before the call that the argument names.
HANGING = """
import os, sys, threading, time
from pathlib import Path
import torch
torch.set_num_threads(1)  # as in these tests: with more, sums are rounded otherwise
from rpganify import manifest
from rpganify.training.saving import checkpoint
from tests.unit.training.test_trainer import trainer_at

owners = {"os": os, "checkpoint": checkpoint, "manifest": manifest}
run, owner, name = Path(sys.argv[1]), owners[sys.argv[2]], sys.argv[3]
call = getattr(owner, name)

def hanging(*arguments):
    is_worker = threading.current_thread() is not threading.main_thread()
    is_second = (run / "checkpoints" / "step-000005").exists() and any((run / "checkpoints").glob(".aside-*"))
    if is_worker and is_second:
        if name == "save_file":
            arguments[1].write_bytes(b"half of it")
        print("reached", flush=True)
        threading.Event().wait()
    return call(*arguments)

setattr(owner, name, hanging)
trainer_at(run).run()
"""


@pytest.mark.parametrize("call", ["checkpoint.save_file", "manifest._describe", "os.fsync", "os.rename"])
def test_kill_9_at_any_moment_leaves_the_checkpoint_before_intact(tmp_path, pytestconfig, call):
    straight = trainer_at(tmp_path / "straight")
    straight.run()
    command = [sys.executable, "-c", HANGING, str(tmp_path / "run"), *call.split(".")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=pytestconfig.rootpath) as process:
        assert process.stdout.readline() == "reached\n"
        process.send_signal(signal.SIGKILL)
    folder = tmp_path / "run" / "checkpoints"
    assert newest_intact(folder) == folder / "step-000005"
    assert len(list(folder.glob(".aside-*"))) == 1
    resumed = trainer_at(tmp_path / "run", network_seed=3)
    resumed.resume()
    assert_equal_weights(straight, resumed)
    assert_equal_files(tmp_path / "straight", tmp_path / "run")
    assert list(folder.glob(".aside-*")) == []
