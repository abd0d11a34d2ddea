"""The README's examples run."""

import re
import shlex
from pathlib import Path

import pytest
import torch

import rpganify

README = Path(__file__).resolve().parents[2] / "README.md"


def indented_lines(heading):
    """The code of one section, without its indentation."""
    section = README.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line[4:] for line in section.splitlines() if line.startswith("    ")]


def commands():
    lines = [line[4:] for line in README.read_text().splitlines() if line.startswith("    rpganify ")]
    return [shlex.split(re.split(r" +# ", line)[0]) for line in lines]


def command_and_options(command):
    """The words that name a command, and the options behind them; those before it are the whole program's."""
    words = command[1:]
    while words[0].startswith("-"):
        words = words[2:]
    is_group = words[0] == "plugins" and words[1:]
    return words[: 1 + bool(is_group)], [word for word in words[1 + bool(is_group) :] if is_option(word)]


def is_option(word):
    return word.startswith("-") and not word.lstrip("-").isdigit()


def test_the_python_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = rpganify.architecture("sngan32", channels=4)
    names = {"generator": generator}
    with torch.no_grad():
        exec(compile("\n".join(indented_lines("Python")), str(README), "exec"), names)
    assert names["images"].shape == (64, 3, 32, 32)
    assert names["rp"].paths.cardinality == 102_400_000
    assert "102400000" in README.read_text()


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_option_of_a_readme_command_exists(shell, command):
    name, options = command_and_options(command)
    known = shell.succeeds(*name, "--help").stdout
    for option in options:
        assert re.search(rf"(^|[\s,]){re.escape(option)}\b", known), f"{' '.join(name)} has no {option}"
    everywhere = shell.succeeds("--help").stdout
    for option in command[1 : command.index(name[0])]:
        assert not is_option(option) or option in everywhere, f"rpganify has no {option}"


def test_the_readme_shows_every_command_of_the_road():
    shown = {" ".join(command_and_options(command)[0]) for command in commands()}
    assert shown >= {"inspect", "convert", "train", "sample", "analyze", "export", "plugins", "plugins doctor"}


def test_the_readme_shows_what_inspect_and_convert_print(shell):
    # A float32 sum may round otherwise on another processor, so the numbers of the proof are left out.
    example = str(README.parent / "examples" / "my_gan.py")
    printed = shell.succeeds("inspect", example).stdout.replace(example, "examples/my_gan.py").splitlines()
    plan = shell.succeeds("convert", example, "--buckets", "5", "--blocks", "40", "--dry-run").stdout.splitlines()
    printed += [line for line in plan if not line.startswith("verified")]
    shown = README.read_text()
    for line in printed:
        assert f"    {line}\n" in shown


@pytest.mark.parametrize("picture", re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README.read_text()))
def test_every_picture_of_the_readme_is_there_and_small(picture):
    assert 1_000 < (README.parent / picture).stat().st_size < 300_000
