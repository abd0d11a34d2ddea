import dataclasses
import json

import pytest

from rpganify.errors import TrainingError
from rpganify.training.config import TrainConfig
from rpganify.training.run import RunDirectory, RunRecord, describe_network, read_record, write_record
from tests.unit.training.fakes import TinyPaths, seeded

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
