import dataclasses
import json
import math
import resource
from pathlib import Path

import pytest

from rpganify.training.callbacks import Alarm, StepMetrics, TrainStart
from rpganify.training.recording.writers import AlarmWriter, MetricsWriter


def metrics_of(step):
    return StepMetrics(step, 1.5, -0.5, 0.25, -0.25, None, -3.0, 0.01, 0.02, 0.03, 1000.0)


def start_at(step):
    return TrainStart(Path("run"), step, 10)


def steps_in(path):
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_every_step_is_a_json_line_at_once(tmp_path):
    writer = MetricsWriter(tmp_path / "metrics.jsonl")
    writer.on_start(start_at(0))
    writer.on_step(metrics_of(1))
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {
        "step": 1,
        "discriminator_loss": 1.5,
        "generator_loss": -0.5,
        "real_score": 0.25,
        "fake_score": -0.25,
        "penalty": None,
        "diversity": -3.0,
        "data_s": 0.01,
        "discriminator_s": 0.02,
        "generator_s": 0.03,
        "images_per_s": 1000.0,
        "other_s": 0.0,
        "diversity_s": None,
        "gradient_norms": None,
    }
    writer.close()
    writer.close()


def test_a_resumed_training_drops_the_lines_of_steps_that_it_does_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps({"step": step}) + "\n" for step in range(1, 8)) + '{"step": 8, "gener')
    writer = MetricsWriter(path)
    writer.on_start(start_at(5))
    writer.on_step(metrics_of(6))
    writer.close()
    assert steps_in(path) == [1, 2, 3, 4, 5, 6]
    assert [entry.name for entry in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_new_training_starts_an_empty_file(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 3}\nnonsense\n[]\n')
    writer = MetricsWriter(path)
    writer.on_start(start_at(0))
    writer.close()
    assert path.read_text() == ""


def test_steps_that_are_taken_back_leave_the_file(tmp_path):
    path = tmp_path / "metrics.jsonl"
    writer = MetricsWriter(path)
    writer.on_start(start_at(0))
    for step in range(1, 6):
        writer.on_step(metrics_of(step))
    writer.on_rollback(start_at(3))
    writer.on_step(metrics_of(4))
    writer.close()
    assert steps_in(path) == [1, 2, 3, 4]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_does_not_have_are_texts_which_read_as_numbers(tmp_path, value):
    writer = MetricsWriter(tmp_path / "metrics.jsonl")
    writer.on_start(start_at(0))
    writer.on_step(dataclasses.replace(metrics_of(1), penalty=value, gradient_norms={"one": value, "two": 1.0}))
    writer.close()

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    record = json.loads(line, parse_constant=refuse)
    for read in (record["penalty"], record["gradient_norms"]["one"]):
        assert isinstance(read, str)
        assert float(read) == value or (math.isnan(float(read)) and math.isnan(value))
    assert record["gradient_norms"]["two"] == 1.0


def test_nothing_is_written_before_the_start_and_after_the_end(tmp_path):
    writer = MetricsWriter(tmp_path / "metrics.jsonl")
    writer.on_step(metrics_of(1))
    assert not (tmp_path / "metrics.jsonl").exists()
    writer.on_start(start_at(0))
    writer.close()
    writer.on_step(metrics_of(1))
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_every_alarm_is_a_line_that_stays_when_steps_are_taken_back(tmp_path):
    path = tmp_path / "events.jsonl"
    writer = AlarmWriter(path)
    writer.on_start(start_at(0))
    assert not path.exists()
    writer.on_alarm(Alarm(7, "saturation", "ein Fréchet-Abstand"))
    writer.on_rollback(start_at(3))
    writer.on_alarm(Alarm(4, "rollback", "back"))
    assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == [
        {"step": 7, "kind": "saturation", "message": "ein Fréchet-Abstand"},
        {"step": 4, "kind": "rollback", "message": "back"},
    ]


def test_a_full_disk_leaves_half_a_line_that_is_not_tried_again_and_dropped_later(tmp_path):
    path = tmp_path / "metrics.jsonl"
    writer = MetricsWriter(path)
    writer.on_start(start_at(0))
    writer.on_step(metrics_of(1))
    room = path.stat().st_size + 40
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            writer.on_step(metrics_of(2))
        writer.close()  # says nothing more
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size == room
    writer = MetricsWriter(path)
    writer.on_start(start_at(2))
    writer.close()
    assert steps_in(path) == [1]
