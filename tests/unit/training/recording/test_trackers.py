"""`--log`: trackers of accelerate, TensorBoard by its own reader, the others by one that a test gives accelerate."""

from __future__ import annotations

import json
import logging
import random
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from rpganify.errors import TrainingError
from rpganify.training.callbacks import Alarm, Callback, Quality, TrainResult, TrainStart
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.recording import trackers
from rpganify.training.recording.trackers import TrackerLog, open_tracker
from rpganify.training.trainer import Trainer
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded
from tests.unit.training.recording.test_writers import metrics_of


def train(run: Path, steps: int, *callbacks: Callback, resumes: bool = False, **config: Any) -> Trainer:
    settings = TrainConfig(
        steps=steps,
        batch_size=4,
        num_samples=4,
        **{"sample_every": 4, "watch_every": 4, "checkpoint_every": 6, **config},
    )
    trainer = Trainer(seeded(TinyPaths), seeded(Critic, 1), Hinge(), digits(40), settings, run=run, callbacks=callbacks)
    if resumes:
        trainer.resume()
    else:
        trainer.run()
    return trainer


class Board:
    """What TensorBoard would show of a run."""

    def __init__(self, run: Path) -> None:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        self._events = EventAccumulator(
            str(run / "tensorboard"), size_guidance={"scalars": 0, "images": 0, "tensors": 0}
        )
        self._events.Reload()

    def steps(self, name: str) -> list[int]:
        return [event.step for event in self._events.Scalars(name)]

    def values(self, name: str) -> list[float]:
        return [event.value for event in self._events.Scalars(name)]

    def names(self) -> set[str]:
        return set(self._events.Tags()["scalars"])

    def pictures(self, name: str) -> list[int]:
        return [event.step for event in self._events.Images(name)]

    def picture(self, name: str) -> bytes:
        return self._events.Images(name)[-1].encoded_image_string

    def text(self, name: str) -> str:
        (event,) = self._events.Tensors(f"{name}/text_summary")
        return event.tensor_proto.string_val[0].decode()


tensorboard = pytest.importorskip(
    "tensorboard", reason="TensorBoard is not installed: pip install 'rpganify[tensorboard]'"
)


