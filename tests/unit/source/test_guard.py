import importlib
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from rpganify.source.guard import RefusedEffect, effects_refused


def is_here(filename: str) -> bool:
    return filename == __file__


@pytest.mark.parametrize(
    ("effect", "message"),
    [
        (lambda folder: os.makedirs(folder / "a/b"), "create the folder"),
        (lambda folder: (folder / "new").mkdir(), "create the folder"),
        (lambda folder: (folder / "f").open("ab"), "write the file"),
        (lambda folder: (folder / "f").write_text("x"), "write the file"),
        (lambda folder: os.open(folder / "f", os.O_CREAT | os.O_WRONLY), "write the file"),
        (lambda folder: subprocess.run(["true"]), "start the program"),
        (lambda folder: os.system("true"), "run the command"),
        (lambda folder: socket.create_connection(("localhost", 9)), "network connection"),
        (lambda folder: urllib.request.urlopen("http://localhost:9"), "download"),
        (lambda folder: (folder / "there").unlink(), "delete"),
    ],
)
def test_effects_are_refused_and_named(effect, message, tmp_path):
    (tmp_path / "there").touch()
    with effects_refused(is_here), pytest.raises(RefusedEffect, match=message):
        effect(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_reading_is_allowed(tmp_path):
    (tmp_path / "f").write_text("text")
    with effects_refused(is_here):
        assert (tmp_path / "f").read_text() == "text"


def test_afterwards_everything_is_allowed_again(tmp_path):
    with effects_refused(is_here):
        pass
    (tmp_path / "f").mkdir()


def test_what_other_code_does_is_none_of_its_business(tmp_path):
    with effects_refused(lambda filename: False):
        (tmp_path / "f").mkdir()


def test_a_package_may_write_while_it_is_imported(tmp_path: Path, monkeypatch):
    package = tmp_path / "writes_when_imported.py"
    package.write_text(f"import os\nos.mkdir({str(tmp_path / 'cache')!r})\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with effects_refused(is_here):
        importlib.import_module("writes_when_imported")
    monkeypatch.delitem(sys.modules, "writes_when_imported")
    assert (tmp_path / "cache").is_dir()
