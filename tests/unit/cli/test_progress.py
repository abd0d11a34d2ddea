"""Progress on stderr: lines in a log, a bar on a terminal."""

import io
import itertools
import logging
from types import SimpleNamespace

from rich.console import Console

from rpganify.cli.app import _Talk
from rpganify.cli.console import say
from rpganify.cli.progress import ProgressTalk


class Clock:
    """Time that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_log_gets_the_first_line_one_every_five_seconds_and_the_last(capsys):
    clock = Clock()
    with ProgressTalk(clock) as talk:
        for step in range(1, 21):
            clock.now += 1
            talk.update("step", step, 20, "loss 0.5")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.split("  ")[0] for line in captured.err.splitlines()] == [
        "step 1/20",
        "step 6/20",
        "step 11/20",
        "step 16/20",
        "step 20/20",
    ]


def test_the_time_left_follows_from_the_speed_since_the_first_step_that_was_told(capsys):
    clock = Clock()
    with ProgressTalk(clock) as talk:
        talk.update("step", 100, 200)
        clock.now = 50
        talk.update("step", 150, 200)
    assert capsys.readouterr().err.splitlines() == ["step 100/200", "step 150/200  50 s left"]


def test_each_part_is_told_by_its_own_name(capsys):
    with ProgressTalk(Clock()) as talk:
        talk.update("variations", 3, 3)
        talk.update("diversity", 1, 2)
    assert capsys.readouterr().err.splitlines() == ["variations 3/3", "diversity 1/2"]


def test_a_terminal_gets_a_bar_with_names_as_they_are():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with ProgressTalk(Clock(), console) as talk:
        talk.update("conv[0]", 1, 2, "loss [bold]")
        talk.update("conv[0]", 2, 2, "loss [bold]")
    text = screen.getvalue()
    assert "conv[0]" in text
    assert "loss [bold]" in text
    assert "2/2" in text


def test_a_log_of_long_work_gets_fewer_lines_as_it_goes_on_and_at_least_one_a_minute(capsys):
    clock = Clock()
    with ProgressTalk(clock) as talk:
        for second in range(3601):
            clock.now = second
            talk.update("step", second, 10**6)
    times = [int(line.split()[1].split("/")[0].replace(",", "")) for line in capsys.readouterr().err.splitlines()]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses[:10] == [5] * 10
    assert pauses == sorted(pauses) and pauses[-1] == 60
    assert len(times) < 130


def test_details_are_worked_out_only_when_they_are_told(capsys):
    asked = []

    def details():
        asked.append(1)
        return "one\ntwo"

    with ProgressTalk(Clock()) as talk:
        for step in range(1, 100):
            talk.update("step", step, 100, details)
    assert capsys.readouterr().err.splitlines() == ["step 1/100  one  two"]
    assert len(asked) == 1


def test_where_nobody_knows_the_total_only_what_is_done_is_told(capsys):
    clock = Clock()
    with ProgressTalk(clock) as talk:
        talk.update("step", 1, None)
        clock.now = 5
        talk.update("step", 1200, None, "loss 1")
    assert capsys.readouterr().err.splitlines() == ["step 1", "step 1,200  loss 1"]


def test_a_part_that_goes_back_is_timed_anew(capsys):
    clock = Clock()
    with ProgressTalk(clock) as talk:
        talk.update("step", 50, 100)
        for now, done in ((10, 60), (20, 20), (30, 30)):
            clock.now = now
            talk.update("step", done, 100)
    assert capsys.readouterr().err.splitlines() == [
        "step 50/100",
        "step 60/100  40 s left",
        "step 20/100",
        "step 30/100  1 min 10 s left",
    ]


def screen_and_talk(clock, width=80):
    screen = io.StringIO()
    return screen, ProgressTalk(clock, Console(file=screen, force_terminal=True, width=width, height=20))


def test_a_bar_is_drawn_at_most_four_times_a_second_and_at_the_end():
    clock = Clock()
    screen, talk = screen_and_talk(clock)
    asked = []
    with talk:
        for step in range(1, 1001):
            clock.now = step / 1000
            talk.update("step", step, 1000, lambda: asked.append(clock.now) or "")
    assert 2 <= len(asked) <= 5
    assert all(later - earlier >= 0.25 for earlier, later in itertools.pairwise(asked[:-1]))
    assert asked[-1] == 1.0
    assert "1,000/1,000" in screen.getvalue()


def test_drawing_takes_less_than_half_a_percent_of_the_time(monkeypatch):
    clock = Clock()
    _, talk = screen_and_talk(clock)
    ticks = iter(range(10**6))
    stopwatch = SimpleNamespace(perf_counter=lambda: next(ticks) * 0.01)  # 10 ms to draw
    monkeypatch.setattr("rpganify.cli.progress.time", stopwatch)
    asked = []
    with talk:
        for step in range(1, 101):
            clock.now = step / 8
            talk.update("step", step, 1000, lambda: asked.append(clock.now) or "")
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert len(pauses) == 4
    assert all(2.5 <= pause <= 2.75 for pause in pauses)


def test_talk_and_warnings_stay_above_the_bar_and_are_read_as_they_are(capsys):
    screen, talk = screen_and_talk(Clock())
    with talk:
        say("before [bold]")
        talk.update("step", 1, 2)
        say("between [bold]")
        _Talk().emit(logging.LogRecord("rpganify", logging.WARNING, "", 0, "a warning,\n of two lines", None, None))
        talk.update("step", 2, 2)
    say("after [bold]")
    assert capsys.readouterr().err == "before [bold]\nafter [bold]\n"
    text = screen.getvalue()
    assert text.index("1/2") < text.index("between [bold]\n") < text.index("warning: a warning, of two lines\n")
    assert text.index("warning: ") < text.rindex("2/2")


def test_a_bar_within_another_gives_the_talk_back(capsys):
    outer_screen, outer = screen_and_talk(Clock())
    inner_screen, inner = screen_and_talk(Clock())
    with outer:
        outer.update("step", 1, 2)
        with inner:
            inner.update("part", 1, 2)
            say("of the part")
        say("of the step")
    assert "of the part" in inner_screen.getvalue() and "of the step" in outer_screen.getvalue()
    assert capsys.readouterr().err == ""


def test_on_a_narrow_terminal_the_numbers_below_the_bar_are_folded_not_cut():
    screen, talk = screen_and_talk(Clock(), width=40)
    with talk:
        talk.update("step", 1, 2, "loss D 1.234  G -0.123  1,234 images/s  time: data 1 %")
    text = screen.getvalue()
    assert all(word in text for word in ("1.234", "1,234", "images/s", "data", "1 %"))
    assert "…" not in text
