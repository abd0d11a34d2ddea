"""Progress on stderr: lines in a log, a bar on a terminal."""

import io

from rich.console import Console

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
