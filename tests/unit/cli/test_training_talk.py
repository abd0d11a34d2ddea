"""What is told of a training while it runs."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from rpganify.cli.console import say
from rpganify.cli.progress import ProgressTalk
from rpganify.cli.training_talk import TrainingTalk
from rpganify.training.callbacks import Quality, StepMetrics, TrainResult, TrainStart
from tests.unit.cli.test_progress import Clock


def metrics_of(step, loss=1.5, data_s=0.01, other_s=0.02):
    return StepMetrics(step, loss, -0.5, 0.25, -0.25, None, None, data_s, 0.5, 0.47, 64.0, other_s)


def told(capsys):
    return capsys.readouterr().err.splitlines()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def talk(clock):
    with ProgressTalk(clock) as progress:
        yield TrainingTalk(progress, clock)


def test_a_line_of_a_log_holds_losses_speed_shares_of_the_time_and_the_time_left(talk, clock, capsys):
    talk.on_start(TrainStart(Path("runs/first"), 0, 1200))
    for step in range(1, 7):
        talk.on_step(metrics_of(step))
        clock.now += 1
    assert told(capsys) == [
        "training runs/first from the start, to step 1,200",
        "step 1/1,200  loss D 1.500  G -0.500  63 images/s  time: data 1.0 %  D 50 %  G 47 %  other 2.0 %",
        "step 6/1,200  loss D 1.500  G -0.500  63 images/s  time: data 1.0 %  D 50 %  G 47 %  other 2.0 %  19 min 54 s left",
    ]


def test_the_numbers_are_means_over_the_last_hundred_steps(talk, clock, capsys):
    talk.on_start(TrainStart(Path("run"), 0, 1000))
    for step in range(1, 151):
        clock.now = 0.0 if step < 150 else 5.0
        talk.on_step(metrics_of(step, loss=step))
    assert "loss D 100.500" in told(capsys)[-1]  # of steps 51 to 150


def test_losses_that_explode_stay_readable(talk, capsys):
    talk.on_step(metrics_of(1, loss=-7.046e21))
    assert "loss D -7.05e+21  G -0.500" in told(capsys)[0]


def test_only_the_first_of_several_processes_talks(talk, clock, capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    screen = io.StringIO()
    talk.on_start(TrainStart(Path("run"), 0, 10))
    talk.on_step(metrics_of(1))
    with ProgressTalk(clock, Console(file=screen, force_terminal=True)) as progress:
        progress.update("reading", 1, 2)
    assert told(capsys) == [] and screen.getvalue() == ""


def test_the_last_quality_is_told_with_the_numbers_and_the_best_where_it_is_another(talk, clock, capsys):
    talk.on_start(TrainStart(Path("run"), 0, 1000))
    talk.on_quality(Quality(500, "Fréchet distance", 12.345, True, True))
    talk.on_step(metrics_of(501))
    talk.on_quality(Quality(600, "Fréchet distance", 14.0, True, False))
    clock.now = 5
    talk.on_step(metrics_of(601))
    _, first, second = told(capsys)
    assert first.endswith("Fréchet distance: 12.35 at step 500, the best so far")
    assert "Fréchet distance: 14 at step 600, best 12.35 at 500  " in second


def test_the_quality_that_was_measured_after_the_last_step_is_told_at_the_end(talk, capsys):
    talk.on_step(metrics_of(9))
    talk.on_quality(Quality(9, "distance", 3, True, True))
    talk.on_end(TrainResult(Path("run"), 9, 12, Path("run"), True, 1.0, None))
    before, after = told(capsys)
    assert "distance" not in before
    assert after.startswith("step 9/12  loss D") and after.endswith("distance: 3 at step 9, the best so far")


def test_after_a_rollback_numbers_and_time_left_are_those_of_the_steps_that_are_done_again(talk, clock, capsys):
    talk.on_start(TrainStart(Path("run"), 0, 100))
    talk.on_quality(Quality(1, "distance", 3, True, True))
    for step in range(1, 11):
        talk.on_step(metrics_of(step, loss=50.0))
    talk.on_rollback(TrainStart(Path("run"), 0, 100))
    clock.now = 100
    talk.on_step(metrics_of(1))
    clock.now = 110
    talk.on_step(metrics_of(2))
    *_, before, after = told(capsys)
    assert "loss D 1.500" in before and "distance" not in before and "left" not in before
    assert after.endswith("16 min 20 s left")  # 98 steps of 10 s


@pytest.mark.parametrize(("step", "left"), [(0, "20 s left"), (30, None)])
def test_a_training_by_the_clock_tells_the_time_left_unless_an_earlier_call_took_some(talk, clock, capsys, step, left):
    talk.on_start(TrainStart(Path("run"), step, None, 0.5))
    clock.now = 10
    talk.on_step(metrics_of(step + 1))
    start, line = told(capsys)
    assert start.endswith("for 0.5 minutes in all")
    assert line.startswith(f"step {step + 1}  loss D")
    assert (left in line) if left else ("left" not in line)


def test_a_terminal_gets_a_bar_with_the_numbers_below_it_and_warnings_above(clock):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, height=20)
    with ProgressTalk(clock, console) as progress:
        talk = TrainingTalk(progress, clock)
        talk.on_start(TrainStart(Path("run"), 0, 2))
        talk.on_step(metrics_of(1))
        say("warning: The discriminator has won [bold].")
        talk.on_step(metrics_of(2))
    text = screen.getvalue()
    assert "warning: The discriminator has won [bold]." in text
    assert text.rindex("warning: ") < text.rindex("2/2") < text.rindex("loss D 1.500") < text.rindex("time: data")
