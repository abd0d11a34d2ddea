"""Where plugins are found, and which of them are loaded."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpganify.entries import LossEntry
from rpganify.errors import RegistryError
from rpganify.registry import Registry, Selection, choose_plugins, default_registry
from rpganify.registry.finding import DIRECTORY_VARIABLE, LOAD_VARIABLE, find_plugins

LOSS = """
from rpganify.hookspecs import LossEntry, hookimpl

@hookimpl
def rpganify_losses():
    return [LossEntry({name!r}, "a loss", {factory!r})]
"""


@pytest.fixture(autouse=True)
def _leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules and folders that a plugin brings in are taken out again."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("rpganify.registry.finding.ENTRY_POINT_GROUP", "nobody")  # what is installed is another's
    monkeypatch.delenv(DIRECTORY_VARIABLE, raising=False)
    monkeypatch.delenv(LOAD_VARIABLE, raising=False)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("p1_"):
            del sys.modules[name]


def write(folder: Path, place: str, name: str, factory: str = "builtins:dict") -> None:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(LOSS.format(name=name, factory=factory))


def losses(**selection: object) -> set[str]:
    """Names of the losses that are no built-ins."""
    return set(Registry(Selection(**selection)).all(LossEntry)) - set(Registry().all(LossEntry))  # type: ignore[arg-type]


def test_every_file_and_package_of_a_folder_is_a_plugin_named_after_it(tmp_path: Path) -> None:
    write(tmp_path, "p1_single.py", "single")
    write(tmp_path, "p1_package/__init__.py", "package")
    registry = Registry(Selection(directories=(tmp_path,)))
    for name in ("single", "package"):
        provider = registry.provider(registry.get(LossEntry, name))
        assert (provider.name, str(provider)) == (f"p1_{name}", f"p1_{name} ({tmp_path})")


def test_hidden_files_helpers_and_what_is_no_module_are_left_alone(tmp_path: Path) -> None:
    for place in ("_p1_helper.py", ".p1_hidden.py", "_p1_package/__init__.py", "p1_folder/inner.py", "p1_text.txt"):
        write(tmp_path, place, "unseen")
    assert find_plugins(Selection(directories=(tmp_path,)))[0] == []


def test_a_plugin_s_file_can_name_its_own_classes_and_helpers_beside_it(tmp_path: Path) -> None:
    write(tmp_path, "p1_user.py", "helped", factory="p1_helper:Loss")
    (tmp_path / "p1_helper.py").write_text("class Loss: pass\n")
    from rpganify.registry import resolve

    factory = resolve(Registry(Selection(directories=(tmp_path,))).get(LossEntry, "helped").factory)
    assert factory.__module__ == "p1_helper"


def test_finding_plugins_imports_none_of_them(tmp_path: Path) -> None:
    write(tmp_path, "p1_unread.py", "unread")
    (found,), _ = find_plugins(Selection(directories=(tmp_path,)))
    assert found.provider.name == "p1_unread" and "p1_unread" not in sys.modules


def test_a_file_called_as_an_installed_package_replaces_nothing_and_is_told_to_be_renamed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "json.py", "shadow")
    with caplog.at_level(logging.WARNING, logger="rpganify.registry.catalog"):
        registry = Registry(Selection(directories=(tmp_path,)))
    (cause,) = registry.failures.values()
    assert "`import json` finds" in cause and f"rename {tmp_path / 'json.py'}" in cause
    assert "shadow" not in registry.all(LossEntry)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"There is no folder of plugins '.*nowhere'.*RPGANIFY_PLUGINS_DIR"):
        Registry(Selection(directories=(tmp_path / "nowhere",)))


def test_a_file_and_a_package_of_one_name_in_two_folders_are_not_mixed_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "one", "p1_twice.py", "first")
    write(tmp_path / "two", "p1_twice.py", "second")
    with caplog.at_level(logging.WARNING, logger="rpganify.registry.catalog"):
        registry = Registry(Selection(directories=(tmp_path / "one", tmp_path / "two")))
    assert "first" in registry.all(LossEntry) and "second" not in registry.all(LossEntry)
    (cause,) = registry.failures.values()
    assert f"rename {tmp_path / 'two' / 'p1_twice.py'}" in cause


def test_two_folders_with_one_name_of_a_loss_are_refused_naming_both(tmp_path: Path) -> None:
    write(tmp_path / "one", "p1_a.py", "same")
    write(tmp_path / "two", "p1_b.py", "same")
    with pytest.raises(RegistryError, match="Two losses are called 'same'") as caught:
        Registry(Selection(directories=(tmp_path / "one", tmp_path / "two")))
    message = str(caught.value)
    assert f"p1_a ({tmp_path / 'one'})" in message and f"p1_b ({tmp_path / 'two'})" in message
    assert "leave it out with `-p no:p1_b`" in message


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A folder of three plugins, each with a loss of its file's name."""
    for name in ("p1_x", "p1_y", "p1_z"):
        write(tmp_path, f"{name}.py", name)
    return tmp_path


