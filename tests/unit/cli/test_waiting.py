"""Threads spin on a quiet machine, sleep on a shared one, and do what the user's environment says on any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rpganify.cli import waiting


@pytest.fixture
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "")  # so that what the test sets is taken back
        monkeypatch.delenv(name)


def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "loadavg").write_text(text)
    monkeypatch.setattr(waiting, "_LOAD", tmp_path / "loadavg")


@pytest.mark.usefixtures("_nothing_set")
@pytest.mark.parametrize(("running", "is_passive"), [("1/80", False), ("2/80", True), ("5/80", True)])
def test_others_that_run_make_threads_sleep(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, running: str, is_passive: bool
) -> None:
    load(monkeypatch, tmp_path, f"0.10 0.20 0.30 {running} 4711\n")
    waiting.choose_waiting()
    assert (os.environ.get("OMP_WAIT_POLICY") == "PASSIVE") is is_passive
    assert ("GOMP_SPINCOUNT" in os.environ) is not is_passive


@pytest.mark.usefixtures("_nothing_set")
@pytest.mark.parametrize("text", ["", "0.1 0.2", "0.1 0.2 0.3 many/80 1"])
def test_a_system_that_does_not_say_counts_as_quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    load(monkeypatch, tmp_path, text)
    assert not waiting.is_shared()
    monkeypatch.setattr(waiting, "_LOAD", tmp_path / "missing")
    assert not waiting.is_shared()


@pytest.mark.usefixtures("_nothing_set")
@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_what_the_environment_says_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    load(monkeypatch, tmp_path, "0.1 0.2 0.3 9/80 1")
    monkeypatch.setenv(name, "77")
    waiting.choose_waiting()
    assert {n: os.environ.get(n) for n in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT") if n in os.environ} == {name: "77"}