def test_tensorboard_gets_means_over_a_few_steps_and_what_is_left_at_the_end(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(run, 11, open_tracker("tensorboard", {}, every=4))
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    board = Board(run)
    assert board.steps("loss/generator") == [4, 8, 11]
    expected = [np.mean([line["generator_loss"] for line in lines[slice(*part)]]) for part in ((0, 4), (4, 8), (8, 11))]
    assert board.values("loss/generator") == pytest.approx(expected, rel=1e-5)
    assert board.names() == {
        *("loss/discriminator", "loss/generator", "loss/diversity", "score/real", "score/fake", "images per second"),
        *("time/data", "time/discriminator", "time/generator", "time/other", "gradient norm/one", "gradient norm/two"),
    }
    assert board.steps("gradient norm/two") == [4, 8]
    assert board.values("gradient norm/two") == pytest.approx([lines[step]["gradient_norms"]["two"] for step in (3, 7)])


def test_tensorboard_gets_the_pictures_that_lie_in_the_run_and_the_settings(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(run, 6, open_tracker("tensorboard", {"steps": 6, "loss": "hinge", "betas": [0.5, 0.999], "images": None}))
    board = Board(run)
    assert board.pictures("samples") == board.pictures("variations") == [0, 4, 6]
    (tmp_path / "shown.png").write_bytes(board.picture("variations"))
    with Image.open(tmp_path / "shown.png") as shown, Image.open(run / "samples" / "variations-000006.png") as own:
        assert shown.convert("RGB").tobytes() == own.convert("RGB").tobytes()
    text = board.text("settings")
    assert "| steps | 6 |" in text and "| loss | hinge |" in text
    assert "| betas | [0.5, 0.999] |" in text and "| images | None |" in text
    assert [path.name for path in (run / "tensorboard").iterdir() if path.is_dir()] == []


def test_a_resumed_training_goes_on_in_the_same_board_and_shows_no_step_twice(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(run, 6, open_tracker("tensorboard", {}, every=2))
    late = open_tracker("tensorboard", {}, every=2)  # a training that went on from 6 to 9 and was killed
    late.on_start(TrainStart(run, 6, 12))
    for step in (7, 8, 9):
        late.on_step(metrics_of(step))
    late.close()
    train(run, 12, open_tracker("tensorboard", {}, every=2), resumes=True)
    board = Board(run)
    assert board.steps("loss/generator") == [2, 4, 6, 8, 10, 12]
    assert -0.5 not in board.values("loss/generator")
    assert board.pictures("samples") == [0, 4, 6, 8, 12]


def test_steps_that_are_taken_back_leave_the_board(tmp_path: Path) -> None:
    tracker = open_tracker("tensorboard", {}, every=1)
    tracker.on_start(TrainStart(tmp_path, 0, 10))
    for step in (1, 2, 3):
        tracker.on_step(metrics_of(step))
    tracker.on_rollback(TrainStart(tmp_path, 1, 10))
    tracker.on_step(metrics_of(2))
    tracker.on_end(TrainResult(tmp_path, 2, 10, tmp_path, False, 1.0, None))
    assert Board(tmp_path).steps("loss/generator") == [1, 2]


def test_a_training_that_replaces_another_shows_its_own_steps_only(tmp_path: Path) -> None:
    for last in (5, 2):
        tracker = open_tracker("tensorboard", {}, every=1)
        tracker.on_start(TrainStart(tmp_path, 0, 10))
        for step in range(1, last + 1):
            tracker.on_step(metrics_of(step))
        tracker.close()
    assert Board(tmp_path).steps("loss/generator") == [1, 2]


def test_quality_and_alarms_are_on_the_board(tmp_path: Path) -> None:
    tracker = open_tracker("tensorboard", {})
    tracker.on_start(TrainStart(tmp_path, 0, 10))
    tracker.on_quality(Quality(3, "Fréchet distance (pixels)", 2.5, True, True))
    tracker.on_alarm(Alarm(3, "saturation", "The discriminator has won."))
    tracker.on_end(TrainResult(tmp_path, 3, 10, tmp_path, False, 1.0, None))
    board = Board(tmp_path)
    assert board.values("quality/Frechet distance _pixels_") == [2.5]
    assert board.text("alarm/saturation") == "The discriminator has won."


# Trackers in general


class Tracker:
    """A tracker that writes down what it is told, or fails as a test wants."""

    opened: ClassVar[list[Tracker]] = []

    def __init__(self, title: str, **options: Any) -> None:
        self.title, self.options = title, options
        self.settings: dict[str, Any] | None = None
        self.values: list[tuple[int, dict[str, Any]]] = []
        self.pictures: list[tuple[int, str]] = []
        self.is_finished = False
        self.opened.append(self)

    def start(self) -> None:
        random.random()  # as somebody does who invents a name for the run
        torch.rand(3)

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.settings = values

    def log(self, values: dict[str, Any], step: int) -> None:
        np.random.rand()
        self.values.append((step, values))

    def log_images(self, values: dict[str, list[Image.Image]], step: int) -> None:
        self.pictures += [(step, name) for name, (picture,) in values.items() if picture.mode == "RGB"]

    def finish(self) -> None:
        assert not self.is_finished
        self.is_finished = True


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> type[Tracker]:
    """In wandb's place, as if it were installed."""
    from accelerate import tracking

    class Own(Tracker):
        opened: ClassVar[list[Tracker]] = []

    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "wandb", Own)
    monkeypatch.setattr(tracking, "get_available_trackers", lambda: [tracking.LoggerType.WANDB])
    return Own


def test_other_trackers_are_opened_with_the_runs_name_and_folder_and_told_everything(
    tmp_path: Path, tracker: type[Tracker]
) -> None:
    run = tmp_path / "first"
    train(run, 6, open_tracker("wandb", {"steps": 6, "betas": (0.5, 0.999)}, every=3))
    (opened,) = tracker.opened
    assert opened.title == "rpganify"
    identity = json.loads((run / "trackers.json").read_text())["wandb"]
    assert opened.options == {"dir": str(run), "name": "first", "id": identity, "resume": "allow"}
    assert opened.settings == {"steps": 6, "betas": "(0.5, 0.999)"}
    assert [step for step, values in opened.values if "loss/generator" in values] == [3, 6]
    assert [step for step, values in opened.values if "gradient norm/one" in values] == [4]
    assert opened.pictures == [(step, name) for step in (0, 4, 6) for name in ("samples", "variations")]
    assert opened.is_finished


def test_a_run_keeps_its_identity_when_it_is_resumed_and_a_new_one_gets_another(
    tmp_path: Path, tracker: type[Tracker]
) -> None:
    train(tmp_path / "run", 6, open_tracker("wandb", {}))
    train(tmp_path / "run", 8, open_tracker("wandb", {}), resumes=True)
    train(tmp_path / "other", 2, open_tracker("wandb", {}))
    first, second, third = (opened.options["id"] for opened in tracker.opened)
    assert first == second != third
    assert tracker.opened[1].settings is None


def test_a_training_is_the_same_with_a_tracker_that_draws_random_numbers(
    tmp_path: Path, tracker: type[Tracker]
) -> None:
    plain = train(tmp_path / "plain", 8)
    logged = train(tmp_path / "logged", 8, open_tracker("wandb", {}, every=1))
    for one, other in zip(plain.generator.parameters(), logged.generator.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_tracker_that_fails_is_left_alone_with_one_warning_and_the_training_goes_on(
    tmp_path: Path, tracker: type[Tracker], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Tracker, values: dict[str, Any], step: int) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(tracker, "log", refuse)
    with caplog.at_level(logging.WARNING, logger=trackers.__name__):
        train(tmp_path / "run", 8, open_tracker("wandb", {}, every=2))
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 8
    assert [record.getMessage() for record in caplog.records] == [
        "The tracker wandb failed and is told nothing more in this training (ConnectionError: no route to host). "
        "metrics.jsonl holds it all."
    ]


def test_a_tracker_that_cannot_be_started_ends_the_training_before_its_first_step(
    tmp_path: Path, tracker: type[Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Tracker) -> None:
        raise RuntimeError("api_key not configured.")

    monkeypatch.setattr(tracker, "start", refuse)
    with pytest.raises(
        TrainingError,
        match=r"--log wandb cannot be started: RuntimeError: api_key not configured\. Set it up .*leave --log out",
    ):
        train(tmp_path / "run", 2, open_tracker("wandb", {}))
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == ""


def test_the_log_is_closed_when_a_training_ends_by_an_error(tmp_path: Path, tracker: type[Tracker]) -> None:
    class Failing(Callback):
        def on_step(self, metrics: Any) -> None:
            raise ValueError("a plugin's bug")

    with pytest.raises(ValueError, match="a plugin's bug"):
        train(tmp_path / "run", 2, open_tracker("wandb", {}), Failing())
    assert tracker.opened[0].is_finished


def test_a_tracker_without_pictures_or_texts_gets_numbers_only(tmp_path: Path, tracker: type[Tracker]) -> None:
    log = TrackerLog("mlflow", tracker, {}, 1)
    train(tmp_path / "run", 4, log)
    log.on_alarm(Alarm(1, "saturation", "told of a closed log"))
    (opened,) = tracker.opened
    assert opened.options == {"run_name": "run"}
    assert opened.pictures == []
    assert all(isinstance(value, float) for _, values in opened.values for value in values.values())


def test_after_steps_are_taken_back_a_tracker_that_cannot_forget_is_told_the_new_ones(
    tmp_path: Path, tracker: type[Tracker]
) -> None:
    log = TrackerLog("mlflow", tracker, {}, 2)
    log.on_start(TrainStart(tmp_path, 0, 10))
    for step in (1, 2, 3):
        log.on_step(metrics_of(step))
    log.on_rollback(TrainStart(tmp_path, 1, 10))
    log.on_step(metrics_of(2))
    (opened,) = tracker.opened
    assert [step for step, _ in opened.values] == [2, 2]
    assert not opened.is_finished


def test_trackers_that_go_on_are_opened_anew_after_steps_are_taken_back(tmp_path: Path, tracker: type[Tracker]) -> None:
    log = open_tracker("wandb", {})
    log.on_start(TrainStart(tmp_path, 0, 10))
    log.on_rollback(TrainStart(tmp_path, 5, 10))
    assert [opened.is_finished for opened in tracker.opened] == [True, False]
    assert len({opened.options["id"] for opened in tracker.opened}) == 1


def test_a_tracker_that_cannot_be_opened_again_is_left_alone(
    tmp_path: Path, tracker: type[Tracker], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_tracker("wandb", {}, every=1)
    log.on_start(TrainStart(tmp_path, 0, 10))

    def refuse(self: Tracker) -> None:
        raise OSError("no space")

    monkeypatch.setattr(tracker, "start", refuse)
    with caplog.at_level(logging.WARNING, logger=trackers.__name__):
        log.on_rollback(TrainStart(tmp_path, 5, 10))
        log.on_step(metrics_of(6))
    assert len(caplog.records) == 1 and "no space" in caplog.text


@pytest.mark.parametrize("name", ["tensorbord", "metrics"])
def test_an_unknown_tracker_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(TrainingError, match=rf"no tracker '{name}'.*accelerate knows .*mlflow.*tensorboard.*wandb"):
        open_tracker(name, {})


def test_a_tracker_whose_package_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate import tracking

    monkeypatch.setattr(tracking, "get_available_trackers", lambda: [])
    with pytest.raises(
        TrainingError, match=r"not installed: pip install 'rpganify\[tensorboard\]'\. Without it, metrics"
    ):
        open_tracker("tensorboard", {})
    with pytest.raises(TrainingError, match=r"not installed: pip install 'aim'"):
        open_tracker("aim", {})


def test_all_of_accelerates_trackers_can_be_named() -> None:
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    assert set(LOGGER_TYPE_TO_CLASS) <= set(trackers._DIALECTS)


@pytest.mark.parametrize("name", sorted(trackers._DIALECTS))
def test_every_tracker_takes_the_options_that_it_is_opened_with(name: str, tmp_path: Path) -> None:
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    dialect = trackers._DIALECTS[name]
    opened = LOGGER_TYPE_TO_CLASS[name](dialect.title, **dialect.options(trackers._Opening(tmp_path, "abc", 3)))
    assert opened.name == name
    assert dialect.pictures is None or callable(opened.log_images)