def test_a_plugin_can_be_left_out_by_name(three: Path) -> None:
    assert losses(directories=(three,), blocked=("p1_y",)) == {"p1_x", "p1_z"}


def test_only_some_plugins_can_be_loaded_or_none(three: Path) -> None:
    assert losses(directories=(three,), only=("p1_y", "p1_z")) == {"p1_y", "p1_z"}
    assert losses(directories=(three,), only=()) == set()


def test_names_of_plugins_compare_as_pip_compares_them(three: Path) -> None:
    assert losses(directories=(three,), blocked=("P1-Y",), only=("p1.y", "p1-x")) == {"p1_x"}


def test_leaving_out_a_plugin_that_is_not_there_is_told(three: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="rpganify.registry.catalog"):
        Registry(Selection(directories=(three,), blocked=("p1_yy",)))
    assert "-p no:p1_yy leaves nothing out, no plugin has that name. Did you mean 'p1_y'" in caplog.text


def test_asking_for_a_plugin_that_is_not_there_is_refused(three: Path) -> None:
    with pytest.raises(RegistryError, match=r"RPGANIFY_LOAD_PLUGINS asks for the plugin 'q', which is not there"):
        Registry(Selection(directories=(three,), only=("q",)))


def test_the_environment_names_folders_and_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Selection.from_environment() == Selection()
    monkeypatch.setenv(DIRECTORY_VARIABLE, f"one{os.pathsep}two")
    monkeypatch.setenv(LOAD_VARIABLE, "a, b")
    assert Selection.from_environment() == Selection((Path("one"), Path("two")), (), ("a", "b"))
    monkeypatch.setenv(LOAD_VARIABLE, "")
    assert Selection.from_environment().only == ()


def test_options_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DIRECTORY_VARIABLE, "one")
    monkeypatch.setenv(LOAD_VARIABLE, "a")
    assert Selection.from_options([Path("mine")], ["no:b"]) == Selection((Path("mine"),), ("b",), ("a",))
    assert Selection.from_options(None, None) == Selection((Path("one"),), (), ("a",))


def test_the_default_registry_follows_the_environment_and_what_was_chosen(
    three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(three))
    assert "p1_x" in default_registry().all(LossEntry)
    try:
        choose_plugins(Selection((three,), ("p1_x",)))
        assert "p1_x" not in default_registry().all(LossEntry)
        assert default_registry() is default_registry()
    finally:
        choose_plugins(None)
    assert "p1_x" in default_registry().all(LossEntry)


def test_a_lenient_registry_lists_what_is_wrong_and_goes_on(three: Path) -> None:
    write(three, "p1_wrong.py", "two words")
    with pytest.raises(RegistryError, match="because people type it"):
        Registry(Selection((three,)))
    registry = Registry(Selection((three,)), is_lenient=True)
    assert {provider.name: cause for provider, cause in registry.failures.items()}["p1_wrong"].startswith(
        "The plugin p1_"
    )
    assert "p1_x" in registry.all(LossEntry)


def test_a_plugin_that_ends_the_process_when_it_is_imported_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "p1_exits.py").write_text("raise SystemExit('the training loop was started')\n")
    with caplog.at_level(logging.WARNING, logger="rpganify.registry.catalog"):
        registry = Registry(Selection((tmp_path,)))
    assert list(registry.failures.values()) == ["SystemExit: the training loop was started"]
