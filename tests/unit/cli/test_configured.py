"""Options from a TOML file, under those of the command line."""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from rpganify.cli.app import app as whole
from rpganify.cli.configured import ConfiguredCommand, option_name, render_settings


class Pace(StrEnum):
    SLOW = "slow"
    FAST = "fast"


SEEN = {}


def work(
    context: typer.Context,
    model: str,
    steps: Annotated[int | None, typer.Option("--steps")] = None,
    images: Annotated[int | None, typer.Option("--images")] = None,
    minutes: Annotated[float | None, typer.Option("--minutes")] = None,
    pace: Annotated[Pace, typer.Option("--pace")] = Pace.SLOW,
    betas: Annotated[str, typer.Option("--betas")] = "0.5,0.999",
    fixed_input: Annotated[str, typer.Option("--Z")] = "learned",
    is_fast: Annotated[bool, typer.Option("--compile")] = False,
    aside: Annotated[bool, typer.Option("--background/--waiting")] = True,
    loss_arg: Annotated[list[str] | None, typer.Option("--loss-arg")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output")] = None,
    config: Annotated[Path | None, typer.Option("--config")] = None,
    resume: Annotated[bool, typer.Option("--resume")] = False,
    override: Annotated[list[str] | None, typer.Option("--override")] = None,
    force: Annotated[bool, typer.Option("--force")] = False,
) -> None:
    """Notes what it was given."""
    SEEN.clear()
    SEEN.update({option_name(param): context.params.get(param.name) for param in context.command.params})


app = typer.Typer(rich_markup_mode=None)
app.command(cls=ConfiguredCommand)(work)


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Calls the command in a folder of its own, with a file `c.toml` if there is text for it."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, text=None):
        if text is not None:
            Path("c.toml").write_text(text)
            arguments = (*arguments, "--config", "c.toml")
        return CliRunner().invoke(app, list(arguments))

    return run


def given(call, *arguments, text=None):
    result = call(*arguments, text=text)
    assert result.exit_code == 0, result.output
    return dict(SEEN)


def refused(call, *arguments, text=None):
    result = call(*arguments, text=text)
    assert result.exit_code == 2, result.output
    return " ".join(result.output.split())


def test_every_option_may_stand_in_the_file_and_what_is_typed_wins(call):
    text = (
        'model = "a.rpgan"\nsteps = 5\npace = "fast"\ncompile = true\nbackground = false\nloss-arg = ["a=1", "b=2"]\n'
    )
    seen = given(call, text=text)
    assert (seen["model"], seen["steps"], seen["pace"], seen["compile"]) == ("a.rpgan", 5, Pace.FAST, True)
    assert (seen["background"], seen["loss_arg"]) == (False, ["a=1", "b=2"])
    seen = given(call, "b.rpgan", "--steps", "7", "--pace=slow", "--background", "--loss-arg", "c=3", text=text)
    assert (seen["model"], seen["steps"], seen["pace"], seen["compile"]) == ("b.rpgan", 7, Pace.SLOW, True)
    assert (seen["background"], seen["loss_arg"]) == (True, ["c=3"])


def test_without_a_file_there_are_the_defaults(call):
    seen = given(call, "a.rpgan")
    assert (seen["steps"], seen["pace"], seen["Z"], seen["loss_arg"]) == (None, Pace.SLOW, "learned", ())


@pytest.mark.parametrize("key", ["loss-arg", "loss_arg"])
def test_hyphens_and_underscores_are_the_same_and_a_name_is_that_of_the_command_line(call, key):
    seen = given(call, "m", text=f'{key} = ["a=1"]\nZ = "random"\n')
    assert (seen["loss_arg"], seen["Z"]) == (["a=1"], "random")


def test_a_table_gives_parts_of_a_repeated_option_as_python_reads_them(call):
    seen = given(call, "m", text='[loss-arg]\nweight = 5\none_sided = true\nname = "x"\nshape = [1, 2]\n')
    assert seen["loss_arg"] == ["weight=5", "one_sided=True", "name=x", "shape=[1, 2]"]


def test_one_value_will_do_for_a_repeated_option_and_a_list_for_one_with_commas(call):
    seen = given(call, "m", text='loss_arg = "a=1"\nbetas = [0, 0.9]\n')
    assert (seen["loss_arg"], seen["betas"]) == (["a=1"], "0,0.9")


@pytest.mark.parametrize("typed", [("--images", "9"), ("--minutes", "0.5"), ("--steps", "4")])
def test_a_budget_that_is_typed_takes_the_place_of_the_file_s(call, typed):
    seen = given(call, "m", *typed, text="steps = 500\n")
    budget = {name: seen[name] for name in ("steps", "images", "minutes") if seen[name] is not None}
    assert list(budget) == [typed[0][2:]] and float(typed[1]) == next(iter(budget.values()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step = 5\n", "c.toml: there is no option 'step'. Did you mean 'steps'? Names are those of the command line"),
        ("resume = true\n", "there is no option 'resume'"),
        ("steps = 5.5\n", "Invalid value for '--steps'"),
        ('steps = "many"\n', "(steps in c.toml)"),
        ("steps = true\n", "(steps in c.toml)"),
        ("steps = [1, 2]\n", "(steps in c.toml)"),
        ("[steps]\na = 1\n", "(steps in c.toml)"),
        ("compile = 3\n", "(compile in c.toml)"),
        ('pace = "quick"\n', "'quick' is not one of 'slow', 'fast'"),
        ("loss-arg = []\nloss_arg = []\n", "c.toml: 'loss_arg' is given twice, once with hyphens."),
        ("steps = \n", "c.toml is no TOML:"),
        ("steps: 5\n", "An option is a line such as `steps = 500`, a text stands in quotes."),
    ],
)
def test_what_the_file_holds_wrongly_is_refused_by_name(call, text, message):
    assert message in refused(call, "m", text=text)


def test_a_typed_value_that_is_wrong_is_not_blamed_on_the_file(call):
    assert "c.toml" not in refused(call, "m", "--steps", "x", text="steps = 5\n")


def test_a_file_that_cannot_be_read_is_refused(call, tmp_path):
    assert "gone.toml cannot be read: [Errno 2]" in refused(call, "m", "--config", "gone.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    assert "bytes.toml cannot be read: 'utf-8' codec" in refused(call, "m", "--config", "bytes.toml")
    assert "cannot be read: [Errno 21]" in refused(call, "m", "--config", str(tmp_path))


def test_a_resumed_run_takes_its_own_options_and_its_model_by_either_name(call, tmp_path):
    run = tmp_path / "runs/first"
    run.mkdir(parents=True)
    (run / "config.toml").write_text('model = "a.rpgan"\nsteps = 5\npace = "fast"\noutput = "elsewhere"\n')
    for arguments in (["runs/first"], ["-o", "runs/first"], ["a.rpgan", "-o", "runs/first"]):
        seen = given(call, *arguments, "--resume")
        assert (seen["model"], seen["steps"], seen["output"]) == ("a.rpgan", 5, Path("runs/first"))
    assert given(call, "runs/first", "--resume", "--images", "8")["steps"] is None
    assert given(call, "runs/first", "--resume", "--steps", "8")["steps"] == 8
    seen = given(call, "runs/first")  # not resumed: a model like any other
    assert (seen["model"], seen["steps"], seen["output"]) == ("runs/first", None, None)


def test_what_is_written_is_read_back(call, tmp_path):
    awkward = 'C:\\a "quoted" name\twith\nlines, ünïcode and \x7f'
    seen = given(call, awkward, "--minutes", "1e-05", "--loss-arg", "a=1", "--pace", "fast", "--waiting")
    text = render_settings({**seen, "output": Path("runs/first")}, "Two\nlines")
    assert text.startswith("# Two\n# lines\n")
    assert "steps" not in tomllib.loads(text) and "resume" not in tomllib.loads(text)
    assert given(call, text=text) == {**seen, "output": Path("runs/first"), "config": Path("c.toml")}


def test_every_option_of_train_has_a_name_of_its_own_in_a_file():
    import typer.main

    command = typer.main.get_command(whole).commands["train"]
    names = [option_name(param) for param in command.params]
    assert len(set(names)) == len(names)
    assert {"model", "data", "Z", "loss_arg", "background_checkpoints", "output"} <= set(names)
