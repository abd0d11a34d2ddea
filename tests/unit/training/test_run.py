import dataclasses
import errno
import json
import subprocess
import sys

import pytest

from rpganify.errors import TrainingError
from rpganify.training.callbacks import Callback
from rpganify.training.config import TrainConfig
from rpganify.training.run import RunDirectory, RunRecord, claimed, describe_network, read_record, write_record
from tests.unit.training.fakes import TinyPaths, seeded
from tests.unit.training.test_trainer import CONFIG, trainer_at

RECORD = RunRecord(TrainConfig(seed=3), {"data": "digits, 1797 images"}, {"model": "my_gan.rpgan"})


def test_a_record_survives_the_disk(tmp_path):
    run = RunDirectory(tmp_path / "runs" / "first")
    write_record(run, RECORD)
    assert read_record(run) == RECORD
    assert [path.name for path in run.path.iterdir()] == ["config.json"]


def test_differences_are_those_of_settings_and_facts_but_not_of_provenance():
    other = RunRecord(TrainConfig(seed=4), {"data": "mnist, 60000 images", "loss": "Hinge"}, {"model": "elsewhere"})
    assert RECORD.differences(other) == {
        "seed": "3 -> 4",
        "data": "digits, 1797 images -> mnist, 60000 images",
        "loss": "None -> Hinge",
    }
    assert RECORD.differences(dataclasses.replace(RECORD, provenance={})) == {}


def test_a_folder_without_a_training_is_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"no training in .*: it has no config\.json\. Start one without --resume"):
        read_record(RunDirectory(tmp_path))


def test_a_newer_or_damaged_record_is_refused(tmp_path):
    run = RunDirectory(tmp_path)
    write_record(run, RECORD)
    content = json.loads(run.config.read_text())
    run.config.write_text(json.dumps({**content, "format_version": 2}))
    with pytest.raises(TrainingError, match=r"has format 2, newer than 1\. Update rpganify"):
        read_record(run)
    run.config.write_text(json.dumps({**content, "settings": {"speed": 1}}))
    with pytest.raises(TrainingError, match="no setting 'speed'"):
        read_record(run)
    run.config.write_text("{")
    with pytest.raises(TrainingError, match=r"config\.json cannot be read: .*Start a new run"):
        read_record(run)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"file/run cannot hold a training: .*Choose another folder"):
        write_record(RunDirectory(tmp_path / "file" / "run"), RECORD)


def test_a_network_is_described_by_its_shapes_not_its_weights():
    assert describe_network(seeded(TinyPaths, 0)) == describe_network(seeded(TinyPaths, 1))
    assert describe_network(seeded(TinyPaths)) != describe_network(seeded(TinyPaths, num_blocks=(4, 3)))
    assert describe_network(seeded(TinyPaths)).startswith("TinyPaths, 10 tensors, ")


def test_a_folder_is_claimed_by_one_training_at_a_time_and_free_after_it_however_it_ended(tmp_path):
    run = RunDirectory(tmp_path / "runs/first")
    with claimed(run):
        refusal = pytest.raises(
            TrainingError, match=r"^Another training is at work in .*first\. Wait for its end, stop it"
        )
        with refusal, claimed(run):
            raise AssertionError("it is not free")
        with claimed(RunDirectory(tmp_path / "runs/second")):
            pass
    with pytest.raises(KeyError), claimed(run):
        raise KeyError
    with claimed(run):
        assert list(run.path.iterdir()) == []


HOLDING = """
import sys, time
from pathlib import Path
from rpganify.training.run import RunDirectory, claimed
with claimed(RunDirectory(Path(sys.argv[1]))):
    print("claimed", flush=True)
    time.sleep(600)
"""


def test_a_killed_process_s_claim_is_gone_with_it(tmp_path):
    command = [sys.executable, "-c", HOLDING, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "claimed\n"
        with pytest.raises(TrainingError, match="Another training is at work"), claimed(RunDirectory(tmp_path)):
            raise AssertionError("it is not free")
        process.kill()
    with claimed(RunDirectory(tmp_path)):
        pass


@pytest.mark.parametrize("reason", ["system", "file system"])
def test_where_nothing_can_be_claimed_a_training_goes_on_without(tmp_path, monkeypatch, reason):
    if reason == "system":
        monkeypatch.setattr("rpganify.training.run.fcntl", None)
    else:

        def refuse(*_):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr("rpganify.training.run.fcntl.flock", refuse)
    with claimed(RunDirectory(tmp_path)), claimed(RunDirectory(tmp_path)):
        pass


def test_two_trainings_cannot_write_into_one_run(tmp_path):
    class Second(Callback):
        def on_step(self, metrics):
            for method in ("run", "resume"):
                with pytest.raises(TrainingError, match="Another training is at work"):
                    getattr(trainer_at(tmp_path), method)()

    two = dataclasses.replace(CONFIG, steps=2)
    assert trainer_at(tmp_path, two, callbacks=[Second()]).run().step == 2
    assert trainer_at(tmp_path, two, callbacks=[Second()]).resume().step == 2
