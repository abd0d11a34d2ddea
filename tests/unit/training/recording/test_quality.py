"""The values of a quality metric while a training runs."""

import json
from contextlib import ExitStack, closing

import pytest

from rpganify.errors import TrainingError
from rpganify.training.callbacks import Quality, TrainResult, TrainStart
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.recording.quality import QualityLog
from rpganify.training.trainer import Trainer
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded


class Told:
    """A metric that gives what a test tells it to."""

    def __init__(self, *values, name="distance", is_lower_better=True):
        self.values = list(values)
        self.name, self.is_lower_better = name, is_lower_better

    def __call__(self, generator):
        return self.values.pop(0)


@pytest.fixture
def opened():
    """Opens logs, and closes them at the end."""
    with ExitStack() as stack:

        def open_log(path, metric, step=0):
            log = stack.enter_context(closing(QualityLog(path, metric)))
            log.on_start(TrainStart(path.parent, step, 10))
            return log

        yield open_log


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("is_lower_better", "best"), [(True, [True, False, True, False]), (False, [True, True, False, False])]
)
def test_the_best_is_the_smallest_or_the_largest_value_and_of_equals_the_first(opened, tmp_path, is_lower_better, best):
    path = tmp_path / "quality.jsonl"
    log = opened(path, Told(5, 7, 3, 3, is_lower_better=is_lower_better))
    found = [log.measure(None, step).is_best for step in (1, 2, 3, 4)]
    assert found == best
    assert (
        log.best == Quality(3, "distance", 3.0, True, True)
        if is_lower_better
        else Quality(2, "distance", 7.0, False, True)
    )
    assert log.last.value == 3
    assert records(path)[0] == {
        "step": 1,
        "name": "distance",
        "value": 5.0,
        "is_lower_better": is_lower_better,
        "is_best": True,
    }


def test_before_the_first_measurement_there_is_neither_best_nor_last(opened, tmp_path):
    log = opened(tmp_path / "quality.jsonl", Told())
    assert log.best is None and log.last is None


def test_a_resumed_training_knows_the_best_of_the_steps_that_it_does_not_do_again(opened, tmp_path):
    path = tmp_path / "quality.jsonl"
    first = opened(path, Told(5, 4, 1))
    for step in (2, 4, 6):
        first.measure(None, step)
    first.on_end(TrainResult(tmp_path, 6, 10, tmp_path, True, 1.0, None))
    second = opened(path, Told(4.5, 3), step=5)
    assert second.best.step == 4
    assert [second.measure(None, step).is_best for step in (6, 8)] == [False, True]
    second.close()
    assert [record["step"] for record in records(path)] == [2, 4, 6, 8]


def test_values_of_steps_that_are_taken_back_are_forgotten(opened, tmp_path):
    path = tmp_path / "quality.jsonl"
    log = opened(path, Told(5, 1, 3))
    log.measure(None, 2)
    log.measure(None, 4)
    log.on_rollback(TrainStart(tmp_path, 3, 10))
    assert log.best.value == 5
    assert log.measure(None, 4).is_best
    log.close()
    assert [record["value"] for record in records(path)] == [5, 3]


def test_values_of_another_metric_do_not_compare(opened, tmp_path):
    path = tmp_path / "quality.jsonl"
    first = opened(path, Told(5))
    first.measure(None, 2)
    first.close()
    with pytest.raises(
        TrainingError, match=r"holds values of 'distance', and this training measures 'FID', .*move the file away"
    ):
        opened(path, Told(name="FID"), step=2)
    assert opened(path, Told(name="FID"), step=1).best is None


@pytest.mark.parametrize(
    "record",
    ['{"step": 1}', '{"step": 1, "name": "distance", "value": "nan", "is_lower_better": true, "is_best": true}'],
)
def test_a_damaged_file_is_refused_by_name(opened, tmp_path, record):
    path = tmp_path / "quality.jsonl"
    path.write_text(record + "\n")
    with pytest.raises(
        TrainingError, match=r"quality\.jsonl holds .* no value of a quality metric\. Move the file away"
    ):
        opened(path, Told(), step=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_refused_and_not_written(opened, tmp_path, value):
    log = opened(tmp_path / "quality.jsonl", Told(value))
    with pytest.raises(TrainingError, match=r"Step 7: the quality metric distance gave (nan|inf)"):
        log.measure(None, 7)
    log.close()
    assert (tmp_path / "quality.jsonl").read_text() == ""


def test_a_training_measures_at_intervals_and_at_its_end_and_tells_its_callbacks(tmp_path):
    class Listening:
        def __init__(self):
            self.heard = []

        def on_quality(self, quality):
            self.heard.append((quality.step, quality.value, quality.is_best))

    listening = Listening()
    config = TrainConfig(steps=5, batch_size=4, num_samples=4, quality_every=2)
    Trainer(
        seeded(TinyPaths),
        seeded(Critic),
        Hinge(),
        digits(20),
        config,
        run=tmp_path / "run",
        callbacks=[listening],
        quality=Told(3, 2, 4),
    ).run()
    assert listening.heard == [(2, 3.0, True), (4, 2.0, True), (5, 4.0, False)]
    assert [record["step"] for record in records(tmp_path / "run" / "quality.jsonl")] == [2, 4, 5]
