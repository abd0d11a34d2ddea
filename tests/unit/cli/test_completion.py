"""Names that the shell completes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import typer

from rpganify.cli.app import app
from rpganify.cli.completion import KERNELS, complete_kernel, complete_kind, complete_source, complete_switch, names_of
from rpganify.entries import LossEntry
from rpganify.registry import KINDS

PLUGIN = """
from rpganify.hookspecs import LossEntry, hookimpl

@hookimpl
def rpganify_losses():
    return [LossEntry("hinge-of-mine", "my own", "builtins:dict")]
"""


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Context:
    """That of `rpganify --plugins-dir plugins inspect …`, in a folder with files."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("rpganify.registry.finding.ENTRY_POINT_GROUP", "nobody")  # what is installed is another's
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "completed_plugin.py").write_text(PLUGIN)
    (tmp_path / "sngan_of_mine.py").write_text("")
    (tmp_path / "notes.txt").write_text("")
    root = typer.main.get_command(app)
    parent = root.make_context("rpganify", ["--plugins-dir", "plugins", "inspect"], resilient_parsing=True)
    return typer.Context(root.commands["inspect"], parent=parent)  # type: ignore[attr-defined]


def test_names_of_built_ins_and_plugins_complete_with_their_help(context: typer.Context) -> None:
    found = names_of(LossEntry)(context, "hin")
    assert found == [
        ("hinge", "margin on the scores, spectral norm (RPGAN's main setting)"),
        ("hinge-of-mine", "my own"),
    ]
    sys.modules.pop("completed_plugin")


def test_a_source_completes_to_architectures_python_files_and_folders(context: typer.Context) -> None:
    assert [name for name, _ in complete_source(context, "sng")] == [
        "sngan128", "sngan32", "sngan48", "sngan64", "sngan_of_mine.py",
    ]  # fmt: skip
    assert ("plugins/", "") in complete_source(context, "")
    assert complete_source(context, "plugins/c") == [("plugins/completed_plugin.py", "")]
    assert complete_source(context, "note") == []
    sys.modules.pop("completed_plugin", None)


def test_plugins_to_leave_out_complete_without_being_imported(context: typer.Context) -> None:
    assert ("no:completed_plugin", "completed_plugin (plugins)") in complete_switch(context, "no:c")
    assert "completed_plugin" not in sys.modules


def test_kinds_complete(context: typer.Context) -> None:
    assert [word for word, _ in complete_kind("")] == [kind.word for kind in KINDS]
    assert complete_kind("da") == [("dataset", "data sets")]


def test_where_plugins_cannot_be_found_nothing_is_completed_and_nothing_said(
    context: typer.Context, capsys: pytest.CaptureFixture[str]
) -> None:
    (Path("plugins") / "completed_plugin.py").write_text(PLUGIN.replace("hinge-of-mine", "hinge"))
    assert names_of(LossEntry)(context, "hin") == []
    sys.modules.pop("completed_plugin", None)
    (Path("plugins") / "completed_plugin.py").write_text("import nothing_of_this_name")
    assert [name for name, _ in names_of(LossEntry)(context, "hin")] == ["hinge"]
    assert capsys.readouterr() == ("", "")


def test_kernels_complete_without_torch_to_the_names_that_there_are() -> None:
    from rpganify.routing.kernels import KERNEL_NAMES

    assert KERNELS == KERNEL_NAMES
    assert complete_kernel("g") == ["grouped", "gather"]
