"""Every way for a command to fail becomes an exit code and a line on stderr."""

import errno

import pytest
import typer
from typer.testing import CliRunner

from rpganify.cli.boundary import bounded
from rpganify.errors import PlanError


def run_failing(error):
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

    def fail(name: str = "x") -> None:
        raise error

    app.command()(bounded(fail))
    return CliRunner().invoke(app, [])


def test_a_refusal_is_one_line_on_stderr_and_exit_code_1():
    result = run_failing(PlanError("First line.\n  Second [line]."))
    assert result.exit_code == 1
    assert result.stderr == "error: First line. Second [line].\n"
    assert result.stdout == ""


def test_an_exception_that_nobody_meant_says_it_is_our_bug_without_a_traceback():
    result = run_failing(KeyError("layer"))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: This is a bug in rpganify: KeyError: 'layer'. Please report it")
    assert result.stderr.count("\n") == 1


def test_the_debug_variable_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("RPGANIFY_DEBUG", "1")
    result = run_failing(PlanError("No."))
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.endswith("error: No.\n")


def test_a_full_disk_is_no_bug():
    result = run_failing(OSError(errno.ENOSPC, "No space left on device", "grid.png"))
    assert result.exit_code == 1
    assert result.stderr == (
        "error: The operating system refused: No space left on device (grid.png). "
        "Make room or choose another place, then repeat.\n"
    )


def test_running_out_of_memory_is_no_bug():
    result = run_failing(MemoryError())
    assert result.exit_code == 1
    assert result.stderr.startswith("error: Out of memory: no more to be had. Use fewer blocks or a smaller batch")


def test_an_interruption_ends_with_130():
    result = run_failing(KeyboardInterrupt())
    assert result.exit_code == 130
    assert result.stderr == "interrupted\n"


def test_wrong_usage_found_inside_a_command_ends_with_2():
    result = run_failing(typer.BadParameter("not so", param_hint="--blocks"))
    assert result.exit_code == 2
    assert "Invalid value for --blocks: not so" in result.stderr


@pytest.mark.parametrize("code", [0, 7])
def test_an_exit_on_purpose_keeps_its_code(code):
    assert run_failing(typer.Exit(code)).exit_code == code
